"""Platen's explicit scheme of weak order 2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from sgdphys.integrators.base import BlockIntegrator, Orders, Problem
from sgdphys.kernels.additive_steps import heun_step
from sgdphys.kernels.multiplicative_steps import platen_step

__all__ = ["PlatenWeak2"]


@dataclass(frozen=True)
class PlatenWeak2(BlockIntegrator):
    r"""Platen's explicit scheme of weak order 2 for :math:`dx = -\nabla f\,dt + \sqrt{2 T D(x)}\,dW` (Ito).

    With :math:`b = \sqrt{2 T\,dt}\,B` diagonal, :math:`y = x - \nabla f(x)\,dt + b(x)\xi` and
    :math:`x^\pm = x - \nabla f(x)\,dt \pm b(x)`

    .. math:: x \leftarrow x - \tfrac12(\nabla f(x) + \nabla f(y))\,dt + \tfrac14(b(x^+) + b(x^-) + 2 b(x))\,\xi
        + \tfrac14(b(x^+) - b(x^-))(\xi^2 - 1).

    Weak order 2 without derivatives, for averages at any time; strong order 1. D is constant, or diagonal with D_ii a
    function of x_i alone (then the terms that join two channels vanish), or there is one coordinate. For constant D
    all that is left is Heun's predictor and corrector. Temperature schedules keep the order: the variance of a step
    takes the mean of both ends.

    Parameters
    ----------
    additive
        Whether D is constant; filled in from the noise.

    References
    ----------
    Kloeden & Platen 1992, section 15.1 (explicit order 2.0 weak scheme).
    """

    equation: ClassVar[str] = "dx_i = -d_i f dt + sqrt(2 T D_ii(x_i)) dW_i (Ito)"
    scheme: ClassVar[str] = (
        "x - (grad f(x) + grad f(y)) dt/2 + (b(x+) + b(x-) + 2 b(x)) xi/4 + (b(x+) - b(x-)) (xi^2 - 1)/4, "
        "b = sqrt(2 T dt) B, y = x - grad f dt + b xi, x+- = x - grad f dt +- b"
    )
    accepts: ClassVar[str] = "constant, or diagonal with D_ii(x_i)"
    orders: ClassVar[Orders] = Orders(1.0, 1.0, 2.0, 2.0)

    additive: bool = False

    @property
    def step(self) -> Callable[..., None]:
        """The step on a block, a plain function of the kernels."""
        return heun_step if self.additive else platen_step

    def work_rows(self, dim: int) -> int:
        """Return the rows of scratch: predicted and supporting points, deviates, root of D, and zeros."""
        return dim if self.additive else 6 * dim

    def prepared(self, problem: Problem) -> Self:
        """Return it with ``additive`` filled in; ValueError unless D is constant, or diagonal with D_ii(x_i)."""
        self.require_diagonal(problem, separable=True)
        self.refuse_sgd(problem)
        return replace(self, additive=getattr(problem.noise, "additive", True))
