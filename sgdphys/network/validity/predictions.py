"""What the quadratic theory says of a cloud along the leading directions, and the cloud's variances beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sgdphys.theory import stationary_covariance, svag_covariance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sgdphys.network.validity.surroundings import Surroundings
    from sgdphys.sgd import SGD

    Array = NDArray[np.float64]

__all__ = [
    "Estimate", "Prediction", "change_of", "distance_of_covariance", "mean_over", "potential_distance_of",
    "prediction_of", "ratio_of_means", "refined_prediction", "spread_over",
]  # fmt: skip

_GROUPS = 20  # of replicas, for the jackknife


@dataclass(frozen=True)
class Estimate:
    """A number and its standard error, or arrays of them."""

    value: float
    error: float


@dataclass(frozen=True)
class Prediction:
    """Stationary state of a quadratic loss with constant noise along the leading directions.

    Parameters
    ----------
    exact
        Covariance of the map of steps, (k, k), in x^2; for shuffled epochs its mean over an epoch.
    equation
        That of the stochastic differential equation, Lyapunov's, (k, k); None for shuffled epochs, which have none.
    in_epoch
        Variances after each step of a shuffled epoch, (step, k); None for other sampling.
    """

    exact: Array
    equation: Array | None
    in_epoch: Array | None

    def variances(self, steps: NDArray[np.int64]) -> Array:
        """Return the variance of the map at some steps, (step, k)."""
        if self.in_epoch is None:
            return np.broadcast_to(np.diag(self.exact), (len(steps), len(self.exact)))
        return np.asarray(self.in_epoch[(steps - 1) % len(self.in_epoch)])


def prediction_of(surroundings: Surroundings, sgd: SGD) -> Prediction:
    """Return the prediction; ``sgd`` knows the number of samples."""
    H, C = np.diag(surroundings.curvatures), surroundings.covariance
    if sgd.sampling == "shuffle":
        state = stationary_covariance(H, C, sgd, "shuffle")
        return Prediction(state["epoch_mean_covariance"].values, None, state["variance_in_epoch"].values)
    exact, equation = (
        stationary_covariance(H, C, sgd, mode)["stationary_covariance"].values for mode in ("discrete", "lyapunov")
    )
    return Prediction(exact, equation, None)


def refined_prediction(surroundings: Surroundings, sgd: SGD, amplification: int) -> Array:
    """Return the covariance of SVAG, (k, k), in x^2."""
    H, C = np.diag(surroundings.curvatures), surroundings.covariance
    return np.asarray(svag_covariance(H, C, sgd, amplification)["stationary_covariance"].values)


def mean_over(points: Array, variances: Array) -> tuple[Estimate, Array, Array]:
    """Return variance over prediction: its mean over directions, and of each direction with its errors.

    Parameters
    ----------
    points
        Positions (frame, replica, k). Frames are correlated, replicas independent: all errors are between replicas.
    variances
        Prediction (frame, k).

    Returns
    -------
    tuple
        The mean with error, the ratios (k,) and their errors (k,).
    """
    count = points.shape[1]
    squares = (points - points.mean(axis=1, keepdims=True)) ** 2 * count / (count - 1)
    each = squares.mean(axis=0) / variances.mean(axis=0)
    along = each.mean(axis=1)
    root = np.sqrt(count)
    return (
        Estimate(float(along.mean()), float(along.std(ddof=1) / root)),
        each.mean(axis=0),
        each.std(axis=0, ddof=1) / root,
    )


def spread_over(points: Array, variances: Array) -> Estimate:
    """Return the root mean square over directions of variance / prediction - 1, without the bias of sampling.

    Parameters
    ----------
    points
        Positions (frame, replica, k).
    variances
        Prediction (frame, k).

    Returns
    -------
    Estimate
        Not below 0, and its error by the jackknife over groups of replicas.
    """
    return _root_of(points, lambda some: float(np.mean((mean_over(some, variances)[1] - 1) ** 2)))


def change_of(points: Array, variances: Array) -> Estimate:
    """Return the change of y^2 over its prediction, averaged over directions, from the early to the late frames.

    Each replica's y counts from the mean of all others in the late frames: so a mean that still moves counts as well,
    however far from the start, and without bias, as the error of that mean adds the same to early and late frames.

    Parameters
    ----------
    points
        Positions (frame, replica, k).
    variances
        Prediction (frame, k).

    Returns
    -------
    Estimate
        Relative to the mean of all frames, with its error between replicas; NaN for a single frame.
    """
    if len(points) < 2:
        return Estimate(float("nan"), float("nan"))
    value, error = _jackknife(points, lambda some: _change(some, variances))
    return Estimate(value, error)


def _change(points: Array, variances: Array) -> float:
    half, count = len(points) // 2, points.shape[1]
    late = points[-half:].mean(axis=0)
    others = (late.sum(axis=0) - late) / (count - 1)
    squares = np.mean((points - others) ** 2 / variances[:, None, :], axis=(1, 2))
    return float((squares[-half:].mean() - squares[:half].mean()) / squares.mean())


def ratio_of_means(above: Sequence[Array] | Array, below: Sequence[Array] | Array) -> Estimate:
    """Return the ratio of two means over frames and replicas (frame, replica), with its error between replicas."""
    a, b = (np.asarray(values).mean(axis=0) for values in (above, below))
    finite = np.isfinite(a) & np.isfinite(b)
    a, b = a[finite], b[finite]
    if len(a) < 2 or not b.mean():
        return Estimate(float("nan"), float("nan"))
    ratio = float(a.mean() / b.mean())
    return Estimate(ratio, float((a - ratio * b).std(ddof=1) / np.sqrt(len(a)) / abs(b.mean())))


def potential_distance_of(points: Array, curvatures: Array) -> Estimate:
    r"""Return how far Phi = -T ln p is from the loss f after the best scale, for a Gaussian p like the cloud.

    .. math:: d^2 = \min_{a, b} \langle (\Phi/T - a f - b)^2 \rangle
              = \frac m2 - \frac{(\mathrm{tr}\, H S)^2}{2\, \mathrm{tr}(H S H S)}

    with S the covariance along m directions of curvatures H: 0 where S is proportional to H^-1, the Gibbs state of the
    loss. It is the distance of :func:`sgdphys.analysis.potential_distance` without its grid. The bias of sampling is
    taken off by the jackknife over groups of replicas, which gives the error too.

    Parameters
    ----------
    points
        Positions (frame, replica, m).
    curvatures
        (m,), in loss/x^2.

    Returns
    -------
    Estimate
        d, not below 0, and its error.
    """
    return _root_of(points, lambda some: _squared_distance(some, curvatures))


def distance_of_covariance(covariance: Array, curvatures: Array) -> float:
    """Return the same distance of a given covariance (m, m)."""
    product = curvatures[:, None] * covariance
    squared = len(curvatures) / 2 - np.trace(product) ** 2 / (2 * np.trace(product @ product))
    return float(np.sqrt(max(squared, 0.0)))


def _jackknife(points: Array, statistic: Callable[[Array], float]) -> tuple[float, float]:
    """Return a statistic of a cloud without its bias of order 1/n, and its error, from groups of replicas left out."""
    groups = np.array_split(np.arange(points.shape[1]), min(_GROUPS, points.shape[1]))
    without = np.array([statistic(np.delete(points, group, axis=1)) for group in groups])
    count = len(groups)
    value = count * statistic(points) - (count - 1) * without.mean()
    return float(value), float(np.sqrt((count - 1) * np.mean((without - without.mean()) ** 2)))


def _root_of(points: Array, squared_of: Callable[[Array], float]) -> Estimate:
    """Return the root of a square, not below 0, with its error."""
    squared, error = _jackknife(points, squared_of)
    root = float(np.sqrt(max(squared, 0.0)))
    return Estimate(root, float(np.sqrt(root**2 + error) - root))


def _squared_distance(points: Array, curvatures: Array) -> float:
    centred = points - points.mean(axis=1, keepdims=True)
    covariance = np.einsum("fri,frj->ij", centred, centred) / (points.shape[0] * (points.shape[1] - 1))
    product = curvatures[:, None] * covariance
    return float(len(curvatures) / 2 - np.trace(product) ** 2 / (2 * np.trace(product @ product)))
