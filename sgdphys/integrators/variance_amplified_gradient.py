"""SVAG: steps of SGD with amplified variance, between SGD and its stochastic differential equation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sgdphys.checks import whole_number
from sgdphys.integrators.base import BlockIntegrator, Orders, Pace, Problem
from sgdphys.kernels.sampling import SAMPLING_CODES
from sgdphys.kernels.steps import stochastic_gradient_step
from sgdphys.kernels.variance_amplified_steps import variance_amplified_step

__all__ = ["VarianceAmplifiedGradient"]


@dataclass(frozen=True)
class VarianceAmplifiedGradient(BlockIntegrator):
    r"""SVAG: l steps of size lr/l for one step of SGD, with gradients of l times the covariance.

    .. math:: x \leftarrow x - \frac{\mathrm{lr}}{l} \Big( \frac{1 + \sqrt{2l - 1}}{2}\, g_1
              + \frac{1 - \sqrt{2l - 1}}{2}\, g_2 + \mathrm{wd}\, x \Big)

    with the mean gradients of two independent minibatches. At l = 1 this is SGD; as l grows at fixed lr it approaches
    the equation dx = -grad f dt + sqrt(2 T C) dW at T = lr/(2B), as a scheme of weak order 1 in 1/l. How much the
    results of a real problem change with l tells how far that equation is from its SGD. On a quadratic of curvature h
    the variance is lr s^2/(h (2 - lr h/l)), s^2 the variance of the batch gradient, for any law of the noise. Time is
    lr/l times the step, so that ``n_steps`` counts l for one step of SGD. With Gaussian noise, whose sums are
    Gaussian, it is Euler-Maruyama with dt = lr/l.

    Parameters
    ----------
    substeps
        l; 1 is SGD itself.
    sampled
        Whether gradients are those of real minibatches; filled in from the noise.

    References
    ----------
    Li, Malladi & Arora 2021 (arXiv 2102.12470), the algorithm SVAG.
    """

    equation: ClassVar[str] = "the map of SGD at l = 1; dx = -grad f dt + sqrt(2 T C) dW (Ito) for large l"
    scheme: ClassVar[str] = "x - (lr/l) ((1 + sqrt(2l-1))/2 g_1 + (1 - sqrt(2l-1))/2 g_2)"
    accepts: ClassVar[str] = "any Gaussian, real minibatches"
    orders: ClassVar[Orders] = Orders(None, None, 1.0, 1.0)

    substeps: int = 1
    sampled: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "substeps", whole_number("substeps", self.substeps))

    @property
    def name(self) -> str:
        """What messages and configurations call the integrator, with l."""
        return f"{type(self).__name__}(substeps={self.substeps})"

    @property
    def step(self) -> Callable[..., None]:
        """The step on a block, a plain function of the kernels."""
        return variance_amplified_step if self.sampled else stochastic_gradient_step

    def prepared(self, problem: Problem) -> Self:
        """Return it with the kind of gradient filled in; ValueError for momentum and shuffled epochs."""
        sgd = problem.sgd
        if sgd is None:
            raise ValueError(f"{self.name} needs sgd= (noise {problem.noise_name}); it cuts a step of lr into substeps")
        if sgd.momentum:
            raise ValueError(f"{self.name} knows no momentum, got {sgd.momentum}; use integrator=None, the SGD map")
        if sgd.sampling == "shuffle":
            raise ValueError(
                f"{self.name} needs minibatches that are independent of each other, got sampling='shuffle' (noise "
                f"{problem.noise_name}); use sampling='replacement' or 'without'"
            )
        sampled = hasattr(problem.noise, "is_minibatch")
        if not sampled:
            self.require_gaussian(problem)
        return replace(self, sampled=sampled)

    def settings(self, pace: Pace, problem: Problem) -> NDArray[np.float64]:
        """Return the settings of each step.

        Returns
        -------
        NDArray
            Shape (step, 7), the places those of ``StochasticGradient``: sqrt(2 l - 1) for real minibatches, else the
            amplitude sqrt(l phi/B); weight decay; three that SVAG does not have; sampling; number of samples.
        """
        sgd, count = problem.sgd, self.substeps
        assert sgd is not None
        gaussian = count * pace.sampling_factors(sgd) / pace.batch_size
        first = np.full(len(pace.dt), 2.0 * count - 1) if self.sampled else gaussian
        n_samples = float(getattr(problem.landscape, "n_samples", 0))
        constant = (sgd.weight_decay, 0.0, 0.0, 0.0, float(SAMPLING_CODES[sgd.sampling]), n_samples)
        return np.column_stack([np.sqrt(first), np.broadcast_to(constant, (len(pace.dt), len(constant)))])
