"""Frames of a Dataset as plain arrays, and series over its time as a Dataset."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sgdphys import schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

    from sgdphys.protocols import Array

__all__ = [
    "axis_labels", "cell_centres", "cell_volume", "check_dataset", "finite_points", "frame_count", "resolution",
    "series",
]  # fmt: skip


def check_dataset(dataset: object) -> None:
    """Raise ValueError unless it is a Dataset; the message says what would be one."""
    if not isinstance(dataset, xr.Dataset):
        raise ValueError(
            "an analysis takes a Dataset from simulate, train, evolve or stationary (all of it, not its position "
            f"alone), got {type(dataset).__name__}"
        )


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
    else:
        schema.validate_cloud(dataset)
    frames = int(dataset.sizes[schema.TIME])
    if frames == 0:
        raise ValueError("the Dataset holds no frame: save some with save_at= or times=")
    return frames


def finite_points(cloud: xr.Dataset, frame: int) -> Array:
    """Return the positions (particle, coordinate) of one frame without the particles that left for infinity."""
    position = np.asarray(cloud["position"].isel(time=frame).values, dtype=np.float64)
    return position[np.isfinite(position).all(axis=1)]


def resolution(cloud: xr.Dataset, points: Array) -> float:
    """Return the distance below which the stored number format does not tell positions apart."""
    largest = np.abs(points).max(initial=0.0).astype(cloud["position"].dtype)
    return float(np.spacing(largest))


def axis_labels(dataset: xr.Dataset) -> list[str]:
    """Return the names of the coordinates: the grid axes of a density, the labels of a cloud or x, y, z."""
    if schema.is_density(dataset):
        return [str(axis) for axis in dataset["density"].dims[1:]]
    labels = dataset.coords.get(schema.COORDINATE)
    if labels is not None and labels.dtype.kind in "UO":
        return [str(label) for label in labels.values]
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
