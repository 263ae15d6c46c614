"""Densities on a grid: lines at several times in one coordinate, the last frame in two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sgdphys import schema
from sgdphys.plots.clouds import draw_contours
from sgdphys.plots.figures import (
    changing_frames,
    coordinate_label,
    finish_legend,
    new_figure,
    ordered_colours,
    readable_height,
    spread_frames,
)
from sgdphys.plots.planes import density_label, draw_plane, frame_title, gibbs_depth, seen_window

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
    frames = changing_frames(array.values, 6)
    tops = [float(array.isel(time=frame).max()) for frame in frames]
    for frame, colour in zip(frames, ordered_colours(len(frames)), strict=True):
        axes.plot(array[name].values, array.isel(time=frame).values, color=colour, label=frame_title(density, frame))
    if stationary is not None:
        last = stationary["density"].isel(time=-1)
        axes.plot(last[last.dims[0]].values, last.values, color="black", linestyle="--", label="stationary")
    axes.set(xlabel=coordinate_label(name, array), ylabel=density_label(density))
    axes.set_ylim(0, readable_height(tops))
    finish_legend([axes])
    return figure


def _draw_frames(density: xr.Dataset, landscape: Landscape | None) -> Figure:
    frames = spread_frames(density.sizes["time"], 3)
    figure, panels = new_figure(len(frames), 1, width=4.8, height=4.0, sharex=True, sharey=True)
    array = density["density"]
    axes_of_grid = [array[str(name)].values for name in array.dims[1:]]
    window = seen_window([array.isel(time=frame).values for frame in frames], axes_of_grid)
    for frame, axes in zip(frames, panels, strict=True):
        figure.colorbar(draw_plane(axes, density, frame), ax=axes, label=density_label(density))
        axes.set_title(frame_title(density, frame), fontsize=10)
        if landscape is not None:
            draw_contours(axes, landscape, window[0], window[1], depth=gibbs_depth(density))
        axes.set(xlim=window[0], ylim=window[1])
    return figure
