"""Sums over the displacements of particles, by cell of the starting point and by batch of independent particles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sgdphys import schema
from sgdphys.analysis.entropy_estimators import occupied_cells

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array

__all__ = ["CellSums", "batch_numbers", "displacement_sums", "even_interval", "frame_slabs"]

_MOST_BATCHES, _FEWEST_BATCHES = 128, 16
_MOST_NUMBERS = 20_000_000  # of the sums of all batches
_SLAB = 400_000  # positions that are read at once


@dataclass(frozen=True)
class CellSums:
    r"""Sums by batch and cell for linear regressions on the place within the cell.

    ``design`` (batch, cell, term, term) is the sum of v v^T with v = (1, u) and u the distance of the start from the
    cell's centre in widths of the cell; ``response`` (batch, cell, term, value) that of v times the values.
    """

    design: Array
    response: Array


def even_interval(cloud: xr.Dataset, frames: int) -> float:
    """Return the time between neighbouring frames of a cloud, in x^2/loss.

    Parameters
    ----------
    cloud
        Its times must be equally spaced.
    frames
        How many frames an estimate needs at least.

    Returns
    -------
    float
        The interval.

    Raises
    ------
    ValueError
        There are too few frames, or their times are not equally spaced.
    """
    times = np.asarray(cloud[schema.TIME].values, dtype=np.float64)
    if len(times) < max(frames, 2):
        raise ValueError(f"displacements over this lag need {max(frames, 2)} frames, the cloud has {len(times)}")
    steps = np.diff(times)
    if not (steps[0] > 0 and np.allclose(steps, steps.mean(), rtol=1e-6, atol=0)):
        raise ValueError(
            f"the frames must be equally spaced in time, got intervals from {steps.min():g} to {steps.max():g}; "
            "save with save_at=number of frames, or select frames of equal spacing"
        )
    return float(steps.mean())


def batch_numbers(frames: int, particles: int, batches: int) -> NDArray[np.int64]:
    """Return which batch each start belongs to, shape (frame, particle).

    Batches are groups of particles, which are independent; where there are fewer particles than batches, also stretches
    of time, whose displacements are uncorrelated given where they start.

    Parameters
    ----------
    frames, particles
        Number of starting frames and of particles.
    batches
        How many batches are wanted.

    Returns
    -------
    NDArray
        Numbers from 0; all are in use.
    """
    groups = min(batches, particles)
    stretches = min(max(batches // particles, 1), frames)
    group = np.arange(particles) * groups // particles
    stretch = np.arange(frames) * stretches // frames
    return np.asarray(group[None, :] + groups * stretch[:, None], dtype=np.int64)


def frame_slabs(cloud: xr.Dataset, reach: int) -> Iterator[tuple[slice, Array]]:
    """Yield consecutive starts and the positions (frame, particle, coordinate) from there to ``reach`` frames later.

    Parameters
    ----------
    cloud
        Read a slab of frames at a time.
    reach
        Frames beyond the last start that come with a slab.

    Yields
    ------
    tuple
        The slice of starting frames, and the positions of those frames and the next ``reach``.
    """
    position = cloud["position"]
    frames, particles, dim = position.shape
    length = max(_SLAB // (particles * dim), 1)
    for first in range(0, frames - reach, length):
        last = min(first + length, frames - reach)
        yield slice(first, last), np.asarray(position[first : last + reach].values, dtype=np.float64)


def displacement_sums(cloud: xr.Dataset, grid: Grid, lag: int, weights: Sequence[float], interval: float) -> CellSums:
    r"""Return the sums for the moments of displacements, extrapolated to lag zero by the given weights.

    The values of a start x_t are :math:`\sum_k w_k \Delta_k / \tau_k` and, for all pairs of coordinates i <= j,
    :math:`\sum_k w_k \Delta_{k,i} \Delta_{k,j} / 2 \tau_k`, where :math:`\Delta_k = x_{t + k \tau} - x_t` and
    :math:`\tau_k = k \tau`.

    Parameters
    ----------
    cloud
        Equally spaced frames.
    grid
        Cells of the starting points; starts elsewhere are left out.
    lag
        Frames of the shortest displacement.
    weights
        w_k, k = 1, 2, ...
    interval
        Time between frames, in x^2/loss.

    Returns
    -------
    CellSums
        Sums over all starts.
    """
    frames, particles, dim = cloud["position"].shape
    reach = lag * len(weights)
    values = dim + dim * (dim + 1) // 2
    size = grid.size * (1 + dim) * (1 + dim + values)
    batches = int(np.clip(_MOST_NUMBERS // size, _FEWEST_BATCHES, _MOST_BATCHES))
    batch = batch_numbers(frames - reach, particles, batches)
    count = int(batch.max()) + 1
    design = np.zeros((1 + dim, 1 + dim, count * grid.size))
    response = np.zeros((1 + dim, values, count * grid.size))
    for starts, positions in frame_slabs(cloud, reach):
        found = _values(positions, lag, weights, interval)
        start = positions[: len(positions) - reach].reshape(-1, dim)
        cells, place = _places(start, grid)
        kept = (cells >= 0) & np.isfinite(found).all(axis=1)
        keys = (batch[starts].ravel() * grid.size + cells)[kept]
        _add(keys, np.insert(place[kept], 0, 1.0, axis=1), found[kept], design, response)
    shaped = (
        np.moveaxis(sums.reshape(*sums.shape[:2], count, grid.size), (2, 3), (0, 1)) for sums in (design, response)
    )
    return CellSums(*shaped)


def _values(positions: Array, lag: int, weights: Sequence[float], interval: float) -> Array:
    dim = positions.shape[2]
    starts = len(positions) - lag * len(weights)
    rows, columns = np.triu_indices(dim)
    first, second = np.zeros((starts * positions.shape[1], dim)), np.zeros((starts * positions.shape[1], len(rows)))
    for number, weight in enumerate(weights, start=1):
        shift = lag * number
        with np.errstate(invalid="ignore"):  # particles at infinity
            moved = (positions[shift : shift + starts] - positions[:starts]).reshape(-1, dim)
            first += weight / (shift * interval) * moved
            second += weight / (2 * shift * interval) * (moved[:, rows] * moved[:, columns])
    return np.hstack([first, second])


def _places(points: Array, grid: Grid) -> tuple[NDArray[np.int64], Array]:
    """Return the cell of each point, -1 outside, and its distance from the centre in cell widths."""
    inside = np.isfinite(points).all(axis=1)
    cells = np.full(len(points), -1)
    cells[inside] = occupied_cells(points[inside], grid)
    widths = np.array(grid.spacing)
    scaled = (points - np.array([axis[0] for axis in grid.axes])) / widths
    with np.errstate(invalid="ignore"):
        return cells, scaled - np.minimum(np.floor(scaled), np.array(grid.shape) - 1) - 0.5


def _add(keys: NDArray[np.int64], terms: Array, values: Array, design: Array, response: Array) -> None:
    size = design.shape[2]
    for row in range(terms.shape[1]):
        for column in range(row + 1):
            total = np.bincount(keys, terms[:, row] * terms[:, column], size)
            design[row, column] += total
            if column < row:
                design[column, row] += total
        for value in range(values.shape[1]):
            response[row, value] += np.bincount(keys, terms[:, row] * values[:, value], size)
