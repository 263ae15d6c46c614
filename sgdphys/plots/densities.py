"""Densities on a grid: lines at several times in one coordinate, the last frame in two."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LogNorm

from sgdphys import schema
from sgdphys.plots.clouds import PLANE_COLOURS, draw_contours
from sgdphys.plots.figures import (
    coordinate_label,
    finish_legend,
    new_figure,
    ordered_colours,
    readable_height,
    round_text,
    spread_frames,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from sgdphys.protocols import Landscape

    Array = NDArray[np.float64]

__all__ = ["draw_density"]

_SHOWN = 1e-6  # of the highest density of a plane; below it stays white


def draw_density(
    density: xr.Dataset, *, stationary: xr.Dataset | None = None, landscape: Landscape | None = None
) -> Figure:
    """Draw a density on a grid of one or two coordinates.

    Parameters
    ----------
    density
        ``density(time, x)`` or ``density(time, x, y)``.
    stationary
        Density whose last frame is drawn dashed (one coordinate).
    landscape
        Its contours are drawn (two coordinates).

    Returns
    -------
    Figure
        To show or to save.

    Raises
    ------
    ValueError
        The Dataset is no density, or has more than two coordinates.
    """
    schema.validate_density(density)
    dim = density["density"].ndim - 1
    if dim > 2:
        raise ValueError(f"densities of one or two coordinates can be drawn, this one has {dim}")
    return _draw_lines(density, stationary) if dim == 1 else _draw_frames(density, landscape)


def _draw_lines(density: xr.Dataset, stationary: xr.Dataset | None) -> Figure:
    figure, (axes,) = new_figure(width=6.0, height=3.6)
    array = density["density"]
    name = str(array.dims[1])
    frames = spread_frames(density.sizes["time"], 6)
    tops = [float(array.isel(time=frame).max()) for frame in frames]
    for frame, colour in zip(frames, ordered_colours(len(frames)), strict=True):
        axes.plot(array[name].values, array.isel(time=frame).values, color=colour, label=_title(density, frame))
    if stationary is not None:
        last = stationary["density"].isel(time=-1)
        axes.plot(last[last.dims[0]].values, last.values, color="black", linestyle="--", label="stationary")
    axes.set(xlabel=coordinate_label(name), ylabel="probability density  [1/x]")
    axes.set_ylim(0, readable_height(tops))
    finish_legend([axes])
    return figure


def _draw_frames(density: xr.Dataset, landscape: Landscape | None) -> Figure:
    frames = spread_frames(density.sizes["time"], 3)
    figure, panels = new_figure(len(frames), 1, width=4.8, height=4.0, sharex=True, sharey=True)
    array = density["density"]
    x, y = (array[str(name)].values for name in array.dims[1:])
    values = [array.isel(time=frame).values for frame in frames]
    window = _window(values, (x, y))
    for frame, axes, cells in zip(frames, panels, values, strict=True):
        norm = LogNorm(_SHOWN * float(cells.max()), float(cells.max()))
        shown = np.where(cells > norm.vmin, cells, np.nan).T
        mesh = axes.pcolormesh(x, y, shown, cmap=PLANE_COLOURS, norm=norm, rasterized=True)
        figure.colorbar(mesh, ax=axes, label="probability density  [1/x²]")
        axes.set_title(_title(density, frame), fontsize=10)
        if landscape is not None:
            draw_contours(axes, landscape, *window, depth=_depth(density))
        axes.set(xlabel=coordinate_label(array.dims[1]), ylabel=coordinate_label(array.dims[2]))
        axes.set(xlim=window[0], ylim=window[1])
    return figure


def _window(frames: list[Array], axes: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return the intervals that hold what is shown of all frames, at least a tenth of the grid."""
    seen = np.any([cells > _SHOWN * cells.max() for cells in frames], axis=0)
    intervals = []
    for k, centres in enumerate(axes):
        inside = centres[seen.any(axis=1 - k)]
        margin = 0.03 * (inside[-1] - inside[0]) + 0.05 * (centres[-1] - centres[0]) * (len(inside) < 5)
        ends = np.clip([inside[0] - margin, inside[-1] + margin], centres[0], centres[-1])
        intervals.append(ends)
    return intervals[0], intervals[1]


def _depth(density: xr.Dataset) -> float | None:
    """Return the height in loss at which the Gibbs state fades from the picture, where the temperature is known."""
    temperature = _configuration(density).get("temperature")
    return None if temperature is None else -float(np.log(_SHOWN)) * float(temperature)


def _title(density: xr.Dataset, frame: int) -> str:
    if _configuration(density).get("verb") == "stationary":
        return "stationary"
    return f"t = {round_text(float(density['time'][frame]))}"


def _configuration(density: xr.Dataset) -> dict[str, Any]:
    return dict(json.loads(density.attrs.get("configuration", "{}")))
