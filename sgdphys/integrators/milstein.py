"""The Milstein scheme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from sgdphys.integrators.base import BlockIntegrator, Orders, Problem
from sgdphys.kernels.multiplicative_steps import milstein_step
from sgdphys.kernels.steps import euler_maruyama_step

__all__ = ["Milstein"]


@dataclass(frozen=True)
class Milstein(BlockIntegrator):
    r"""Milstein's scheme for :math:`dx = -\nabla f\,dt + \sqrt{2 T D(x)}\,dW` (Ito) with diagonal D.

    .. math:: x_i \leftarrow x_i - \partial_i f\,dt + \sqrt{2 T D_{ii}\,dt}\;\xi_i
        + \tfrac12 T\,dt\;\partial_i D_{ii}\,(\xi_i^2 - 1)

    Strong order 1, weak order 1. The last term is (1/2) b b' (dW^2 - dt) of b^2 = 2 T D_ii; the general scheme has
    none else where D_ii depends on x_i alone, or where there is one coordinate. For constant D it is Euler-Maruyama.

    Parameters
    ----------
    additive
        Whether D is constant; filled in from the noise.

    References
    ----------
    Milstein 1974, Theory Probab. Appl. 19, 557; Kloeden & Platen 1992, equation 10.3.1 and section 10.3.
    """

    equation: ClassVar[str] = "dx_i = -d_i f dt + sqrt(2 T D_ii(x_i)) dW_i (Ito)"
    scheme: ClassVar[str] = "x - grad f dt + sqrt(2 T dt) B(x) xi + (T dt / 2) d_i D_ii (xi_i^2 - 1)"
    accepts: ClassVar[str] = "constant, or diagonal with D_ii(x_i)"
    orders: ClassVar[Orders] = Orders(1.0, 1.0, 1.0, 1.0)

    additive: bool = False

    @property
    def step(self) -> Callable[..., None]:
        """The step on a block, a plain function of the kernels."""
        return euler_maruyama_step if self.additive else milstein_step

    def work_rows(self, dim: int) -> int:
        """Return the rows of scratch: the slopes of D."""
        return 0 if self.additive else dim

    def prepared(self, problem: Problem) -> Self:
        """Return it with ``additive`` filled in; ValueError unless D is constant, or diagonal with D_ii(x_i)."""
        self.require_diagonal(problem, separable=True)
        self.refuse_sgd(problem)
        if not getattr(problem.noise, "has_divergence", True):
            raise ValueError(
                f"{self.name} needs the derivative of D, and {problem.noise_name} has no kernel of it; "
                "use integrators.PlatenWeak2(), which needs none, or integrators.EulerMaruyama()"
            )
        return replace(self, additive=getattr(problem.noise, "additive", True))
