"""Densities on a grid: lines at several times in one coordinate, the last frame in two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgdphys import schema
from sgdphys.plots.clouds import PLANE_COLOURS, draw_contours
from sgdphys.plots.figures import finish_legend, new_figure, ordered_colours, readable_height, round_text, spread_frames

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from sgdphys.protocols import Landscape

__all__ = ["draw_density"]


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
        time = float(density["time"][frame])
        axes.plot(array[name].values, array.isel(time=frame).values, color=colour, label=f"t = {round_text(time)}")
    if stationary is not None:
        last = stationary["density"].isel(time=-1)
        axes.plot(last[last.dims[0]].values, last.values, color="black", linestyle="--", label="stationary")
    axes.set(xlabel=f"coordinate {name}  [x]", ylabel="probability density  [1/x]")
    axes.set_ylim(0, readable_height(tops))
    finish_legend([axes])
    return figure


def _draw_frames(density: xr.Dataset, landscape: Landscape | None) -> Figure:
    frames = spread_frames(density.sizes["time"], 3)
    figure, panels = new_figure(len(frames), 1, width=4.8, height=4.0, sharex=True, sharey=True)
    array = density["density"]
    x, y = (array[str(name)].values for name in array.dims[1:])
    for frame, axes in zip(frames, panels, strict=True):
        values = array.isel(time=frame).values
        mesh = axes.pcolormesh(
            x, y, np.where(values > 1e-4 * values.max(), values, np.nan).T, cmap=PLANE_COLOURS, rasterized=True
        )
        figure.colorbar(mesh, ax=axes, label="probability density  [1/x²]")
        axes.set_title(f"t = {round_text(float(density['time'][frame]))}", fontsize=10)
        if landscape is not None:
            draw_contours(axes, landscape, x, y)
        axes.set(xlabel=f"coordinate {array.dims[1]}  [x]", ylabel=f"coordinate {array.dims[2]}  [x]")
    return figure
