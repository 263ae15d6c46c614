"""Eigenvalues of gradient noise that few samples do not inflate: axes from half of them, variances from the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.analysis.gradient_noise_moments import checked_gram, checked_population
from sgdphys.checks import whole_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.protocols import Array

__all__ = ["cross_validated_spectrum"]

_FEWEST = 8  # samples, so that either half has some variance


def cross_validated_spectrum(
    gram: Any, n_population: int | None = None, n_splits: int = 8, seed: int = 0
) -> xr.Dataset:
    r"""Return the variances of gradient noise along its principal axes, with axes and variances from different samples.

    The eigenvalues of an empirical covariance of n samples in d dimensions spread even where the true ones do not: for
    the identity up to :math:`(1 + \sqrt{d/n})^2` (Marchenko and Pastur). Here the samples are split at random into
    halves; with X the centred gradients of one half, :math:`v_k = X' w_k / \sqrt{\lambda_k}` are its axes,

    .. math:: \hat\lambda_k = \frac{1}{n_2 - 1} \sum_{j \in \text{other half}} (v_k \cdot (g_j - \bar g))^2

    is without bias the variance v_k'C v_k along them, and everything follows from the Gram matrix. The halves change
    places, and the splits are averaged. The result is not the eigenvalue where n/2 samples do not determine the axis:
    it is what noise along the axes that were found really has, and its sums over leading modes lie below those of the
    true eigenvalues, while those of the plain ones lie above.

    Parameters
    ----------
    gram
        Scalar products g_i . g_j (n, n) of the gradients of n >= 8 samples, in loss^2/x^2; raw or centred.
    n_population
        Number N >= n of samples in the data set that the n were drawn from without replacement, for its population
        covariance, (N - 1)/N times the other. None: the samples are draws from a distribution.
    n_splits
        Number of random splits.
    seed
        Seed of the splits.

    Returns
    -------
    xr.Dataset
        Over ``mode``: ``eigenvalue`` from all samples, and ``eigenvalue_cross_validated`` with ``_standard_error``,
        from the spread of the samples' contributions and of the splits, for the modes that each half has (at most n //
        2 - 1). It is the error of the variance along the axes found; other samples would also give other axes.

    Raises
    ------
    ValueError
        The matrix is not square, symmetric and finite, has fewer than 8 rows, ``n_population`` is no whole number from
        n on, or ``n_splits`` is no positive integer.

    References
    ----------
    Marchenko & Pastur 1967, Mat. Sb. 72, 507; Abadir, Distaso & Zikes 2014, J. Econometrics 181, 165 (variances of one
    part of the sample along the axes of another).
    """
    products = checked_gram("gram", gram, squares=True)
    n = len(products)
    if n < _FEWEST:
        raise ValueError(f"gram needs at least {_FEWEST} samples to be split in halves, got {n}")
    population = checked_population(n_population, n)
    factor = 1.0 if population is None else 1 - 1 / population
    rounding = n * _precision(gram)
    rng, splits = np.random.default_rng(whole_number("seed", seed, least=0)), whole_number("n_splits", n_splits)
    sums, modes = np.zeros((n, n // 2 - 1)), n // 2 - 1
    of_split = np.zeros((splits, modes))
    for split in range(splits):
        order = rng.permutation(n)
        for axes, others in ((order[: n // 2], order[n // 2 :]), (order[n // 2 :], order[: n // 2])):
            squares = _squares_along_axes(products, axes, others, rounding)
            modes = min(modes, squares.shape[1])
            sums[others, :modes] += squares[:, :modes]
            of_split[split, :modes] += squares[:, :modes].sum(axis=0) / n
    contributions = factor * sums[:, :modes] / splits
    plain = factor * np.linalg.eigvalsh(_centred(products))[::-1][:modes] / (n - 1)
    values = {
        "eigenvalue": np.maximum(plain, 0.0),
        "eigenvalue_cross_validated": contributions.mean(axis=0),
        "eigenvalue_cross_validated_standard_error": np.sqrt(
            contributions.var(axis=0, ddof=1) / n + factor**2 * of_split[:, :modes].var(axis=0) / splits
        ),
    }
    variables = {name: (schema.MODE, array, schema.describe(name)) for name, array in values.items()}
    attributes = {"n_samples": n, "n_population": population or "infinite", "n_splits": splits, "seed": seed}
    return xr.Dataset(variables, attrs=attributes)


def _precision(gram: Any) -> float:
    """Return the rounding of the numbers as they came, which the small eigenvalues of a Gram matrix consist of."""
    given = np.asarray(gram).dtype
    return float(np.finfo(given if given.kind == "f" else np.float64).eps)


def _squares_along_axes(gram: Array, axes: NDArray[np.int64], others: NDArray[np.int64], rounding: float) -> Array:
    """Return the squared distances of the other samples from their mean along the axes, (sample, mode), unbiased."""
    values, weights = np.linalg.eigh(_centred(gram[np.ix_(axes, axes)]))
    values, weights = values[:0:-1], weights[:, :0:-1]  # the smallest belongs to the mean, which is no axis
    kept = values > rounding * max(values[0], 0.0)
    along = gram[np.ix_(others, axes)] @ (weights[:, kept] / np.sqrt(values[kept]))
    return np.asarray((along - along.mean(axis=0)) ** 2 * (len(others) / (len(others) - 1)))


def _centred(gram: Array) -> Array:
    rows = gram.mean(axis=1)
    return np.asarray(gram - rows[:, None] - rows[None, :] + rows.mean())
