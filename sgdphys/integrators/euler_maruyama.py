"""The Euler-Maruyama scheme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

from sgdphys.integrators.base import BlockIntegrator, Orders, Problem
from sgdphys.kernels.steps import euler_maruyama_step

__all__ = ["EulerMaruyama"]


@dataclass(frozen=True)
class EulerMaruyama(BlockIntegrator):
    r"""Euler-Maruyama for :math:`dx = -\nabla f\,dt + \sqrt{2 T D}\,dW` (Ito).

    .. math:: x \leftarrow x - \nabla f(x)\,dt + \sqrt{2 T\,dt}\,B\xi,\qquad B B^\mathsf{T} = D.

    Strong order 1/2 (1 for constant D), weak order 1. It takes every noise but real minibatches; with stable noise
    the kick is the increment of the Levy process. On a quadratic of curvature h its stationary variance is T/(h (1 -
    h dt/2)), not T/h. With ``sgd=`` it integrates the equation of SGD at dt = lr and T = sampling_factor * lr/(2B);
    momentum belongs to ``StochasticGradient``.

    References
    ----------
    Maruyama 1955, Rend. Circ. Mat. Palermo 4, 48; Kloeden & Platen 1992, section 10.2.
    """

    equation: ClassVar[str] = "dx = -grad f dt + sqrt(2 T D(x)) dW (Ito)"
    scheme: ClassVar[str] = "x - grad f dt + sqrt(2 T dt) B(x) xi"
    accepts: ClassVar[str] = "any: constant, D(x), stable"
    orders: ClassVar[Orders] = Orders(1.0, 0.5, 1.0, 1.0)

    @property
    def step(self) -> Callable[..., None]:
        """The step on a block, a plain function of the kernels."""
        return euler_maruyama_step

    def prepared(self, problem: Problem) -> Self:
        """Return the integrator; raise ValueError for momentum, weight decay or real minibatches."""
        self.refuse_minibatches(problem)
        self.refuse_sgd(problem)
        return self
