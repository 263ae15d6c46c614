"""Frames of a Dataset as plain arrays, and series over its time as a Dataset."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.fokker_planck.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

    from sgdphys.protocols import Array

__all__ = [
    "axis_labels", "cell_centres", "cell_volume", "check_cloud", "check_dataset", "check_grid", "check_times",
    "finite_points", "frame_count", "resolution", "series",
]  # fmt: skip

_TAKEN = {schema.TIME, schema.STEP, schema.PARTICLE, schema.COORDINATE, "coordinate_2"}  # no names of grid axes


def check_dataset(dataset: object) -> None:
    """Raise ValueError unless it is a Dataset; the message says what would be one."""
    if not isinstance(dataset, xr.Dataset):
        raise ValueError(
            "an analysis takes a Dataset from simulate, train, evolve or stationary (all of it, not its position "
            f"alone), got {type(dataset).__name__}"
        )


def check_cloud(cloud: xr.Dataset) -> None:
    """Raise ValueError unless it is a cloud of one or more frames, particles and coordinates, in real numbers.

    Parameters
    ----------
    cloud
        Dataset to look at.

    Raises
    ------
    ValueError
        It is none, it is empty, or its positions or times are no real numbers.
    """
    check_dataset(cloud)
    schema.validate_cloud(cloud)
    _check_frames(cloud)
    particles, dim = cloud.sizes[schema.PARTICLE], cloud.sizes[schema.COORDINATE]
    if not (particles and dim):
        raise ValueError(f"an analysis needs one particle and one coordinate or more, got {particles} and {dim}")
    for name, array in (("position", cloud["position"]), ("the time", cloud[schema.TIME])):
        if array.dtype.kind not in "fiu":
            raise ValueError(f"{name} of a cloud must be real numbers, got {array.dtype}; use astype(float)")


def check_grid(grid: object) -> None:
    """Raise ValueError unless it is a Grid, or None."""
    if not (grid is None or isinstance(grid, Grid)):
        raise ValueError(
            f"grid must be a Grid, such as Grid([(-3, 3, 100)]) for one coordinate, got {type(grid).__name__}"
        )


def check_times(dataset: xr.Dataset) -> None:
    """Raise ValueError unless the times of the frames are finite and rise."""
    times = np.asarray(dataset[schema.TIME].values, dtype=np.float64)
    if not (np.all(np.isfinite(times)) and np.all(np.diff(times) > 0)):
        raise ValueError("the times of the frames must be finite and rise from each to the next: sort by time, and "
                         "take each frame once")  # fmt: skip


def frame_count(dataset: xr.Dataset) -> int:
    """Return the number of frames of a cloud or density; any other Dataset is refused.

    Parameters
    ----------
    dataset
        Dataset to look at.

    Returns
    -------
    int
        Length of its time.

    Raises
    ------
    ValueError
        It is no Dataset, the Dataset is neither, or has no frame.
    """
    check_dataset(dataset)
    if schema.is_density(dataset):
        schema.validate_density(dataset)
        _check_frames(dataset)
    else:
        check_cloud(dataset)
    return int(dataset.sizes[schema.TIME])


def _check_frames(dataset: xr.Dataset) -> None:
    if not dataset.sizes[schema.TIME]:
        raise ValueError("the Dataset holds no frame: save some with save_at= or times=")


def finite_points(cloud: xr.Dataset, frame: int) -> Array:
    """Return the positions (particle, coordinate) of one frame without the particles that left for infinity."""
    position = np.asarray(cloud["position"].isel(time=frame).values, dtype=np.float64)
    return position[np.isfinite(position).all(axis=1)]


def resolution(cloud: xr.Dataset, points: Array) -> float:
    """Return the distance below which the stored number format does not tell positions apart."""
    largest = np.abs(points).max(initial=0.0).astype(cloud["position"].dtype)
    return float(np.spacing(largest))


def axis_labels(dataset: xr.Dataset) -> list[str]:
    """Return the names of the coordinates: the axes of a density, the labels of a cloud, all different, or x, y, z."""
    if schema.is_density(dataset):
        return [str(axis) for axis in dataset["density"].dims[1:]]
    labels = dataset.coords.get(schema.COORDINATE)
    if labels is not None and labels.dtype.kind in "UO":
        names = [str(label) for label in labels.values]
        if len(set(names)) < len(names) or not _TAKEN.isdisjoint(names):
            raise ValueError(
                f"the names of the coordinates must differ from each other and from {', '.join(sorted(_TAKEN))}, got "
                f"{', '.join(names):.60}; use assign_coords(coordinate=[...])"
            )
        return names
    return schema.coordinate_names(int(dataset.sizes[schema.COORDINATE]))


def cell_centres(density: xr.Dataset) -> Array:
    """Return all cell centres of a density, shape (cell, coordinate), in x; the last coordinate runs fastest."""
    axes = np.meshgrid(*(density[axis].values for axis in axis_labels(density)), indexing="ij")
    return np.stack([axis.ravel() for axis in axes], axis=1)


def cell_volume(density: xr.Dataset) -> float:
    """Return the volume of a cell of a density's regular grid, in x^dim."""
    axes = (density[axis].values for axis in axis_labels(density))
    return math.prod(float(axis[-1] - axis[0]) / (len(axis) - 1) for axis in axes)


def series(
    dataset: xr.Dataset, values: Mapping[str, ArrayLike], attributes: dict[str, Any] | None = None
) -> xr.Dataset:
    """Return a Dataset of schema variables over the time of another one, with its coordinates of time and of the run.

    Parameters
    ----------
    dataset
        Dataset that the values were computed from.
    values
        Names of the schema and values, shape (time,).
    attributes
        What the values depend on, such as the method.

    Returns
    -------
    xr.Dataset
        One variable for each name.
    """
    coordinates = {name: array for name, array in dataset.coords.items() if array.dims in {(), (schema.TIME,)}}
    variables = {name: (schema.TIME, np.asarray(array), schema.describe(name)) for name, array in values.items()}
    return xr.Dataset(variables, coordinates, attributes or {})
