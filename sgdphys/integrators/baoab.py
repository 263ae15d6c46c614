"""The BAOAB splitting of underdamped Langevin dynamics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from sgdphys.integrators.underdamped import Underdamped
from sgdphys.kernels.underdamped_steps import baoab_step

__all__ = ["BAOAB"]


@dataclass(frozen=True)
class BAOAB(Underdamped):
    r"""BAOAB for underdamped Langevin dynamics: the scheme whose positions are the most accurate.

    .. math:: v \leftarrow v - \tfrac{dt}{2} \nabla f(x),\quad x \leftarrow x + \tfrac{dt}{2} v,\quad
        v \leftarrow c v + \sqrt{T (1 - c^2)}\,B\xi,\quad x \leftarrow x + \tfrac{dt}{2} v,\quad
        v \leftarrow v - \tfrac{dt}{2} \nabla f(x)

    with :math:`c = e^{-\gamma dt}`. Weak order 2. On a quadratic of curvature h its stationary variances are exactly
    T/h in position at any dt, and T (1 - h dt^2/4) in velocity; stable for h dt^2 < 4. Equation, units and the
    relation to heavy-ball SGD: :class:`~sgdphys.integrators.Underdamped`.

    References
    ----------
    Leimkuhler & Matthews 2013, Appl. Math. Res. Express 2013, 34.
    """

    scheme: ClassVar[str] = "B(dt/2) A(dt/2) O(dt) A(dt/2) B(dt/2)"

    @property
    def step(self) -> Callable[..., None]:
        """The step on a block, a plain function of the kernels."""
        return baoab_step
