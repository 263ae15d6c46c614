"""The map of stochastic gradient descent itself, with Gaussian noise or real minibatches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sgdphys.integrators.base import BlockIntegrator, Orders, Pace, Problem
from sgdphys.kernels import minibatch_steps, steps
from sgdphys.kernels.sampling import SAMPLING_CODES

__all__ = ["StochasticGradient"]


@dataclass(frozen=True)
class StochasticGradient(BlockIntegrator):
    r"""Steps of SGD in torch's convention: heavy ball, Nesterov, dampening, weight decay.

    .. math:: v \leftarrow \mu v + (1 - \tau) g,\qquad x \leftarrow x - \mathrm{lr}\,v \quad\text{(Nesterov: } x
        \leftarrow x - \mathrm{lr}\,(g + \mu v)\text{)}

    With a Gaussian noise :math:`g = \nabla f(x) + \mathrm{wd}\,x - \sqrt{\phi/B}\;b\,\xi`, b b^T = C the covariance
    of the per-sample gradients and phi the sampling factor; the sign of the noise is such that equal random numbers
    push x the same way in every integrator. With ``noises.Minibatch`` g is the mean gradient of a real minibatch of a
    finite-sum landscape plus wd x. This is the discrete map, not an approximation of the stochastic differential
    equation: on a quadratic its variance is exactly that of SGD. Time is the sum of the learning rates. At step 0 v
    becomes g itself, as in torch.

    Parameters
    ----------
    momentum
        Whether the state carries a velocity; filled in from the SGD settings.
    sampled
        Whether gradients are those of real minibatches; filled in from the noise.

    References
    ----------
    Liu, Ziyin & Ueda 2021 (arXiv 2012.03636), section 4, for its stationary covariance; Polyak 1964 and Nesterov 1983
    for the two kinds of momentum.
    """

    equation: ClassVar[str] = "the map of SGD itself; dx = -grad f dt + sqrt(2 T C) dW to first order in lr"
    scheme: ClassVar[str] = "v <- mu v + (1 - dampening) g, x <- x - lr v (Nesterov: x <- x - lr (g + mu v))"
    accepts: ClassVar[str] = "any Gaussian, real minibatches"
    orders: ClassVar[Orders] = Orders(1.0, 0.5, 1.0, 1.0)

    momentum: bool = False
    sampled: bool = False

    @property
    def step(self) -> Callable[..., None]:
        """The step on a block, a plain function of the kernels."""
        if self.sampled:
            return minibatch_steps.minibatch_heavy_ball_step if self.momentum else minibatch_steps.minibatch_step
        return steps.heavy_ball_step if self.momentum else steps.stochastic_gradient_step

    def rows(self, dim: int) -> int:
        """Return the rows of the state: coordinates, and velocities with momentum."""
        return 2 * dim if self.momentum else dim

    def work_rows(self, dim: int) -> int:
        """Return the rows of scratch: the gradient, with momentum."""
        return dim if self.momentum else 0

    def prepared(self, problem: Problem) -> Self:
        """Return it with momentum and kind of gradient filled in; ValueError for noise that does not fit."""
        if problem.sgd is None:
            raise ValueError("StochasticGradient needs sgd=; with temperature= and dt= use EulerMaruyama")
        sampled = hasattr(problem.noise, "is_minibatch")
        if not sampled:
            self.require_gaussian(problem)
            _ = problem.sgd.sampling_factor  # refuses shuffling, whose noise is not that of a Gaussian
        if self.momentum and not problem.sgd.momentum:
            raise ValueError("StochasticGradient(momentum=True) does not fit sgd.momentum=0; leave integrator= out")
        return replace(self, momentum=problem.sgd.momentum > 0, sampled=sampled)

    def settings(self, pace: Pace, problem: Problem) -> NDArray[np.float64]:
        """Return noise amplitude sqrt(phi/B), weight decay, mu, 1 - dampening, 1 for Nesterov, and the sampling.

        Returns
        -------
        NDArray
            Shape (step, 7); the last two are the code of the sampling and the number of samples.
        """
        sgd = problem.sgd
        assert sgd is not None
        noise = np.zeros(len(pace.dt)) if self.sampled else np.sqrt(pace.sampling_factors(sgd) / pace.batch_size)
        rule = (
            sgd.weight_decay,
            sgd.momentum,
            1 - getattr(sgd, "dampening", 0.0),
            float(getattr(sgd, "nesterov", False)),
        )
        constant = (*rule, float(SAMPLING_CODES[sgd.sampling]), float(getattr(problem.landscape, "n_samples", 0)))
        return np.column_stack([noise, np.broadcast_to(constant, (len(noise), len(constant)))])
