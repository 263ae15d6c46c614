"""Densities as Datasets of the schema."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import sgdphys
from sgdphys import schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array, Landscape, Noise
    from sgdphys.sgd import SGD

__all__ = ["axis_names", "configuration_text", "density_dataset"]


def axis_names(landscape: Landscape, grid: Grid) -> list[str]:
    """Return the names of the grid's axes: the landscape's ``coordinate_names``, else x, y, z."""
    return list(getattr(landscape, "coordinate_names", schema.coordinate_names(grid.dim)))


def configuration_text(
    verb: str,
    landscape: Landscape,
    noise: Noise | None,
    temperature: float | None,
    sgd: SGD | None,
    grid: Grid,
    **more: Any,
) -> str:
    """Return what repeats a run, as JSON text."""
    describe = getattr(landscape, "configuration", lambda: {"landscape": type(landscape).__qualname__})
    content = {
        "verb": verb,
        "landscape": describe(),
        "noise": None if noise is None else noise.configuration(),
        "temperature": temperature,
        "sgd": None if sgd is None else asdict(sgd),
        "grid": [list(axis) for axis in grid.axes],
        **more,
    }
    return json.dumps(content)


def density_dataset(
    grid: Grid, names: Sequence[str], times: Sequence[float], frames: Array, configuration: str, **series: Array
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
    for name, values in series.items():
        variables[name] = (schema.TIME, values, schema.describe(name))
    coordinates: dict[str, Any] = {schema.TIME: (schema.TIME, list(times), schema.describe(schema.TIME))}
    for name, centres in zip(names, grid.centres, strict=True):
        coordinates[name] = (name, centres, {"units": "x", "long_name": f"cell centres of coordinate {name}"})
    return xr.Dataset(variables, coordinates, schema.attributes_of(configuration, sgdphys.__version__))
