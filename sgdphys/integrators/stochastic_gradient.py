"""The map of stochastic gradient descent itself, with Gaussian noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels.steps import heavy_ball_step, stochastic_gradient_step
from sgdphys.sgd import SGD

__all__ = ["StochasticGradient"]


@dataclass(frozen=True)
class StochasticGradient:
    r"""Steps of SGD with Gaussian gradient noise, in torch's convention.

    .. math:: v \leftarrow \mu v + \nabla f(x) + \mathrm{wd}\,x - \sqrt{\phi/B}\;b\,\xi,\qquad x \leftarrow x -
    \mathrm{lr}\,v,

    with b b^T = C the covariance of the per-sample gradients and phi the sampling factor; the sign of the noise is
    such that equal random numbers push x the same way in every integrator. This is the discrete map,
    not an approximation of the stochastic differential equation: on a quadratic its variance is exactly that of SGD
    with additive noise. Time is lr times the step.

    Parameters
    ----------
    momentum
        Whether the state carries a velocity; set from the SGD settings by ``simulate``.

    References
    ----------
    Liu, Ziyin & Ueda 2021 (arXiv 2012.03636), section 4, for its stationary covariance.
    """

    momentum: bool = False
    strong_order: ClassVar[float] = 1.0
    weak_order: ClassVar[float] = 1.0

    @property
    def step(self) -> Callable[..., None]:
        """The step on a block, a plain function of the kernels."""
        return heavy_ball_step if self.momentum else stochastic_gradient_step

    def rows(self, dim: int) -> int:
        """Return the rows of the state: coordinates, and velocities with momentum."""
        return 2 * dim if self.momentum else dim

    def settings(self, dt: float, temperature: float, sgd: SGD | None) -> NDArray[np.float64]:  # noqa: ARG002
        """Return the numbers the step needs: lr, noise amplitude, weight decay, momentum.

        Returns
        -------
        NDArray
            The four numbers.

        Raises
        ------
        ValueError
            There are no SGD settings, or their momentum does not fit.
        """
        if sgd is None:
            raise ValueError("StochasticGradient needs sgd=; with temperature= and dt= use EulerMaruyama")
        if bool(sgd.momentum) != self.momentum:
            raise ValueError(f"StochasticGradient(momentum={self.momentum}) does not fit sgd.momentum={sgd.momentum}")
        noise = np.sqrt(sgd.sampling_factor / sgd.batch_size)
        return np.array([sgd.lr, noise if self.momentum else sgd.lr * noise, sgd.weight_decay, sgd.momentum])
