"""The UBU splitting of underdamped Langevin dynamics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sgdphys.integrators.base import Orders, Pace, Problem
from sgdphys.integrators.underdamped import Underdamped
from sgdphys.kernels.underdamped_steps import ubu_step

__all__ = ["UBU"]

Array = NDArray[np.float64]
SERIES = {n: (2.0 - 2.0 ** (n - 1)) * (-1.0) ** n / factorial(n) for n in range(3, 27)}


@dataclass(frozen=True)
class UBU(Underdamped):
    r"""UBU for underdamped Langevin dynamics: one gradient a step, and strong order 2.

    U is the exact flow of everything but the force over dt/2, B a kick by the force at the point in the middle:

    .. math:: U:\; x \leftarrow x + \tfrac{1 - c}{\gamma} v + B(a \xi_1 + b \xi_2),\quad
        v \leftarrow c v + \sqrt{T (1 - c^2)}\,B\xi_1;\qquad B:\; v \leftarrow v - \nabla f(x)\,dt

    with :math:`c = e^{-\gamma dt/2}`; a and b give position and velocity the covariance of the equation. Free motion
    is exact at any dt, and paths are more accurate than those of the other two splittings. Equation, units and the
    relation to heavy-ball SGD: :class:`~sgdphys.integrators.Underdamped`.

    References
    ----------
    Alamo & Sanz-Serna 2016, SIAM J. Numer. Anal. 54, 3239; Sanz-Serna & Zygalakis 2021, J. Mach. Learn. Res. 22, 242.
    """

    scheme: ClassVar[str] = "U(dt/2) B(dt) U(dt/2)"
    orders: ClassVar[Orders] = Orders(2.0, None, 2.0, None)
    deviates_per_channel: ClassVar[int] = 4
    noisy_parts: ClassVar[int] = 2

    @property
    def step(self) -> Callable[..., None]:
        """The step on a block, a plain function of the kernels."""
        return ubu_step

    def settings(self, pace: Pace, problem: Problem) -> Array:
        """Return decay and noise of the velocities in half a step, way over velocity, a and b; shape (step, 5)."""
        damping = self.friction * pace.dt / 2
        travel, shared, own = _free_motion(damping)
        noise = np.sqrt(pace.temperature)
        way = np.column_stack([travel, noise * shared, noise * own]) * pace.dt[:, np.newaxis] / 2
        return np.concatenate([super().settings(pace, problem), way], axis=1)


def _free_motion(u: Array) -> tuple[Array, Array, Array]:
    """Return way over velocity, noise shared with it, and noise of its own: free motion over unit time at T = 1."""
    # ``u`` is friction times time; the variance of the way is 2 (u - 2 (1 - e^-u) + (1 - e^-2u)/2)/u^2, and its
    # covariance with the velocity (1 - e^-u)^2/u
    some = np.where(u > 0, u, 1.0)
    fall, spread = -np.expm1(-some), -np.expm1(-2 * some)
    powers = sum(coefficient * np.minimum(some, 1.0) ** n for n, coefficient in SERIES.items())
    variance = 2 * np.where(some < 1, powers, some - 2 * fall + spread / 2) / some**2
    covariance = fall**2 / some
    shared, own = covariance / np.sqrt(spread), np.sqrt(variance - covariance**2 / spread)
    return np.where(u > 0, fall / some, 1.0), np.where(u > 0, shared, 0.0), np.where(u > 0, own, 0.0)
