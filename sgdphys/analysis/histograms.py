"""The density of a cloud: counts on a grid."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.analysis.entropy_estimators import occupied_cells
from sgdphys.analysis.frames import axis_labels, check_cloud, check_grid, series
from sgdphys.fokker_planck.grid import Grid

if TYPE_CHECKING:
    from sgdphys.protocols import Array

__all__ = ["cell_fractions", "density_of_frames", "fitting_grid", "histogram", "particle_frames"]

_MOST_CELLS = 400


def histogram(cloud: xr.Dataset, grid: Grid | None = None, *, pool: bool = False) -> xr.Dataset:
    r"""Return the density of a cloud: the fraction of its particles in each cell over the cell's volume.

    Parameters
    ----------
    cloud
        ``position(time, particle, coordinate)``; particles that left for infinity are left out.
    grid
        The cells; by default one that holds all frames, with cells of Scott's width.
    pool
        Whether to take all frames of a stationary run as one, at the last one's time. Frames of the same particle are
        not independent but particles are: with f_i, the fraction of its frames that particle i spends in a cell, the
        variance is :math:`(\langle f_i^2 \rangle - \langle f_i \rangle^2)/n`, which is binomial for one frame.
        Particles that leave for infinity are left out of all frames.

    Returns
    -------
    xr.Dataset
        ``density(time, x, ...)`` in 1/x^dim with its ``density_standard_error``, binomial unless pooled and 0 in empty
        cells, ``mass(time)``, the fraction that is on the grid, and ``particle_count(time)``.

    Raises
    ------
    ValueError
        The Dataset is no cloud, or the grid has another number of axes or misses it altogether.
    """
    check_cloud(cloud)
    check_grid(grid)
    cells = fitting_grid(cloud) if grid is None else grid
    frames = particle_frames(cloud, pool=pool)
    fractions = np.array([cell_fractions(frame.reshape(-1, frame.shape[-1]), cells) for frame in frames])
    spreads = [_spread(frame, cells, mean) for frame, mean in zip(frames, fractions, strict=True)]
    values = {"density": fractions, "density_standard_error": np.array(spreads)}
    sizes = np.array([frame.shape[1] for frame in frames])
    return density_of_frames(
        cloud, cells, {name: value / cells.cell_volume for name, value in values.items()}, sizes, pool=pool
    )


def particle_frames(cloud: xr.Dataset, *, pool: bool) -> list[Array]:
    """Return the finite positions, shape (frame, particle, coordinate), of each time, or of all frames as one.

    Parameters
    ----------
    cloud
        A cloud.
    pool
        Whether all frames become one array, without the particles that are not finite in all of them.

    Returns
    -------
    list[Array]
        One array for each time.
    """
    position = np.asarray(cloud["position"].values, dtype=np.float64)
    groups = [position] if pool else [frame[np.newaxis] for frame in position]
    return [group[:, np.isfinite(group).all(axis=(0, 2))] for group in groups]


def cell_fractions(points: Array, grid: Grid) -> Array:
    """Return the fraction of points (particle, coordinate) in each cell, shape (cell,)."""
    cells = occupied_cells(points, grid)
    return np.bincount(cells[cells >= 0], minlength=grid.size) / max(len(points), 1)


def density_of_frames(
    cloud: xr.Dataset, grid: Grid, values: dict[str, Array], sizes: Array, *, pool: bool
) -> xr.Dataset:
    """Return a density Dataset of a cloud: values (time, cell) on a grid, their sum as mass, and particle counts.

    Parameters
    ----------
    cloud
        Cloud that the values were computed from.
    grid
        The cells.
    values
        Names of the schema and arrays (time, cell); one of them is the density.
    sizes
        Particles of each time.
    pool
        Whether the only time stands for all frames of the cloud.

    Returns
    -------
    xr.Dataset
        The values over time and the axes, ``mass(time)`` and ``particle_count(time)``.

    Raises
    ------
    ValueError
        The grid misses the cloud altogether.
    """
    mass = values["density"].sum(axis=1) * grid.cell_volume
    if sizes.any() and not mass.any():
        raise ValueError(f"no particle of any frame lies on the grid {grid.axes}: give one around the cloud, or none")
    result = series(cloud.isel(time=[-1]) if pool else cloud, {"mass": mass, "particle_count": sizes})
    names = axis_labels(cloud)
    for name, array in values.items():
        result[name] = ((schema.TIME, *names), array.reshape(len(array), *grid.shape), schema.describe(name))
    pooled = {"pooled_frames": cloud.sizes[schema.TIME]} if pool else {}
    return result.assign_coords(dict(zip(names, grid.centres, strict=True))).assign_attrs(pooled)


def fitting_grid(cloud: xr.Dataset) -> Grid:
    """Return a grid around all frames of a cloud with cells of Scott's width, 3.5 sd n^(-1/(dim + 2)).

    Parameters
    ----------
    cloud
        A cloud with finite particles.

    Returns
    -------
    Grid
        The grid, of 2 to 400 cells along each axis.

    Raises
    ------
    ValueError
        The cloud has more than three coordinates or no finite particle.

    References
    ----------
    Scott 1979, Biometrika 66, 605, with his exponent for more dimensions.
    """
    position = np.asarray(cloud["position"].values, dtype=np.float64).reshape(-1, cloud.sizes[schema.COORDINATE])
    points = position[np.isfinite(position).all(axis=1)]
    count, dim = points.shape
    if dim > 3 or not count:
        raise ValueError(
            f"no grid fits {count} finite positions of {dim} coordinates; give grid=, of up to three axes, and "
            "as many coordinates, as cloud.isel(coordinate=[0, 1])"
        )
    width = 3.5 * points.std(axis=0) * cloud.sizes[schema.PARTICLE] ** (-1 / (dim + 2))
    return Grid([_axis(low, high, step) for low, high, step in zip(points.min(0), points.max(0), width, strict=True)])


def _axis(low: float, high: float, width: float) -> tuple[float, float, int]:
    if low == high:
        return low - 0.5, high + 0.5, 2
    margin = 1e-9 * (high - low)
    return low - margin, high + margin, min(max(math.ceil((high - low) / width), 2), _MOST_CELLS)


def _spread(frames: Array, grid: Grid, fractions: Array) -> Array:
    """Return the standard error of the fractions from the variation between particles, shape (cell,)."""
    count, size, _ = frames.shape
    square = fractions
    if count > 1:
        cells = np.stack([occupied_cells(frame, grid) for frame in frames])
        pairs = (np.arange(size) * grid.size + cells)[cells >= 0]
        places, visits = np.unique(pairs, return_counts=True)
        square = np.bincount(places % grid.size, (visits / count) ** 2, minlength=grid.size) / max(size, 1)
    return np.asarray(np.sqrt(np.maximum(square - fractions**2, 0.0) / max(size, 1)))
