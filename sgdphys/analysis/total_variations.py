"""How far a cloud or density is from a density, and how far sampling alone would put it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binom

from sgdphys import schema
from sgdphys.analysis.entropy_estimators import occupied_cells
from sgdphys.analysis.frames import axis_labels, check_dataset, frame_count, series
from sgdphys.checks import finite_number, whole_number
from sgdphys.fokker_planck.grid import Grid

if TYPE_CHECKING:
    import xarray as xr

    from sgdphys.protocols import Array

__all__ = ["grid_of", "total_variation"]

_DRAWS = 400  # of the multinomial distribution, for the spread; 3.5 percent of it
_DRAWN_CELLS = 40_000_000  # at most, over all draws
_FEWEST_EXPECTED = 5.0  # particles in a cell of the chi-square statistic
_SAME_TIME = 1e-9
_RARE = 1e-12  # expected particles in a cell
_NEGATIVE = 0.01  # probability below zero, as solvers of motion with inertia leave some, that is taken for none


def total_variation(
    dataset: xr.Dataset, reference: xr.Dataset, time: float | None = None, *, merge: int = 1
) -> xr.Dataset:
    r"""Return the total-variation distance of a cloud or density from a density, and what sampling alone would give.

    .. math:: d = \frac{1}{2} \sum_k |N_k / n - p_k|,\qquad
              \langle d \rangle_0 = \frac{1}{2 n} \sum_k \langle |N_k - n p_k| \rangle

    p_k is the reference's probability of cell k and N_k the number of the n particles in it; all that lies outside the
    grid is one more cell, whose probability is what the reference lacks to one. The mean under the hypothesis that the
    particles are independent draws from the reference is exact (De Moivre's mean deviation of binomial counts; for many
    particles :math:`\sum_k \sqrt{2 p_k (1 - p_k) / \pi n} / 2`); its standard deviation comes from draws of the
    multinomial distribution with a fixed seed.

    Parameters
    ----------
    dataset
        A cloud, or a density on the grid of the reference. Particles that left for infinity lie outside the grid; those
        of a periodic landscape have to be wrapped into it first.
    reference
        A density. Where it has several frames, frames of equal time are compared; a single one serves all times.
    time
        The time of the only frame to compare, in x^2/loss; by default all frames of ``dataset``.
    merge
        Number of neighbouring cells along each axis that are taken together. Fewer cells see smaller differences.

    Returns
    -------
    xr.Dataset
        Over time: ``total_variation`` and its standard error, the standard deviation under the hypothesis (0 for
        a density). For a cloud also ``expected_total_variation``, the mean under the hypothesis, and
        ``total_variation_z``, the excess over it in standard errors, close to normal for many cells; ``chi_square``,
        the sum of (N_k - n p_k)^2 / (n p_k) in which cells that expect fewer than 5 particles are one,
        ``degrees_of_freedom`` and ``chi_square_z``, its excess over its exact mean in its exact standard deviation;
        ``particle_count``. A density fitted to finite data has errors of its own, which z does not know.

    Raises
    ------
    ValueError
        The reference is no density or negative, the axes differ, a time has no frame, or ``merge`` is no positive
        integer.

    References
    ----------
    Diaconis & Zabell 1991, Statistical Science 6, 284 (De Moivre's formula).
    """
    merge = whole_number("merge", merge)
    pairs = _frame_pairs(dataset, reference, time)
    if schema.is_density(dataset):
        _check_same_grid(dataset, reference)
        rows = [
            _between_densities(_cells(dataset, mine, merge), _cells(reference, other, merge)) for mine, other in pairs
        ]
    else:
        rows = [
            _of_counts(_counts(dataset, mine, grid_of(reference), merge), _cells(reference, other, merge))
            for mine, other in pairs
        ]
    values = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return series(dataset.isel(time=[mine for mine, _ in pairs]), values, {"merge": merge})


def grid_of(density: xr.Dataset) -> Grid:
    """Return the grid of a density's cell centres, which are equally spaced.

    Parameters
    ----------
    density
        ``density(time, x, ...)`` with two or more cells along each axis.

    Returns
    -------
    Grid
        The cells.
    """
    axes = []
    for name in axis_labels(density):
        centres = np.asarray(density[name].values, dtype=np.float64)
        half = (centres[-1] - centres[0]) / (len(centres) - 1) / 2
        axes.append((centres[0] - half, centres[-1] + half, len(centres)))
    return Grid(axes)


def _frame_pairs(dataset: xr.Dataset, reference: xr.Dataset, time: float | None) -> list[tuple[int, int]]:
    frame_count(dataset)
    check_dataset(reference)
    if not schema.is_density(reference):
        raise ValueError("the reference must be a density on a grid: evolve, stationary or analysis.histogram make one")
    frame_count(reference)
    times = dataset[schema.TIME].values
    frames = range(len(times)) if time is None else [_frame_at(times, finite_number("time", time), "the Dataset")]
    known = reference[schema.TIME].values
    if len(known) == 1:
        return [(frame, 0) for frame in frames]
    return [(frame, _frame_at(known, float(times[frame]), "the reference")) for frame in frames]


def _frame_at(times: Array, time: float, owner: str) -> int:
    nearest = int(np.argmin(np.abs(times - time)))
    if abs(times[nearest] - time) > _SAME_TIME * max(1.0, abs(time)):
        raise ValueError(f"{owner} has no frame at time {time:g}, the nearest is at {times[nearest]:g}; give time=")
    return nearest


def _check_same_grid(dataset: xr.Dataset, reference: xr.Dataset) -> None:
    mine, other = grid_of(dataset), grid_of(reference)
    near = mine.shape == other.shape and np.allclose(mine.axes, other.axes, rtol=1e-9, atol=1e-9 * max(mine.spacing))
    if not near:
        raise ValueError(f"the two densities must share their grid, got {mine.axes} and {other.axes}")


def _cells(density: xr.Dataset, frame: int, merge: int) -> Array:
    """Return the probabilities of the merged cells and, last, of what lies outside."""
    inside = _merged(density["density"].values[frame] * grid_of(density).cell_volume, merge)
    return np.append(inside, max(1.0 - inside.sum(), 0.0))


def _counts(cloud: xr.Dataset, frame: int, grid: Grid, merge: int) -> Array:
    """Return how many particles lie in the merged cells and, last, outside."""
    points = np.asarray(cloud["position"].isel(time=frame).values, dtype=np.float64)
    finite = points[np.isfinite(points).all(axis=1)]
    cells = occupied_cells(finite, grid)
    inside = np.bincount(cells[cells >= 0], minlength=grid.size).astype(np.float64)
    return np.append(_merged(inside.reshape(grid.shape), merge), len(points) - inside.sum())


def _merged(values: Array, merge: int) -> Array:
    for axis, length in enumerate(values.shape):
        values = np.add.reduceat(values, np.arange(0, length, merge), axis=axis)
    return values.ravel()


def _between_densities(first: Array, second: Array) -> dict[str, float]:
    return {"total_variation": 0.5 * float(np.abs(first - second).sum()), "total_variation_standard_error": 0.0}


def _of_counts(counts: Array, weights: Array) -> dict[str, float]:
    below = -float(np.minimum(weights, 0.0).sum())
    if below > _NEGATIVE:
        raise ValueError(f"the reference holds the negative probability {-below:.3g}: solve it with smaller steps")
    probabilities = np.maximum(weights, 0.0) / np.maximum(weights, 0.0).sum()
    size = int(counts.sum())
    distance = 0.5 * float(np.abs(counts / size - probabilities).sum())
    expected = 0.5 * float(_mean_deviations(size, probabilities).sum()) / size
    spread = _spread(size, probabilities.tobytes())
    return {
        "total_variation": distance,
        "total_variation_standard_error": spread,
        "expected_total_variation": expected,
        "total_variation_z": (distance - expected) / spread if spread else np.nan,
        **_chi_square(counts, size * probabilities),
        "particle_count": size,
    }


def _mean_deviations(size: int, probabilities: Array) -> Array:
    """Return E|N - n p| of binomial counts: 2 m (1 - p) P(N = m) with m = floor(n p) + 1."""
    above = np.floor(size * probabilities) + 1
    inside = np.clip(probabilities, 0.0, 1.0)
    plain = (size * inside > _RARE) & (inside < 1)  # smaller ones overflow inside scipy, and give 2 n p
    chance = binom.pmf(np.minimum(above, size), size, np.where(plain, inside, 0.5))
    rare = np.where(inside < 1, 2 * size * inside, 0.0)
    return np.where(plain, 2 * above * (1 - inside) * chance, rare)


@functools.lru_cache(maxsize=16)
def _spread(size: int, packed: bytes) -> float:
    """Return the standard deviation of the distance of ``size`` independent draws from the probabilities."""
    probabilities = np.frombuffer(packed)
    generator = np.random.default_rng(0)
    draws = max(min(_DRAWS, _DRAWN_CELLS // len(probabilities)), 20)
    drawn = [np.abs(generator.multinomial(size, probabilities) / size - probabilities).sum() for _ in range(draws)]
    return 0.5 * float(np.std(drawn, ddof=1))


def _chi_square(counts: Array, expected: Array) -> dict[str, float]:
    """Return Pearson's statistic; its mean is K - 1, its variance 2 (K - 1) + sum 1/(n p) - (K^2 + 2 K - 2) / n."""
    counts, expected = _pooled(counts, expected)
    cells, size = len(counts), expected.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(counts == expected, 0.0, (counts - expected) ** 2 / expected)
    spread = np.sqrt(2 * (cells - 1) + np.sum(1 / expected) - (cells**2 + 2 * cells - 2) / size)
    value = float(terms.sum())
    z = (value - (cells - 1)) / spread if cells > 1 else np.nan
    return {"chi_square": value, "degrees_of_freedom": cells - 1, "chi_square_z": float(z)}


def _pooled(counts: Array, expected: Array) -> tuple[Array, Array]:
    """Return counts and expectations with all cells of too few particles as one, joined by the next smallest."""
    order = np.argsort(expected)
    total = np.cumsum(expected[order])
    sparse = int(np.count_nonzero(expected < _FEWEST_EXPECTED))
    if sparse and total[sparse - 1] < _FEWEST_EXPECTED:
        sparse = min(sparse + 1, len(order))
    if not sparse:
        return counts, expected
    first, rest = order[:sparse], order[sparse:]
    return np.append(counts[rest], counts[first].sum()), np.append(expected[rest], expected[first].sum())
