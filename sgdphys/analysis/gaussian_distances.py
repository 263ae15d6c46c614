"""Two clouds as Gaussians: their moments by groups of particles, and how far apart they are."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from sgdphys.protocols import Array

__all__ = ["Estimate", "Moments", "grouped_moments", "jackknife", "squared_wasserstein", "symmetric_relative_entropy"]

_GROUPS = 20


@dataclass(frozen=True)
class Estimate:
    """A number, its standard error, and what the jackknife says of its bias."""

    value: float
    standard_error: float
    bias: float


@dataclass(frozen=True)
class Moments:
    """Mean (k,) over particles and frames, the covariance of that mean, and each frame's covariance (frame, k, k).

    ``relative_variance_of_mean`` is the trace of the inverse covariance times the covariance of the mean, without the
    bias that their product has because both come from the same particles.
    """

    mean: Array
    covariance_of_mean: Array
    relative_variance_of_mean: float
    covariances: Array
    count: int

    @property
    def covariance(self) -> Array:
        """Covariance (k, k), averaged over the frames; unbiased."""
        return np.asarray(self.covariances.mean(axis=0))

    @property
    def precision(self) -> Array:
        """Inverse covariance (k, k), averaged over the frames; unbiased for Gaussian particles."""
        return _precision(self.covariances, self.count)


def grouped_moments(points: Array) -> tuple[Moments, list[Moments]]:
    """Return the moments of all particles, and without each of some groups of particles.

    Parameters
    ----------
    points
        Positions (frame, particle, coordinate). Frames may be correlated, particles are independent.

    Returns
    -------
    tuple
        The moments, and those without group 0, 1, ...
    """
    count = points.shape[1]
    centre = points.mean(axis=(0, 1))
    centred = points - centre
    cuts = np.linspace(0, count, min(_GROUPS, count) + 1).round().astype(int)
    groups = [centred[:, first:last] for first, last in pairwise(cuts)]
    sums = np.array([group.sum(axis=1) for group in groups])
    products = np.array([np.einsum("fpi,fpj->fij", group, group, optimize=True) for group in groups])
    means = centred.mean(axis=0)
    covariance_of_mean = np.atleast_2d(np.cov(means, rowvar=False)) / count
    total, product = sums.sum(axis=0), products.sum(axis=0)
    sizes = np.diff(cuts)
    parts = [_moments(total - s, product - p, count - n) for s, p, n in zip(sums, products, sizes, strict=True)]
    whole = _moments(total, product, count)
    relative = _relative_variance(means, cuts, parts)
    if min(size for _, _, size in parts) <= points.shape[2] + 2:  # the others' inverse has no mean
        relative = float(np.sum(_precision(whole[1], count) * covariance_of_mean))

    def moments(part: tuple[Array, Array, int]) -> Moments:
        mean, covariances, size = part
        return Moments(centre + mean, covariance_of_mean, relative, covariances, size)

    return moments(whole), [moments(part) for part in parts]


def _moments(total: Array, product: Array, count: int) -> tuple[Array, Array, int]:
    frame_means = total / count
    outer = frame_means[:, :, None] * frame_means[:, None, :]
    return frame_means.mean(axis=0), (product - count * outer) / (count - 1), count


def _relative_variance(means: Array, cuts: Array, parts: list[tuple[Array, Array, int]]) -> float:
    # each group's particles around the mean of the others, in the others' covariance, which is independent of both
    count = len(means)
    total = 0.0
    for (first, last), (mean, covariances, others) in zip(pairwise(cuts), parts, strict=True):
        deviations = means[first:last] - mean
        squares = np.sum(deviations @ _precision(covariances, others) * deviations)
        total += float(squares) * others / (others + 1)
    return total / count**2


def _precision(covariances: Array, count: int) -> Array:
    freedom, dim = count - 1, covariances.shape[1]
    return np.asarray(np.linalg.inv(covariances).mean(axis=0) * (freedom - dim - 1) / freedom)


def jackknife(
    function: Callable[[Moments, Moments], float],
    real: tuple[Moments, list[Moments]],
    simulated: tuple[Moments, list[Moments]],
) -> Estimate:
    """Return a function of two independent clouds with its error, from leaving out groups of particles.

    Returns
    -------
    Estimate
        Value, standard error and bias.

    References
    ----------
    Efron & Tibshirani 1993, An introduction to the bootstrap, chapter 11.
    """
    value = function(real[0], simulated[0])
    left_out = (
        np.array([function(moments, simulated[0]) for moments in real[1]]),
        np.array([function(real[0], moments) for moments in simulated[1]]),
    )
    variance = sum((len(values) - 1) * float(np.var(values)) for values in left_out)
    bias = sum((len(values) - 1) * float(values.mean() - value) for values in left_out)
    return Estimate(value, float(np.sqrt(variance)), bias)


def symmetric_relative_entropy(a: Moments, b: Moments) -> float:
    r"""Return the sum of the two relative entropies of Gaussians, in nat, unbiased for Gaussian clouds.

    :math:`\frac12 \mathrm{tr}(\Sigma_a^{-1} \Sigma_b + \Sigma_b^{-1} \Sigma_a) - k +
    \frac12 \delta^T (\Sigma_a^{-1} + \Sigma_b^{-1}) \delta` with :math:`\delta` the difference of the means; the
    estimates of the inverses and of :math:`\delta \delta^T` are those without bias, and so is that of the product of
    an inverse with what the same cloud's mean scatters. Equal clouds give zero on average, and slightly negative values
    happen. A cloud of n particles in k coordinates, of which 95 % are no more than k + 2, leaves a bias of up to
    k(k + 1)/(2n(n - 1)).

    Returns
    -------
    float
        In nat.

    References
    ----------
    Jeffreys 1946, Proc. R. Soc. A 186, 453; Muirhead 1982, Aspects of multivariate statistical theory, chapter 3.
    """
    difference = a.mean - b.mean
    squared = np.outer(difference, difference)
    from_a = np.sum(a.precision * (b.covariance + squared - b.covariance_of_mean)) - a.relative_variance_of_mean
    from_b = np.sum(b.precision * (a.covariance + squared - a.covariance_of_mean)) - b.relative_variance_of_mean
    return float((from_a + from_b) / 2 - len(difference))


def squared_wasserstein(a: Moments, b: Moments) -> float:
    r"""Return the squared Wasserstein-2 distance of Gaussians.

    :math:`|\delta|^2 + \mathrm{tr}(\Sigma_a + \Sigma_b - 2 (\Sigma_a^{1/2} \Sigma_b \Sigma_a^{1/2})^{1/2})`.

    Returns
    -------
    float
        In x^2.

    References
    ----------
    Dowson & Landau 1982, J. Multivariate Anal. 12, 450.
    """
    values, vectors = np.linalg.eigh(a.covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b.covariance @ root), 0.0)).sum()
    spread = np.trace(a.covariance) + np.trace(b.covariance) - 2 * cross
    return float(np.sum((a.mean - b.mean) ** 2) + spread)
