"""The stochastic Heun scheme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from sgdphys.integrators.base import BlockIntegrator, Orders, Problem
from sgdphys.kernels.additive_steps import heun_step
from sgdphys.kernels.multiplicative_steps import stochastic_heun_step

__all__ = ["StochasticHeun"]


@dataclass(frozen=True)
class StochasticHeun(BlockIntegrator):
    r"""Heun's predictor and corrector for :math:`dx = -\nabla f\,dt + \sqrt{2 T D(x)}\circ dW` (Stratonovich).

    .. math:: y = x - \nabla f(x)\,dt + \sqrt{2 T\,dt}\,B(x)\xi, \qquad x \leftarrow x - \tfrac12(\nabla f(x)
        + \nabla f(y))\,dt + \tfrac12\sqrt{2 T\,dt}\,(B(x) + B(y))\,\xi

    It converges to the Stratonovich solution; a noise that is meant otherwise (Ito or Haenggi-Klimontovich) gets the
    drift that makes up for it, so that every integrator solves the same equation. D is constant, or diagonal. Strong
    order 1 where D_ii depends on x_i alone (1/2 where it depends on other coordinates), weak order 1; for constant D
    weak order 2. On a quadratic of curvature h the stationary variance is T/h (1 - u/2)/(1 - u/2 + u^2/4), u = h dt.
    A temperature schedule enters by the mean of both ends of the step.

    Parameters
    ----------
    additive
        Whether D is constant; filled in from the noise.

    References
    ----------
    Ruemelin 1982, SIAM J. Numer. Anal. 19, 604; Kloeden & Platen 1992, section 15.1, for the weak order.
    """

    equation: ClassVar[str] = "dx = -grad f dt + sqrt(2 T D(x)) o dW (Stratonovich; other readings are converted)"
    scheme: ClassVar[str] = "y = x - grad f dt + K(x) xi, x - (grad f(x) + grad f(y)) dt/2 + (K(x) + K(y)) xi/2"
    accepts: ClassVar[str] = "constant, or diagonal D(x)"
    orders: ClassVar[Orders] = Orders(1.0, 1.0, 2.0, 1.0)
    interpretation: ClassVar[str] = "stratonovich"

    additive: bool = False

    @property
    def step(self) -> Callable[..., None]:
        """The step on a block, a plain function of the kernels."""
        return heun_step if self.additive else stochastic_heun_step

    def work_rows(self, dim: int) -> int:
        """Return the rows of scratch: the predicted point, and for D(x) the step without its second kick."""
        return dim if self.additive else 2 * dim

    def prepared(self, problem: Problem) -> Self:
        """Return it with ``additive`` filled in; ValueError unless D is constant or diagonal."""
        self.require_diagonal(problem, separable=False)
        self.refuse_sgd(problem)
        return replace(self, additive=getattr(problem.noise, "additive", True))
