"""The tamed Euler scheme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

from sgdphys.integrators.base import BlockIntegrator, Orders, Problem
from sgdphys.kernels.tamed_steps import tamed_euler_step

__all__ = ["TamedEuler"]


@dataclass(frozen=True)
class TamedEuler(BlockIntegrator):
    r"""Tamed Euler scheme for :math:`dx = -\nabla f\,dt + \sqrt{2 T D}\,dW` (Ito) with gradients of superlinear growth.

    .. math:: x \leftarrow x - \frac{\nabla f(x)\,dt}{1 + dt\,|\nabla f(x)|} + \sqrt{2 T\,dt}\,B\xi

    No drift moves x by more than 1 in a step, so that a quartic far out does not overshoot and explode, as it does
    under Euler-Maruyama. Strong order 1/2 (1 for constant D), weak order 1, also for gradients that are not Lipschitz.
    |.| is the Euclidean norm over the coordinates; the drift that converts another reading of the noise is tamed with
    the gradient. It takes every noise but real minibatches.

    References
    ----------
    Hutzenthaler, Jentzen & Kloeden 2012, Ann. Appl. Probab. 22, 1611.
    """

    equation: ClassVar[str] = "dx = -grad f dt + sqrt(2 T D(x)) dW (Ito)"
    scheme: ClassVar[str] = "x - grad f dt / (1 + dt |grad f|) + sqrt(2 T dt) B(x) xi"
    accepts: ClassVar[str] = "any: constant, D(x), stable"
    orders: ClassVar[Orders] = Orders(1.0, 0.5, 1.0, 1.0)

    @property
    def step(self) -> Callable[..., None]:
        """The step on a block, a plain function of the kernels."""
        return tamed_euler_step

    def work_rows(self, dim: int) -> int:
        """Return the rows of scratch: the drift and its length."""
        return dim + 1

    def prepared(self, problem: Problem) -> Self:
        """Return the integrator; raise ValueError for momentum, weight decay or real minibatches."""
        self.refuse_minibatches(problem)
        self.refuse_sgd(problem)
        return self
