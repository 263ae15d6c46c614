"""The density of a cloud: counts on a grid."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.analysis.entropy_estimators import occupied_cells
from sgdphys.analysis.frames import axis_labels, finite_points, frame_count, series
from sgdphys.fokker_planck.grid import Grid

if TYPE_CHECKING:
    from sgdphys.protocols import Array

__all__ = ["fitting_grid", "histogram"]

_MOST_CELLS = 400


def histogram(cloud: xr.Dataset, grid: Grid | None = None) -> xr.Dataset:
    """Return the density of a cloud: the fraction of its particles in each cell over the cell's volume.

    Parameters
    ----------
    cloud
        ``position(time, particle, coordinate)``; particles that left for infinity are left out.
    grid
        The cells; by default one that holds all frames, with cells of Scott's width.

    Returns
    -------
    xr.Dataset
        ``density(time, x, ...)`` in 1/x^dim with its binomial ``density_standard_error``, ``mass(time)``, the fraction
        that is on the grid, and ``particle_count(time)``.

    Raises
    ------
    ValueError
        The Dataset is no cloud, or the grid has another number of axes.
    """
    frames = frame_count(cloud)
    schema.validate_cloud(cloud)
    cells = fitting_grid(cloud) if grid is None else grid
    points = [finite_points(cloud, frame) for frame in range(frames)]
    fractions = np.array([_fractions(frame, cells) for frame in points])
    sizes = np.array([len(frame) for frame in points])
    errors = np.sqrt(fractions * (1 - fractions) / np.maximum(sizes, 1)[:, None])
    result = series(cloud, {"mass": fractions.sum(axis=1), "particle_count": sizes})
    names = axis_labels(cloud)
    for name, values in {"density": fractions, "density_standard_error": errors}.items():
        shaped = (values / cells.cell_volume).reshape(frames, *cells.shape)
        result[name] = ((schema.TIME, *names), shaped, schema.describe(name))
    return result.assign_coords(dict(zip(names, cells.centres, strict=True)))


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
        raise ValueError(f"no grid fits {count} finite positions of {dim} coordinates; give grid=, of up to three axes")
    width = 3.5 * points.std(axis=0) * cloud.sizes[schema.PARTICLE] ** (-1 / (dim + 2))
    return Grid([_axis(low, high, step) for low, high, step in zip(points.min(0), points.max(0), width, strict=True)])


def _axis(low: float, high: float, width: float) -> tuple[float, float, int]:
    if low == high:
        return low - 0.5, high + 0.5, 2
    margin = 1e-9 * (high - low)
    return low - margin, high + margin, min(max(math.ceil((high - low) / width), 2), _MOST_CELLS)


def _fractions(points: Array, grid: Grid) -> Array:
    cells = occupied_cells(points, grid)
    return np.bincount(cells[cells >= 0], minlength=grid.size) / max(len(points), 1)
