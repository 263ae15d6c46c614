"""The Leimkuhler-Matthews scheme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

from sgdphys.integrators.base import BlockIntegrator, Orders, Problem
from sgdphys.kernels import additive_steps

__all__ = ["LeimkuhlerMatthews"]


@dataclass(frozen=True)
class LeimkuhlerMatthews(BlockIntegrator):
    r"""The limit of BAOAB at high friction, for :math:`dx = -\nabla f\,dt + \sqrt{2 T D}\,dW` with constant D.

    .. math:: x_{k+1} = x_k - \nabla f(x_k)\,dt + \tfrac12\sqrt{2 T\,dt}\,B(\xi_k + \xi_{k+1})

    One gradient a step, as Euler-Maruyama. Averages over the stationary state are of second order in dt for D a
    multiple of the unit matrix (and in one dimension), and those of a quadratic are exact: with H D = D H its
    covariance is T D / H at every stable dt. For other D, where detailed balance is broken, they are of first order.
    At finite times averages are of first order, with an error that dies out with the slowest mode. Normals are shared
    by neighbouring steps, so its paths are no Markov chain. The second half of a kick takes the temperature of the
    next step.

    References
    ----------
    Leimkuhler & Matthews 2013, Appl. Math. Res. Express 2013, 34; Leimkuhler, Matthews & Tretyakov 2014, Proc. R. Soc.
    A 470, 20140120, for the orders in time.
    """

    equation: ClassVar[str] = "dx = -grad f dt + sqrt(2 T D) dW, D constant"
    scheme: ClassVar[str] = "x - grad f dt + sqrt(2 T dt) B (xi_k + xi_{k+1}) / 2"
    accepts: ClassVar[str] = "constant"
    orders: ClassVar[Orders] = Orders(0.5, None, 1.0, None)
    ahead: ClassVar[int] = 1

    @property
    def step(self) -> Callable[..., None]:
        """The step on a block, a plain function of the kernels."""
        return additive_steps.leimkuhler_matthews_step

    def work_rows(self, dim: int) -> int:
        """Return the rows of scratch: the point after half a kick."""
        return dim

    def prepared(self, problem: Problem) -> Self:
        """Return the integrator; raise ValueError for noise that is not additive, momentum or weight decay."""
        self.require_additive(problem)
        self.refuse_sgd(problem)
        return self
