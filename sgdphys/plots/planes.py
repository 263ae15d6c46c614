"""Densities of two coordinates as coloured planes: colours, windows, and what of an axis is shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LogNorm

from sgdphys import schema
from sgdphys.plots.clouds import PLANE_COLOURS
from sgdphys.plots.figures import axis_label, coordinate_label, round_text, unit_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = [
    "SHOWN", "configuration_of", "density_label", "draw_plane", "frame_title", "gibbs_depth", "seen_window",
    "temperature_of", "temperature_unit",
]  # fmt: skip

SHOWN = 1e-6  # of the highest density of a plane; below it stays white


def draw_plane(axes: Axes, density: xr.Dataset, frame: int, *, norm: LogNorm | None = None) -> QuadMesh:
    """Draw one frame of a density of two coordinates on a logarithmic scale and name the axes.

    Parameters
    ----------
    axes
        Panel to draw into.
    density
        ``density(time, x, y)``.
    frame
        Number of the frame.
    norm
        Scale of the colours; None for the six decades below the highest value of the frame.

    Returns
    -------
    QuadMesh
        What a colour bar is made of.
    """
    array = density["density"]
    cells = array.isel(time=frame).values
    norm = norm or LogNorm(SHOWN * float(cells.max()), float(cells.max()))
    shown = np.where(cells > (norm.vmin or 0.0), cells, np.nan).T
    x, y = (array[str(name)].values for name in array.dims[1:])
    axes.set(xlabel=coordinate_label(array.dims[1], array), ylabel=coordinate_label(array.dims[2], array))
    return axes.pcolormesh(x, y, shown, cmap=PLANE_COLOURS, norm=norm, rasterized=True)


def density_label(density: xr.Dataset) -> str:
    """Return what stands at an axis or a colour bar of a density, with its unit."""
    array = density["density"]
    return axis_label(array, "probability density", dim=array.ndim - 1, unit="1/x^dim")


def seen_window(frames: Sequence[Array], axes: Sequence[Array], share: float = SHOWN) -> list[Array]:
    """Return for each axis the interval that holds what is shown of all frames, at least a tenth of the grid.

    Parameters
    ----------
    frames
        Densities, shape (x, ...), each.
    axes
        Cell centres of each axis.
    share
        Of the highest value of a frame, what counts as shown.

    Returns
    -------
    list
        (low, high) of each axis.
    """
    seen = np.any([cells > share * cells.max() for cells in frames], axis=0)
    intervals = []
    for k, centres in enumerate(axes):
        others = tuple(other for other in range(seen.ndim) if other != k)
        inside = centres[seen.any(axis=others)]
        margin = 0.03 * (inside[-1] - inside[0]) + 0.05 * (centres[-1] - centres[0]) * (len(inside) < 5)
        intervals.append(np.clip([inside[0] - margin, inside[-1] + margin], centres[0], centres[-1]))
    return intervals


def configuration_of(dataset: xr.Dataset) -> dict[str, Any]:
    """Return the configuration that a Dataset carries; empty without one."""
    return dict(json.loads(dataset.attrs.get("configuration", "{}")))


def temperature_of(dataset: xr.Dataset) -> float | None:
    """Return the constant temperature of the run that made a Dataset; None where it is unknown or changes.

    Parameters
    ----------
    dataset
        Cloud or density with its configuration.

    Returns
    -------
    float or None
        T, or lr / (2 batch_size (1 - momentum)) of SGD.
    """
    configuration = configuration_of(dataset)
    temperature, sgd = configuration.get("temperature"), configuration.get("sgd")
    if isinstance(temperature, (int, float)):
        return float(temperature)
    if isinstance(sgd, dict) and {"lr", "batch_size"} <= set(sgd):
        return float(sgd["lr"] / (2 * sgd["batch_size"] * (1 - sgd.get("momentum", 0.0))))
    return None


def temperature_unit(dataset: xr.Dataset) -> str:
    """Return the unit of T: that of the time, which is x²/loss, or loss for motion with inertia at unit mass."""
    time = str(dataset[schema.TIME].attrs.get("units") or "x^2/loss")
    return unit_text(time) if time == "x^2/loss" else "loss"


def gibbs_depth(density: xr.Dataset) -> float | None:
    """Return the height in loss at which the Gibbs state fades from the picture, where the temperature is known."""
    temperature = temperature_of(density)
    return None if temperature is None else -float(np.log(SHOWN)) * temperature


def frame_title(density: xr.Dataset, frame: int) -> str:
    """Return the time of a frame in words, or that the density is stationary."""
    if configuration_of(density).get("verb") == "stationary":
        return "stationary"
    return f"t = {round_text(float(density['time'][frame]))}"
