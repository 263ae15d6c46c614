"""Tail index of gradient noise over draws, never over parameters, beside Gaussian noise with the same covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.checks import number_array, whole_number
from sgdphys.simulation.memory import refuse_above_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sgdphys.protocols import Array

__all__ = ["tail_index"]

_FEWEST_DRAWS = 40
_FEWEST_BLOCKS = 20  # sums of draws, for an error
_FEWEST_NULLS = 5
_SCAN = (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
_SIGNIFICANT = 4.0  # standard errors
_COPIES = 5  # of the draws, that are in memory at once
_CANCELLED = 1e-12  # of the sizes in a sum, below which nothing but rounding is left of it


def tail_index(
    draws: Any, *, block_lengths: Sequence[int] | None = None, n_null: int = 20, symmetrise: bool = False, seed: int = 0
) -> xr.Dataset:
    r"""Return the tail index alpha of noise vectors, estimated along each direction over draws, and its Gaussian null.

    .. math:: \frac{1}{\hat\alpha} = \frac{\langle \log|Y| \rangle - \langle \log|X| \rangle}{\ln K_1}

    with Y the sums of K_1 draws X of one coordinate: sums of independent alpha-stable variables grow as
    :math:`K_1^{1/\alpha}`. The draws are shuffled first, so that only independence matters and no order. Directions are
    averaged in 1/alpha; the standard error comes from the K_2 = n/K_1 blocks, which all directions share, so
    that correlated directions do not count twice. Two things tell a stable law from others: the estimate lies below
    that of Gaussian noise with the same empirical covariance, which is simulated, and does not depend on K_1. With
    finite variance it rises towards 2 as K_1 grows (Student's t with 3 degrees of freedom: 1.65, 1.74, 1.82 for sums of
    10, 100, 1000). Pooling the coordinates of a vector into one sample, as in Simsekli et al., takes unequal
    variances for heavy tails: Gaussian noise with eigenvalues 1/i then has alpha = 1.64 (sums of 10). A stable law has
    alpha <= 2; estimates above 2 (noise lighter than Gaussian, or chance) are reported as they are.

    Parameters
    ----------
    draws
        Noise vectors (draw, coordinate) with mean zero (minibatch gradients less the full gradient), independent and
        identically distributed over draws; coordinates may be correlated and of any scale, for instance projections
        on eigenvectors of the covariance or on random directions. One dimension is one coordinate.
    block_lengths
        Numbers K_1 of draws in a sum, from 2 to n/20. By default 2, 5, 10, 20, ... that leave 20 sums or more.
    n_null
        Number of simulated sets of Gaussian noise.
    symmetrise
        Take the differences of pairs of draws: half as many, without mean and skewness, of the same alpha.
    seed
        Seed of the order of the draws and of the Gaussian noise.

    Returns
    -------
    xr.Dataset
        ``tail_index_scan`` over ``block_length`` with ``_standard_error``, the mean of ``null_tail_index_scan``
        and its ``_spread``, ``tail_index_scan_z`` (positive: heavier than Gaussian); ``tail_index`` and
        ``tail_index_of_direction`` at the sum length nearest to the root of n, in the attribute ``block_length``;
        ``tail_index_rise`` to there from the shortest sums (NaN if they are the shortest); ``heavier_than_gaussian``,
        z > 4 at ``block_length``; ``stable_tail``, heavier and a rise below 4 standard errors. ``hill_index``, the tail
        exponent of the largest sqrt(n) norms of the vectors, with the same null (infinite where all are equal);
        ``left_out_directions``: those where a draw is exactly zero or the draws of a sum cancel to rounding. A
        logarithm has no value there; noise of a few values in fixed steps does so, and has no tail.

    Raises
    ------
    ValueError
        The draws are no finite numbers (draw, coordinate), fewer than 40 (80 to symmetrise), or all directions are left
        out; a block length lies out of range or ``n_null`` is below 5.
    MemoryLimitError
        Draws and Gaussian noise do not fit into memory.

    References
    ----------
    Mohammadi, Mohammadpour & Ogata 2015, Metrika 78, 549; Hill 1975, Ann. Statist. 3, 1163; Simsekli, Sagun &
    Gurbuzbalaban 2019, arXiv:1901.06053.
    """
    noise = _checked_draws(draws, symmetrise)
    lengths = _checked_lengths(block_lengths, len(noise))
    nulls = whole_number("n_null", n_null)
    if nulls < _FEWEST_NULLS:
        raise ValueError(f"n_null must be at least {_FEWEST_NULLS} for a spread, got {nulls}")
    refuse_above_memory(
        _COPIES * noise.nbytes, f"the tail index of draws of shape {noise.shape}", "project them on fewer directions"
    )
    rng = np.random.default_rng(whole_number("seed", seed, least=0))
    noise, left_out = _without_lattices(noise[rng.permutation(len(noise))], lengths)
    root = _gaussian_root(noise)
    found = _measure(noise, lengths)
    null = [_measure(rng.normal(size=(len(noise), len(root))) @ root, lengths) for _ in range(nulls)]
    main = int(np.argmin(np.abs(np.log(np.square(lengths) / len(noise)))))
    attributes = {"n_draws": len(noise), "block_length": lengths[main], "n_null": nulls, "seed": seed}
    values = _compared(found, null) | _at(found, main) | _rise(found, main)
    heavier = values["tail_index_scan_z"] > _SIGNIFICANT
    steady = abs(values["tail_index_rise"]) < _SIGNIFICANT * values["tail_index_rise_standard_error"]
    values["hill_index_standard_error"] = values["hill_index"] / int(np.sqrt(len(noise))) ** 0.5
    values |= {"heavier_than_gaussian": heavier[main], "stable_tail": heavier[main] and steady}
    values["left_out_directions"] = left_out
    variables = {
        name: (schema.BY_NAME[name].dims, np.array(value), schema.describe(name)) for name, value in values.items()
    }
    return xr.Dataset(variables, {"block_length": list(lengths)}, attributes)


@dataclass(frozen=True)
class _Measured:
    """1/alpha and its error by block length and direction, the same averaged over directions, and Hill's 1/alpha."""

    inverse: Array
    error: Array
    mean: Array
    error_of_mean: Array
    hill: float


def _checked_draws(draws: Any, symmetrise: bool) -> Array:
    noise = number_array("draws", draws)
    noise = noise[:, None] if noise.ndim == 1 else noise
    if noise.ndim != 2 or not noise.shape[1]:
        raise ValueError(f"draws must have the shape (draw, coordinate), got {noise.shape}")
    if not np.isfinite(noise).all():
        raise ValueError("draws hold NaN or infinity: a gradient is not finite")
    if symmetrise:
        half = len(noise) // 2
        noise = noise[:half] - noise[half : 2 * half]
    if len(noise) < _FEWEST_DRAWS:
        raise ValueError(
            f"the tail index needs at least {_FEWEST_DRAWS} draws, got {len(noise)}: draw more minibatches"
        )
    return noise


def _without_lattices(noise: Array, lengths: tuple[int, ...]) -> tuple[Array, int]:
    """Return the directions where no draw and no sum is zero but for rounding, and the number of the others."""
    kept = np.all(noise != 0, axis=0)
    for length in lengths:
        blocks = _blocks(noise, length)
        kept &= np.all(np.abs(blocks.sum(axis=1)) > _CANCELLED * np.abs(blocks).sum(axis=1), axis=0)
    if not kept.any():
        raise ValueError(
            "in every direction a draw is exactly zero or the draws of a sum cancel, and zero has no logarithm: such "
            "noise takes few values; project it on directions where it takes many"
        )
    return noise[:, kept], int(np.count_nonzero(~kept))


def _blocks(values: Array, length: int) -> Array:
    """Return consecutive draws in blocks (block, draw, coordinate)."""
    count = len(values) // length
    return values[: count * length].reshape(count, length, values.shape[1])


def _checked_lengths(block_lengths: Sequence[int] | None, n_draws: int) -> tuple[int, ...]:
    longest = n_draws // _FEWEST_BLOCKS
    if block_lengths is None:
        return tuple(length for length in _SCAN if length <= longest)
    lengths = tuple(sorted({whole_number("block_lengths", length) for length in np.atleast_1d(block_lengths)}))
    if not lengths or lengths[0] < 2 or lengths[-1] > longest:
        raise ValueError(
            f"block_lengths must lie between 2 and {longest}, a {_FEWEST_BLOCKS}th of the draws, got {block_lengths}"
        )
    return lengths


def _gaussian_root(noise: Array) -> Array:
    """Return R (k, d), R'R = the mean of x x': standard normal rows times R are Gaussian noise of that covariance."""
    if len(noise) < noise.shape[1]:
        return np.asarray(noise / np.sqrt(len(noise)))
    values, vectors = np.linalg.eigh(noise.T @ noise / len(noise))
    return np.asarray(np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T)


def _measure(noise: Array, lengths: tuple[int, ...]) -> _Measured:
    logs = np.log(np.abs(noise))
    rows = [_inverse_indices(noise, logs, length) for length in lengths]
    inverse, error, mean, error_of_mean = (np.array(part) for part in zip(*rows, strict=True))
    return _Measured(inverse, error, mean, error_of_mean, _hill(noise))


def _inverse_indices(noise: Array, logs: Array, length: int) -> tuple[Array, Array, float, float]:
    sums = _blocks(noise, length).sum(axis=1)
    growth = (np.log(np.abs(sums)) - _blocks(logs, length).mean(axis=1)) / np.log(length)
    together, scale = growth.mean(axis=1), 1 / np.sqrt(len(sums))
    return growth.mean(axis=0), growth.std(axis=0, ddof=1) * scale, together.mean(), together.std(ddof=1) * scale


def _hill(noise: Array) -> float:
    """Return Hill's estimate of 1/alpha from the sqrt(n) largest norms."""
    largest = np.sort(np.linalg.norm(noise, axis=1))[::-1][: int(np.sqrt(len(noise))) + 1]
    return float(np.mean(np.log(largest[:-1] / largest[-1])))


def _index(inverse: Any, error: Any) -> tuple[Array, Array]:
    """Return alpha and its error from those of 1/alpha; infinite where sums do not grow at all."""
    grows = np.asarray(inverse) > 0
    alpha = np.where(grows, 1 / np.where(grows, inverse, 1.0), np.inf)
    return alpha, error * alpha**2


def _compared(found: _Measured, null: list[_Measured]) -> dict[str, Any]:
    """Return the scan and Hill's exponent with what Gaussian noise gives; its blocks tell its spread best."""
    scan, error = _index(found.mean, found.error_of_mean)
    centre = np.mean([one.mean for one in null], axis=0)
    width = np.sqrt(np.mean([one.error_of_mean**2 for one in null], axis=0))
    null_scan, null_spread = _index(centre, width)
    hill = 1 / found.hill if found.hill > 0 else np.inf
    hills = np.array([1 / one.hill for one in null])
    spread = float(hills.std(ddof=1))
    beyond = np.sqrt(1 + 1 / len(null))
    return {
        "tail_index_scan": scan,
        "tail_index_scan_standard_error": error,
        "null_tail_index_scan": null_scan,
        "null_tail_index_scan_spread": null_spread,
        "tail_index_scan_z": (found.mean - centre) / (width * beyond),
        "null_hill_index": hills.mean(),
        "null_hill_index_spread": spread,
        "hill_index": hill,
        "hill_index_z": (hill - hills.mean()) / (spread * beyond),
    }


def _at(found: _Measured, main: int) -> dict[str, Any]:
    alpha, error = _index(found.mean[main], found.error_of_mean[main])
    directions, errors = _index(found.inverse[main], found.error[main])
    return {
        "tail_index": alpha,
        "tail_index_standard_error": error,
        "tail_index_of_direction": directions,
        "tail_index_of_direction_standard_error": errors,
    }


def _rise(found: _Measured, main: int) -> dict[str, float]:
    """Return alpha at the main sum length less that at the shortest; NaN where they are the same."""
    alphas, errors = _index(found.mean, found.error_of_mean)
    if main == 0:
        return {"tail_index_rise": np.nan, "tail_index_rise_standard_error": np.nan}
    return {
        "tail_index_rise": float(alphas[main] - alphas[0]),
        "tail_index_rise_standard_error": float(np.hypot(errors[main], errors[0])),
    }
