"""The probability current: where a stationary state flows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.analysis.entropy_estimators import occupied_cells
from sgdphys.analysis.frames import axis_labels, check_dataset, check_grid, frame_count
from sgdphys.analysis.histograms import fitting_grid
from sgdphys.analysis.paths import stationary_paths

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.analysis.paths import Paths
    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array

    Numbers = NDArray[np.int64]

__all__ = ["currents"]

_BUNDLES = 64


def currents(dataset: xr.Dataset, grid: Grid | None = None, after: float | None = None) -> xr.Dataset:
    r"""Return the probability current J(x) of a stationary cloud, or of a density that brings it.

    A displacement between two frames counts in the cell of its midpoint (Stratonovich's product), with which
    :math:`J(x) = E[\dot x \circ \delta(x - x(t))] = b p - \mathrm{div}(T D p)`. Counted where it begins it would give
    b p, the drift alone. J is averaged over a cell and smeared out over the displacements of a frame interval, to first
    order in it: save frames close enough that displacements are smaller than cells. Divided by the density it is the
    local mean velocity.

    Parameters
    ----------
    dataset
        A cloud of eight particles or more, ``position(time, particle, coordinate)``, or a density with ``current``.
    grid
        Cells for a cloud; by default some of Scott's width around the frames that count.
    after
        Time from which on a cloud is stationary, in x^2/loss; None means the middle of its times.

    Returns
    -------
    xr.Dataset
        ``current(time, x, ..., coordinate)`` and ``density(time, x, ...)`` at cell centres, each with a standard error:
        for a cloud at one time, the middle of the frames that count, with errors from the differences between
        particles; for a density at all its times, with errors of 0.

    Raises
    ------
    ValueError
        The Dataset is neither, the density has no current, too few frames or particles are left, or the grid has
        another number of axes or misses the cloud.
    """
    check_dataset(dataset)
    check_grid(grid)
    if schema.is_density(dataset):
        return _of_density(dataset)
    paths = stationary_paths(dataset, after)
    kept = dataset.isel(time=dataset["time"].values >= paths.times[0])
    cells = fitting_grid(kept) if grid is None else grid
    flows, fractions = _counted(paths, cells)
    names = axis_labels(dataset)
    coordinates = dict(zip(names, cells.centres, strict=True))
    result = xr.Dataset(coords={"time": [paths.times[[0, -1]].mean()], **coordinates, schema.COORDINATE: names})
    for name, values, own in (("current", flows, (*names, schema.COORDINATE)), ("density", fractions, tuple(names))):
        mean, error = (part.reshape(1, *cells.shape, *part.shape[1:]) for part in _mean_and_error(values))
        result[name] = ((schema.TIME, *own), mean / cells.cell_volume, schema.describe(name))
        beside = f"{name}_standard_error"
        result[beside] = ((schema.TIME, *own), error / cells.cell_volume, schema.describe(beside))
    return result.assign_attrs(frame_interval=paths.interval, particles=paths.particles)


def _of_density(density: xr.Dataset) -> xr.Dataset:
    frame_count(density)
    if "current" not in density:
        raise ValueError(
            "this density holds no current; take one from fokker_planck.evolve or stationary, which know the drift, or "
            "a cloud"
        )
    result = density[["current", "density"]]
    for name in ("current", "density"):
        beside = f"{name}_standard_error"
        result[beside] = density[beside] if beside in density else xr.zeros_like(density[name])
        result[beside].attrs = schema.describe(beside)
    return result


def _counted(paths: Paths, grid: Grid) -> tuple[Array, Array]:
    """Return displacement per time (bundle, cell, coordinate) and fraction (bundle, cell) in the cells."""
    count, dim = min(_BUNDLES, paths.particles), paths.dim
    flows, visits = np.zeros((count * grid.size, dim)), np.zeros(count * grid.size)
    bundle = np.arange(paths.particles, dtype=np.int64) * count // paths.particles
    for chosen, middle, change in paths.steps(2 * dim):
        place = _places(middle + paths.mean, bundle[chosen], grid)
        inside = place >= 0
        for i in range(dim):
            flows[:, i] += np.bincount(place[inside], change[..., i].ravel()[inside], len(flows))
        place = _places(paths.position[:, chosen] + paths.mean, bundle[chosen], grid)
        visits += np.bincount(place[place >= 0], minlength=len(visits))
    if not visits.any():
        raise ValueError(f"no particle lies on the grid {grid.axes}: give one around the cloud, or none")
    size = np.bincount(bundle)[:, np.newaxis]
    frames = visits.reshape(count, grid.size) / (size * len(paths.times))
    return flows.reshape(count, grid.size, dim) / (size[..., np.newaxis] * paths.duration), frames


def _places(points: Array, bundle: Numbers, grid: Grid) -> Numbers:
    """Return bundle * cells + cell of every point (time, particle, coordinate), flat; -1 outside."""
    cell = np.asarray(occupied_cells(points.reshape(-1, points.shape[-1]), grid), dtype=np.int64)
    offset = np.broadcast_to(bundle * grid.size, points.shape[:2]).ravel()
    return np.where(cell >= 0, cell + offset, -1)


def _mean_and_error(values: Array) -> tuple[Array, Array]:
    """Return mean and standard error over bundles of independent particles, of nearly equal size."""
    return values.mean(axis=0), values.std(axis=0, ddof=1) / len(values) ** 0.5
