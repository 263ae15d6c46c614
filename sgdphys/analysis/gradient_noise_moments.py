"""Size of the mean gradient and of its noise without bias, from scalar products of per-sample gradients alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.analysis.exponential_averages import scalars
from sgdphys.checks import number_array, whole_number

if TYPE_CHECKING:
    import xarray as xr

    from sgdphys.protocols import Array

__all__ = ["GramMoments", "checked_gram", "checked_population", "gram_moments", "jackknife_covariance", "noise_moments"]

_FEWEST = 4  # samples; a product of two covariances without bias needs four different ones
_ASYMMETRY = 1e-5  # of the largest entry, as products in float32 leave


@dataclass(frozen=True)
class GramMoments:
    """Estimates from a Gram matrix: numbers from all samples, or arrays (sample,) with one sample left out."""

    squared_mean: Any
    trace: Any
    squared_trace: Any
    trace_of_square: Any


def noise_moments(gram: Any, n_population: int | None = None) -> xr.Dataset:
    r"""Return the squared mean gradient, tr C and tr C^2 without bias, from the Gram matrix of per-sample gradients.

    .. math:: \widehat{|G|^2} = \frac{1}{n (n - 1)} \sum_{i \ne j} g_i \cdot g_j,\qquad
              \widehat{\mathrm{tr}\, C} = \frac1n \sum_i |g_i|^2 - \widehat{|G|^2}

    The plain :math:`|\bar g|^2` is high by tr C / n. The estimate of tr C^2 is the U-statistic of
    :math:`((g_1 - g_2) \cdot (g_3 - g_4))^2 / 4` over four different samples; the square of the empirical covariance is
    high by about (tr C)^2 / n. For a finite data set of N samples, n of which were drawn without replacement, C is the
    population covariance (1/N) sum: tr C is (N - 1)/N times the above, |G|^2 is the above plus S/N with S the trace of
    the (n - 1) covariance, and tr C^2 follows from the polykays of fourth order, whose mean over all subsets is their
    value in the whole set. At n = N all numbers are those of the data set, and the standard errors are 0.

    Parameters
    ----------
    gram
        Scalar products g_i . g_j (n, n) of the gradients of n >= 4 samples, in loss^2/x^2; raw, not centred.
    n_population
        Number N >= n of samples in the data set that the n were drawn from without replacement. None: the samples are
        independent draws from a distribution, C is its covariance.

    Returns
    -------
    xr.Dataset
        ``squared_mean_gradient``, ``noise_trace``, ``noise_trace_of_square`` and ``participation_ratio``
        (tr C)^2 / tr C^2, each with ``_standard_error``: of |G|^2 by its exact variance
        4 G'CG/n + 2 tr C^2/(n (n - 1)), of the others by the jackknife (NaN at n = 4 where tr C^2 enters), all times
        the finite-population correction. In the participation ratio, numerator and denominator have no bias; their
        ratio has one of order 1/n (3.87 is found as 4.31 from 40 Gaussian gradients with one large eigenvalue), which
        ``participation_ratio_bias`` estimates by the jackknife (.43 there) and which is not subtracted. NaN where the
        estimate of tr C^2 is not positive.

    Raises
    ------
    ValueError
        The matrix is not square, symmetric and finite, has fewer than 4 rows or a negative diagonal, or
        ``n_population`` is no whole number from n on.

    References
    ----------
    McCandlish et al. 2018, arXiv:1812.06162, appendix A.1 (|G|^2 and tr C from two batch sizes, here 1 and n).
    """
    products = checked_gram("gram", gram, squares=True)
    population = checked_population(n_population, len(products))
    all_samples, left_out = gram_moments(products, population)
    share = open_share(len(products), population)
    ratio, ratios = (_participation(moments) for moments in (all_samples, left_out))
    values = {
        "squared_mean_gradient": (all_samples.squared_mean, variance_of_squared_mean(products, population)),
        "noise_trace": (all_samples.trace, _jackknife_variance(left_out.trace, share)),
        "noise_trace_of_square": (all_samples.trace_of_square, _jackknife_variance(left_out.trace_of_square, share)),
        "participation_ratio": (ratio, _jackknife_variance(ratios, share)),
    }
    estimates = {name: float(value) for name, (value, _) in values.items()}
    errors = {f"{name}_standard_error": float(np.sqrt(variance)) for name, (_, variance) in values.items()}
    bias = (len(products) - 1) * (np.mean(ratios) - ratio) if share else 0.0
    attributes = {"n_samples": len(products), "n_population": population or "infinite"}
    return scalars(estimates | errors | {"participation_ratio_bias": float(bias)}, attributes)


def checked_gram(name: str, gram: Any, *, squares: bool = False) -> Array:
    """Return a Gram matrix as float64, or raise ValueError with what is wrong; ``squares`` stand on its diagonal."""
    matrix = number_array(name, gram)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} must be a square matrix (sample, sample), got shape {matrix.shape}")
    if len(matrix) < _FEWEST:
        raise ValueError(f"{name} needs at least {_FEWEST} samples, got {len(matrix)}")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} holds NaN or infinity: a gradient is not finite")
    if np.abs(matrix - matrix.T).max() > _ASYMMETRY * np.abs(matrix).max():
        raise ValueError(f"{name} must be symmetric, as scalar products of gradients are")
    if squares and np.diag(matrix).min() < 0:
        raise ValueError(f"the diagonal of {name} holds squared norms of gradients, got a negative entry")
    return matrix


def checked_population(n_population: Any, n_samples: int) -> int | None:
    """Return the number of samples of the data set, None for a distribution; ValueError below ``n_samples``."""
    if n_population is None:
        return None
    population = whole_number("n_population", n_population)
    if population < n_samples:
        raise ValueError(f"n_population must be at least the number of samples {n_samples}, got {population}")
    return population


def gram_moments(gram: Array, population: int | None) -> tuple[GramMoments, GramMoments]:
    """Return the estimates from all samples, and from all but each one; ``gram`` may be G H G' for symmetric H."""
    n = len(gram)
    rows = gram.sum(axis=1)
    centred = gram - (rows / n)[:, None]
    centred -= (rows / n - rows.sum() / n**2)[None, :]
    own, total = np.diag(centred), np.trace(centred)
    pairs = rows.sum() - np.trace(gram)
    full = np.array([np.vdot(centred, centred), np.sum(own**2), total**2])
    everything = _estimates(n, population, pairs, total, full)
    rest = pairs - 2 * (rows - np.diag(gram))
    return everything, _estimates(n - 1, population, rest, total - own * n / (n - 1), _left_out(centred))


def jackknife_covariance(first: Array, second: Array, share: float) -> float:
    """Return the jackknife covariance of two estimates from their values with one sample left out."""
    n = len(first)
    return float(share * (n - 1) * np.mean((first - first.mean()) * (second - second.mean())))


def open_share(n: int, population: int | None) -> float:
    """Return the share 1 - n/N of the data set that was not drawn, 1 for a distribution."""
    return 1.0 if population is None else 1.0 - n / population


def variance_of_squared_mean(gram: Array, population: int | None) -> float:
    """Return 4 G'CG/n + 2 tr C^2/(n (n - 1)), the variance of |G|^2 over pairs, without bias and not negative."""
    n = len(gram)
    others = gram.sum(axis=1) - np.diag(gram)
    squares = np.vdot(gram, gram) - np.sum(np.diag(gram) ** 2)
    chains = np.sum(others**2) - squares
    quadruples = others.sum() ** 2 - 2 * squares - 4 * chains
    triple, fourth = n * (n - 1) * (n - 2), n * (n - 1) * (n - 2) * (n - 3)
    along = chains / triple - quadruples / fourth
    square = squares / (n * (n - 1)) - 2 * chains / triple + quadruples / fourth
    share = open_share(n, population)
    return float(4 * share * max(along, 0.0) / n + 2 * share**2 * max(square, 0.0) / (n * (n - 1)))


def _participation(moments: GramMoments) -> Any:
    square = np.asarray(moments.trace_of_square)
    positive = square > 0
    return np.where(positive, moments.squared_trace / np.where(positive, square, 1.0), np.nan)


def _jackknife_variance(values: Array, share: float) -> float:
    return jackknife_covariance(values, values, share) if share else 0.0


def _left_out(centred: Array) -> Array:
    """Return sum_jk K_jk^2, sum_j K_jj^2 and (sum_j K_jj)^2, (3, sample), of the other samples, centred anew."""
    n = len(centred)
    t = 1 / (n - 1)
    own, squares = np.diag(centred), np.einsum("ij,ij->i", centred, centred)
    step = n * t
    scatter = squares.sum() - 2 * step * squares + (step * own) ** 2
    shift = t**2 * own
    norms = np.sum(own**2) + 2 * shift * own.sum() + n * shift**2 + 4 * t * centred @ own + 4 * t**2 * squares
    norms -= (own + 2 * t * own + shift) ** 2
    return np.array([scatter, norms, (own.sum() - step * own) ** 2])


def _estimates(n: int, population: int | None, pairs: Any, scatter: Any, invariants: Array) -> GramMoments:
    pair, variance = pairs / (n * (n - 1)), scatter / (n - 1)
    enough = n >= _FEWEST
    fourth = np.linalg.solve(_means_of_invariants(n), invariants) if enough else np.full_like(invariants, np.nan)
    if population is None:
        return GramMoments(pair, variance, fourth[2], fourth[1])
    whole = _means_of_invariants(population) @ fourth / population**2
    return GramMoments(pair + variance / population, variance * (1 - 1 / population), whole[2], whole[0])


def _means_of_invariants(n: int) -> Array:
    """Return the means of the three sums of :func:`_left_out` for n draws, per fourth cumulant, tr C^2 and (tr C)^2."""
    m = n - 1
    return np.array(
        [
            [m**2 / n, n * m, m],
            [m * (m**3 + 1) / n**3, 2 * m**2 / n, m**2 / n],
            [m**2 / n, 2 * m, m**2],
        ]
    )
