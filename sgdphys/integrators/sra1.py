"""Roessler's scheme of strong order 1.5 for additive noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

from sgdphys.integrators.base import BlockIntegrator, Orders, Problem
from sgdphys.kernels import additive_steps

__all__ = ["SRA1"]


@dataclass(frozen=True)
class SRA1(BlockIntegrator):
    r"""Stochastic Runge-Kutta scheme SRA1 for :math:`dx = -\nabla f\,dt + \sqrt{2 T D}\,dW` with constant D.

    .. math:: y = x - \tfrac34\nabla f(x)\,dt + \tfrac34 K(\xi + \eta/\sqrt3), \qquad
        x \leftarrow x - \tfrac13(\nabla f(x) + 2\nabla f(y))\,dt + K\xi, \qquad K = \sqrt{2 T\,dt}\,B

    :math:`\xi` is the increment of the Wiener process, the same normals as those of Euler-Maruyama;
    :math:`\tfrac12 dt^{3/2}(\xi + \eta/\sqrt3)` its integral over the step, which takes a second set of normals. Strong
    order 1.5, weak order 2, for any constant D. Where the temperature is scheduled, K is the kick of the next step's
    temperature in y, and the last term :math:`K'\xi - \tfrac12(K' - K)(\xi + \eta/\sqrt3)`. On a quadratic of
    curvature h the stationary variance is T/h ((1 - u/2)^2 + u^2/12) / ((1 - u/2)(1 - u/2 + u^2/4)) with u = h dt.

    References
    ----------
    Roessler 2010, SIAM J. Numer. Anal. 48, 922, section 6 (scheme SRA1).
    """

    equation: ClassVar[str] = "dx = -grad f dt + sqrt(2 T D) dW, D constant"
    scheme: ClassVar[str] = "y = x - 3/4 grad f dt + 3/4 K (xi + eta/sqrt 3), x - (grad f(x) + 2 grad f(y)) dt/3 + K xi"
    accepts: ClassVar[str] = "constant"
    orders: ClassVar[Orders] = Orders(1.5, None, 2.0, None)
    deviates_per_channel: ClassVar[int] = 2

    @property
    def step(self) -> Callable[..., None]:
        """The step on a block, a plain function of the kernels."""
        return additive_steps.sra1_step

    def work_rows(self, dim: int) -> int:
        """Return the rows of scratch: the inner point, and the step without its kick."""
        return 2 * dim

    def prepared(self, problem: Problem) -> Self:
        """Return the integrator; raise ValueError for noise that is not additive, momentum or weight decay."""
        self.require_additive(problem)
        self.refuse_sgd(problem)
        return self
