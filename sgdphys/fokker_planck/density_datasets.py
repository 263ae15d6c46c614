"""Densities as Datasets of the schema."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import sgdphys
from sgdphys import schema
from sgdphys.schedules import as_schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array, Noise

__all__ = [
    "axis_coordinates",
    "axis_names",
    "configuration_text",
    "density_dataset",
    "warn_of_cut_off",
    "warn_of_negative",
]

_MOST_CUT_OFF = 1e-3
_MOST_NEGATIVE = 1e-3  # of the largest density


def axis_names(landscape: Any, grid: Grid) -> list[str]:
    """Return the names of the grid's axes: the landscape's ``coordinate_names``, else x, y, z."""
    return list(getattr(landscape, "coordinate_names", schema.coordinate_names(grid.dim)))


def axis_coordinates(grid: Grid, names: Sequence[str]) -> dict[str, Any]:
    """Return the cell centres of each axis, as coordinates of a Dataset."""
    return {
        name: (name, centres, {"units": "x", "long_name": f"cell centres of coordinate {name}"})
        for name, centres in zip(names, grid.centres, strict=True)
    }


def configuration_text(
    verb: str,
    landscape: Any,
    noise: Noise | None,
    temperature: Any,
    sgd: Any,
    grid: Grid,
    **more: Any,
) -> str:
    """Return what repeats a run, as JSON text."""
    describe = getattr(landscape, "configuration", lambda: {"landscape": type(landscape).__qualname__})
    content = {
        "verb": verb,
        "landscape": describe(),
        "noise": None if noise is None else _noise_written(noise),
        "temperature": _written(temperature),
        "sgd": _written(sgd),
        "grid": [list(axis) for axis in grid.axes],
        "boundaries": [list(sides) for sides in grid.sides],
        **more,
    }
    return json.dumps(content)


def _noise_written(noise: Any) -> Any:
    return getattr(noise, "configuration", lambda: {"noise": type(noise).__qualname__})()


def _written(setting: Any) -> Any:
    """Return a number as it is, settings of SGD as their fields, and a schedule or function as its configuration."""
    if setting is None or isinstance(setting, (int, float)):
        return setting
    if hasattr(setting, "configuration"):
        return setting.configuration()
    dataclass_instance = is_dataclass(setting) and not isinstance(setting, type)
    return asdict(setting) if dataclass_instance else as_schedule("temperature", setting).configuration()


def density_dataset(
    grid: Grid,
    names: Sequence[str],
    times: Sequence[float],
    frames: Array,
    configuration: str,
    current: Array | None = None,
    **series: Array,
) -> xr.Dataset:
    """Return a Density: density(time, x, ...), mass(time), boundary_mass(time) and further series over time.

    Parameters
    ----------
    grid
        The cells.
    names
        Names of the axes.
    times
        Time of each frame, in x^2/loss.
    frames
        Densities, shape (time, cell), in 1/x^dim.
    configuration
        JSON text that repeats the run.
    current
        Probability current at the cells, shape (time, cell, coordinate), where wanted.
    series
        Further variables of the schema, shape (time,).

    Returns
    -------
    xr.Dataset
        A Dataset that ``schema.validate_density`` accepts.
    """
    density = np.reshape(frames, (len(times), *grid.shape))
    cells = tuple(range(1, density.ndim))
    walls = density.copy()
    walls[(slice(None), *(slice(1, -1) for _ in grid.shape))] = 0.0
    sums = {"mass": density.sum(axis=cells), "boundary_mass": walls.sum(axis=cells)}
    series = {name: values * grid.cell_volume for name, values in sums.items()} | series
    variables: dict[str, Any] = {"density": ((schema.TIME, *names), density, schema.describe("density"))}
    if current is not None:
        shaped = np.reshape(current, (*density.shape, grid.dim))
        variables["current"] = ((schema.TIME, *names, schema.COORDINATE), shaped, schema.describe("current"))
    for name, values in series.items():
        variables[name] = (schema.TIME, values, schema.describe(name))
    coordinates: dict[str, Any] = {schema.TIME: (schema.TIME, list(times), schema.describe(schema.TIME))}
    if current is not None:
        coordinates[schema.COORDINATE] = (schema.COORDINATE, list(names))
    coordinates |= axis_coordinates(grid, names)
    return xr.Dataset(variables, coordinates, schema.attributes_of(configuration, sgdphys.__version__))


def warn_of_cut_off(frames: Array, grid: Grid) -> None:
    """Warn when more than a thousandth of the probability seems to lie beyond far walls.

    What lies beyond is estimated by going on from the last two cells geometrically; where the density does not fall
    towards the wall, what the last cells hold is told instead.

    Parameters
    ----------
    frames
        Densities, shape (time, cell), in 1/x^dim.
    grid
        The cells.
    """
    density = np.reshape(frames, (-1, *grid.shape)) * grid.cell_volume
    worst, where = 0.0, ""
    for axis in range(grid.dim):
        for side, sense in enumerate(("low", "high")):
            if grid.sides[axis][side] != "far" or grid.shape[axis] < 4:
                continue
            last, before = (_layer_mass(density, axis + 1, place if side == 0 else -1 - place) for place in (0, 1))
            beyond = np.where(last < before, last**2 / np.maximum(before - last, 1e-300), last)
            if beyond.max() > worst:
                worst, where = float(beyond.max()), f"the {sense} wall of axis {axis}, at {grid.axes[axis][side]:.6g}"
    if worst > _MOST_CUT_OFF:
        message = f"about {min(worst, 1.0):.2g} of the probability lies beyond {where}: widen the grid"
        warnings.warn(message, stacklevel=3)


def _layer_mass(density: Array, axis: int, place: int) -> Array:
    return np.asarray(density.take(place, axis=axis).reshape(len(density), -1).sum(axis=1))


def warn_of_negative(frames: Array) -> None:
    """Warn when a density falls below zero by more than a thousandth of its largest value.

    Parameters
    ----------
    frames
        Densities, shape (time, cell), in 1/x^dim.
    """
    share = -frames.min(axis=1) / frames.max(axis=1)
    worst = int(share.argmax())
    if share[worst] > _MOST_NEGATIVE:
        message = (
            f"the density falls to {frames[worst].min():.2g}, {share[worst]:.2g} of its largest value: refine the "
            "grid, start from a wider density, or take scheme='upwind'"
        )
        warnings.warn(message, stacklevel=3)
