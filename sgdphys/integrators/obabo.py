"""The OBABO splitting of underdamped Langevin dynamics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from sgdphys.integrators.underdamped import Underdamped
from sgdphys.kernels.underdamped_steps import obabo_step

__all__ = ["OBABO"]


@dataclass(frozen=True)
class OBABO(Underdamped):
    r"""OBABO: velocity Verlet between two halves of friction and noise, for underdamped Langevin dynamics.

    .. math:: v \leftarrow c v + \sqrt{T (1 - c^2)}\,B\xi_1,\quad v \leftarrow v - \tfrac{dt}{2} \nabla f(x),\quad
        x \leftarrow x + v\,dt,\quad v \leftarrow v - \tfrac{dt}{2} \nabla f(x),\quad
        v \leftarrow c v + \sqrt{T (1 - c^2)}\,B\xi_2

    with :math:`c = e^{-\gamma dt/2}`. Weak order 2. On a quadratic of curvature h its stationary variances are
    exactly T/(h (1 - h dt^2/4)) in position and T in velocity, for any friction; stable for h dt^2 < 4. Equation,
    units and the relation to heavy-ball SGD: :class:`~sgdphys.integrators.Underdamped`.

    References
    ----------
    Bussi & Parrinello 2007, Phys. Rev. E 75, 056707.
    """

    scheme: ClassVar[str] = "O(dt/2) B(dt/2) A(dt) B(dt/2) O(dt/2)"
    deviates_per_channel: ClassVar[int] = 2
    noisy_parts: ClassVar[int] = 2

    @property
    def step(self) -> Callable[..., None]:
        """The step on a block, a plain function of the kernels."""
        return obabo_step
