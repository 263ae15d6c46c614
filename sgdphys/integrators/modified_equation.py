"""The stochastic modified equations of SGD."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from sgdphys.checks import whole_number
from sgdphys.integrators.base import BlockIntegrator, Orders, Pace, Problem
from sgdphys.kernels.modified_equation_steps import OWN_WORK_ROWS, modified_equation_step

__all__ = ["ModifiedEquation"]


@dataclass(frozen=True)
class ModifiedEquation(BlockIntegrator):
    r"""The stochastic equation whose averages follow those of SGD to first or second order in lr.

    .. math:: dx = -\nabla f\,dt + \sqrt{2 T C}\,dW \quad\text{(order 1)},\qquad
        dx = -\nabla \big( f + \tfrac{\mathrm{lr}}{4} |\nabla f|^2 \big)\,dt + \sqrt{2 T C}\,dW \quad\text{(order 2)}

    with T = sampling_factor lr/(2B), in the Ito sense. Averages at a fixed time differ from those of SGD by O(lr) and
    O(lr^2); a protocol s(t) of a driven landscape acts at the time t - lr/2 in the second. Nothing follows for the
    stationary state: on a quadratic of curvature h its variance is that of SGD times 1 - lr h/2 for order 1, and 1 - lr
    h to first order for order 2, which is the worse one there.

    One step of SGD takes m steps of the weak Runge-Kutta scheme of Heun with one kick, of weak order 2 for constant
    C; where C depends on x the kick is that of the present point, and the scheme is of weak order 1 in lr/m. Time is
    lr/m times the step, so that ``n_steps`` counts m for one step of SGD. The term (lr/2) H grad f of the drift is a
    central difference of the gradient along itself, over some 1e-5 in x (relative error below 1e-8 for landscapes
    that change over lengths of about 1).

    Parameters
    ----------
    order
        1 or 2.
    substeps
        m. With 1 the error of the scheme is of the same order as that of the second equation.

    References
    ----------
    Li, Tai & E 2017 (arXiv 1511.06251) and 2019, J. Mach. Learn. Res. 20, 40; Kloeden & Platen 1992, section 15.1, for
    the scheme.
    """

    equation: ClassVar[str] = "dx = -grad(f + (lr/4) |grad f|^2) dt + sqrt(2 T C) dW (Ito), without (lr/4) at order 1"
    scheme: ClassVar[str] = "x - dt (b(x) + b(y))/2 + n, y = x - dt b(x) + n, n = sqrt(2 T dt) B(x) xi"
    accepts: ClassVar[str] = "any Gaussian"
    orders: ClassVar[Orders] = Orders(1.0, 0.5, 2.0, 1.0)

    order: Literal[1, 2] = 2
    substeps: int = 8

    def __post_init__(self) -> None:
        object.__setattr__(self, "substeps", whole_number("substeps", self.substeps))
        if self.order not in {1, 2} or isinstance(self.order, bool):
            raise ValueError(f"order must be 1 or 2, the modified equations that are known, got {self.order!r:.60}")

    @property
    def name(self) -> str:
        """What messages and configurations call the integrator, with its numbers."""
        return f"{type(self).__name__}(order={self.order}, substeps={self.substeps})"

    @property
    def step(self) -> Callable[..., None]:
        """The step on a block, a plain function of the kernels."""
        return modified_equation_step

    def work_rows(self, dim: int) -> int:
        """Return the rows of scratch: drift, gradient, a shifted point and a difference, and two of lengths."""
        return 4 * dim + OWN_WORK_ROWS

    def prepared(self, problem: Problem) -> Self:
        """Return the integrator; ValueError for momentum, weight decay, shuffled epochs or stable noise."""
        if problem.sgd is None:
            raise ValueError(f"{self.name} needs sgd= (noise {problem.noise_name}): its drift depends on lr")
        self.require_gaussian(problem)
        self.refuse_sgd(problem)
        return self

    def settings(self, pace: Pace, problem: Problem) -> NDArray[np.float64]:  # noqa: ARG002
        """Return lr/2 for the equation of second order, else 0; shape (step, 1)."""
        return (self.order - 1) * self.substeps * pace.dt[:, np.newaxis] / 2
