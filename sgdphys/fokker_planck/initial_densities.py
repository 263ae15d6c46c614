"""What a density may start from, brought onto the cells."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.checks import number_array

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array

    Start = ArrayLike | Callable[[Array], ArrayLike] | xr.Dataset

__all__ = ["initial_density", "initial_state", "point_weights", "starting_time"]


def initial_density(start: Start, grid: Grid, names: Sequence[str]) -> Array:
    """Return a normalised density on the cells, shape (cell,), in 1/x^dim.

    Parameters
    ----------
    start
        A point (scalar or (coordinate,)), a density on the grid (its shape), a callable of points (cell, coordinate)
        that gives a density up to a factor, or a density Dataset on the same cells, whose last frame is taken.
    grid
        The cells.
    names
        Names of the grid's axes in a Dataset.

    Returns
    -------
    Array
        The density; a point becomes its linear weights on the nearest centres, which keep its mean.
    """
    if isinstance(start, xr.Dataset):
        return _normalised(_last_frame(start, grid, names), grid)
    if callable(start):
        return _normalised(np.asarray(start(grid.points()), dtype=np.float64), grid)
    values = number_array("start", start)
    if values.shape == grid.shape:
        return _normalised(values, grid)
    return point_weights(values, grid) / grid.cell_volume


def initial_state(start: Start, grid: Grid, names: Sequence[str], exits: int) -> Array:
    """Return an initial density and what the exits hold, shape (cell then exit,), in 1/x^dim.

    What a continued Dataset has lost to absorbing walls stays lost: the first exit holds it. Without exits the
    density is that of the particles still there.

    Parameters
    ----------
    start, grid, names
        As in :func:`initial_density`.
    exits
        Number of exits.

    Returns
    -------
    Array
        State; its sum times the volume of a cell is 1.
    """
    state = np.concatenate([initial_density(start, grid, names), np.zeros(exits)])
    if exits and isinstance(start, xr.Dataset) and "absorbed" in start:
        absorbed = float(start["absorbed"].values[-1])
        state *= 1 - absorbed
        state[grid.size] = absorbed / grid.cell_volume
    return state


def starting_time(start: Start) -> float:
    """Return the time that a start belongs to: that of a Dataset's last frame, else 0."""
    return float(start[schema.TIME].values[-1]) if isinstance(start, xr.Dataset) else 0.0


def point_weights(point: ArrayLike, grid: Grid) -> Array:
    """Return the weights (cell,) of linear interpolation between cell centres at a point; they sum to 1.

    Between the outermost centres and the wall the nearest centre has all the weight.

    Parameters
    ----------
    point
        Scalar (for every coordinate) or (coordinate,), in x.
    grid
        The cells.

    Returns
    -------
    Array
        Weights, not negative.

    Raises
    ------
    ValueError
        The point has another number of coordinates, is not finite or lies outside the walls.
    """
    values = np.asarray(point, dtype=np.float64)
    if values.shape not in {(), (grid.dim,)}:
        raise ValueError(f"start must be a point ({grid.dim},) or a density {grid.shape}, got shape {values.shape}")
    position = np.broadcast_to(values, (grid.dim,))
    for value, (low, high, _) in zip(position, grid.axes, strict=True):
        if not low <= value <= high:
            text = ", ".join(f"{number:.6g}" for number in position)
            raise ValueError(f"start {text} is outside the walls [{low:.6g}, {high:.6g}]; use a wider grid")
    return _linear_weights(position, grid)


def _linear_weights(position: Array, grid: Grid) -> Array:
    lower, share = [], []
    for value, (low, _, cells), spacing in zip(position, grid.axes, grid.spacing, strict=True):
        index = np.clip((value - low) / spacing - 0.5, 0.0, cells - 1.0)
        lower.append(min(int(index), cells - 2))
        share.append(index - lower[-1])
    weights = np.zeros(grid.shape)
    for corner in itertools.product((0, 1), repeat=grid.dim):
        cell = tuple(low + up for low, up in zip(lower, corner, strict=True))
        weights[cell] = np.prod([part if up else 1 - part for part, up in zip(share, corner, strict=True)])
    return weights.ravel()


def _last_frame(dataset: xr.Dataset, grid: Grid, names: Sequence[str]) -> Array:
    schema.validate_density(dataset)
    frame = dataset["density"].isel(time=-1)
    fits = frame.dims == tuple(names) and frame.shape == grid.shape
    if not fits or not all(np.allclose(frame[name], axis) for name, axis in zip(names, grid.centres, strict=True)):
        raise ValueError(f"start must be a density on the cells of this grid, got {dict(frame.sizes)}")
    return np.asarray(frame.values, dtype=np.float64)


def _normalised(values: Any, grid: Grid) -> Array:
    if values.size != grid.size:
        raise ValueError(f"start must have one value for each of {grid.size} cells, got shape {values.shape}")
    if not np.all(np.isfinite(values)) or values.min() < 0 or values.sum() <= 0:
        raise ValueError("start must be a density: finite, not negative and positive somewhere on the grid")
    flat = np.asarray(values, dtype=np.float64).ravel()
    return np.asarray(flat / (flat.sum() * grid.cell_volume))
