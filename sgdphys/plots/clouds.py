"""Clouds of particles: against a density in one coordinate, over the landscape in two, spreads in more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LogNorm

from sgdphys import schema
from sgdphys.plots.figures import (
    BLUE,
    GREEN,
    GREY,
    PURPLE,
    RED,
    axis_label,
    coordinate_label,
    finish_legend,
    new_figure,
    ordered_colours,
    readable_height,
    round_text,
    spread_frames,
)  # fmt: skip

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from sgdphys.protocols import Landscape

    Array = NDArray[np.float64]

__all__ = ["PLANE_COLOURS", "draw_cloud", "draw_contours"]

PLANE_COLOURS = "YlGnBu"  # fades to white, so that contours stay visible where the density is small
_SHOWN_COORDINATES = 12
_PLANE_CELLS = 100  # of each axis


def draw_cloud(
    cloud: xr.Dataset,
    *,
    density: xr.Dataset | None = None,
    stationary: xr.Dataset | None = None,
    landscape: Landscape | None = None,
    frames: list[int] | None = None,
) -> Figure:
    """Draw a cloud.

    One coordinate: a histogram for each of a few frames, with the density at the same times as a line and the
    stationary one dashed. Two: the last frame over the contours of the landscape. More: the first two coordinates and
    the variance of each over time.

    Parameters
    ----------
    cloud
        ``position(time, particle, coordinate)``.
    density
        Density of the same landscape on a grid, ``density(time, x)``; drawn where its times are those of the cloud.
    stationary
        Density whose last frame is drawn dashed.
    landscape
        Its potential is drawn below (one coordinate) or as contours (two).
    frames
        Numbers of the frames to draw; None chooses.

    Returns
    -------
    Figure
        To show or to save.

    Raises
    ------
    ValueError
        The Dataset is no cloud, or a frame number does not exist.
    """
    schema.validate_cloud(cloud)
    n_frames = cloud.sizes[schema.TIME]
    for frame in frames or []:
        if not -n_frames <= frame < n_frames:
            raise ValueError(f"frame {frame} does not exist, the cloud has {n_frames}")
    dim = cloud.sizes[schema.COORDINATE]
    if dim == 1:
        return _draw_line(cloud, density, stationary, landscape, frames or spread_frames(n_frames, 4))
    chosen = (frames or [n_frames - 1])[-1]
    return _draw_plane(cloud, stationary, landscape, chosen) if dim == 2 else _draw_many(cloud, chosen)


def _draw_line(
    cloud: xr.Dataset,
    density: xr.Dataset | None,
    stationary: xr.Dataset | None,
    landscape: Landscape | None,
    frames: list[int],
) -> Figure:
    ratios = {"height_ratios": [3, 1]} if landscape is not None else {}
    figure, panels = new_figure(
        1, 2 if ratios else 1, width=6.0, height=2.6 if ratios else 3.6, sharex=True, gridspec_kw=ratios
    )
    axes = panels[0]
    samples = [_finite(cloud, frame)[:, 0] for frame in frames]
    edges = np.linspace(*_window(np.concatenate(samples)), _bins(samples[-1].size) + 1)
    colours = (BLUE, RED, GREEN, PURPLE) if len(frames) <= 4 else ordered_colours(len(frames))
    tops = []
    for sample, frame, colour in zip(samples, frames, colours, strict=False):
        time = float(cloud["time"][frame])
        heights = np.histogram(sample, edges)[0] / (len(sample) * (edges[1] - edges[0]))
        axes.stairs(heights, edges, color=colour, linewidth=1.4, label=f"cloud, t = {round_text(time)}")
        _draw_density_line(axes, density, time, colour)
        tops.append(float(heights.max()))
    if density is not None:
        axes.plot([], [], color=GREY, label="density on the grid at these times")
    if stationary is not None:
        _line(axes, stationary.isel(time=-1), color="black", linestyle="--", linewidth=1.2, label="stationary density")
        tops.append(float(stationary["density"].max()))
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, readable_height(tops)), ylabel="probability density  [1/x]")
    if landscape is not None:
        panels[1].plot(edges, landscape.potential(edges[:, None]), color=RED)
        panels[1].set(ylabel="potential  [loss]")
    panels[-1].set_xlabel(_coordinate(cloud, 0))
    finish_legend(panels)
    return figure


def _draw_density_line(axes: Axes, density: xr.Dataset | None, time: float, colour: Any) -> None:
    if density is None:
        return
    nearest = density.sel(time=time, method="nearest")
    if abs(float(nearest["time"]) - time) <= 1e-6 * max(abs(time), 1.0):
        _line(axes, nearest, color=colour, linewidth=1.6)


def _line(axes: Axes, density: xr.Dataset, **options: Any) -> None:
    array = density["density"]
    axes.plot(array[array.dims[-1]].values, array.values, **options)


def _draw_plane(cloud: xr.Dataset, stationary: xr.Dataset | None, landscape: Landscape | None, frame: int) -> Figure:
    count = 1 if stationary is None else 2
    figure, panels = new_figure(count, 1, width=5.2, height=4.2, sharex=True, sharey=True)
    points = _finite(cloud, frame)
    x, y = (np.linspace(*_window(points[:, axis]), _PLANE_CELLS + 1) for axis in (0, 1))
    histogram = np.histogram2d(points[:, 0], points[:, 1], [x, y], density=True)[0]
    shown = np.where(histogram > 0, histogram, np.nan).T
    norm = LogNorm(float(np.nanmin(shown)) / 2, float(np.nanmax(shown)))
    mesh = panels[0].pcolormesh(x, y, shown, cmap=PLANE_COLOURS, norm=norm, rasterized=True)
    figure.colorbar(mesh, ax=panels[0], label="probability density  [1/x²]")
    panels[0].set_title(f"cloud of {len(points)}, t = {round_text(float(cloud['time'][frame]))}", fontsize=10)
    if stationary is not None:
        _draw_stationary_plane(figure, panels[1], stationary, norm)
    for axes in panels:
        if landscape is not None:
            draw_contours(axes, landscape, x, y)
        axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]), xlabel=_coordinate(cloud, 0), ylabel=_coordinate(cloud, 1))
    return figure


def _draw_stationary_plane(figure: Figure, axes: Axes, stationary: xr.Dataset, norm: LogNorm) -> None:
    array = stationary["density"].isel(time=-1)
    first, second = map(str, array.dims)
    values = np.where(array.values > norm.vmin, array.values, np.nan).T
    mesh = axes.pcolormesh(
        array[first].values, array[second].values, values, cmap=PLANE_COLOURS, norm=norm, rasterized=True
    )
    figure.colorbar(mesh, ax=axes, label="probability density  [1/x²]")
    axes.set_title("stationary density on the grid", fontsize=10)


def draw_contours(
    axes: Axes,
    landscape: Landscape,
    x: Array,
    y: Array,
    *,
    levels: int = 14,
    depth: float | None = None,
    label: str = "",
) -> None:
    """Draw contours of a potential of two coordinates, closer together near its bottom.

    Parameters
    ----------
    axes
        Panel to draw into.
    landscape
        Of two coordinates.
    x, y
        Where to look, in x.
    levels
        Number of contours.
    depth
        Height of the highest above the bottom, in loss; None for one that leaves out the steepest walls.
    label
        For a legend; none without.
    """
    fine_x, fine_y = (np.linspace(values[0], values[-1], 200) for values in (x, y))
    points = np.stack([axis.ravel() for axis in np.meshgrid(fine_x, fine_y)], axis=1)
    values = landscape.potential(points).reshape(len(fine_y), len(fine_x))
    bottom, top = float(np.nanmin(values)), float(np.nanquantile(values, 0.8))
    top = top if depth is None else bottom + depth
    if not top > bottom:
        return
    heights = bottom + (top - bottom) * np.linspace(0.02, 1.0, levels) ** 1.5
    axes.contour(fine_x, fine_y, values, heights, colors=GREY, linewidths=0.6, linestyles="solid", alpha=0.6)
    if label:
        axes.plot([], [], color=GREY, linewidth=0.6, label=label)


def _draw_many(cloud: xr.Dataset, frame: int) -> Figure:
    figure, (plane, spread) = new_figure(2, 1, width=5.2, height=4.2)
    points = _finite(cloud, frame)
    windows = [_window(points[:, axis]) for axis in (0, 1)]
    plane.hist2d(
        points[:, 0],
        points[:, 1],
        bins=_bins(len(points), 2),
        range=windows,
        cmin=1,
        cmap=PLANE_COLOURS,
        rasterized=True,
    )
    plane.set(xlabel=_coordinate(cloud, 0), ylabel=_coordinate(cloud, 1))
    plane.set_title(f"cloud of {len(points)}, t = {round_text(float(cloud['time'][frame]))}", fontsize=10)
    shown = cloud["position"].isel(coordinate=slice(0, _SHOWN_COORDINATES))
    variance = np.nanvar(shown.values, axis=1)
    for k, colour in enumerate(ordered_colours(variance.shape[1])):
        spread.plot(cloud["time"].values, variance[:, k], color=colour, label=_coordinate(cloud, k))
    spread.set(xlabel=axis_label(cloud["time"], "time", "t"), ylabel="variance  [x²]", yscale="log")
    spread.legend(fontsize=7, frameon=False, ncols=2)
    return figure


def _coordinate(cloud: xr.Dataset, number: int) -> str:
    names = cloud["coordinate"].values if "coordinate" in cloud.coords else range(cloud.sizes["coordinate"])
    return coordinate_label(names[number])


def _finite(cloud: xr.Dataset, frame: int) -> Array:
    points: Array = cloud["position"].isel(time=frame).values
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        raise ValueError(f"no particle is left in frame {frame}, all went to infinity; there is nothing to draw")
    return points


def _bins(n_points: int, dim: int = 1) -> int:
    # as many bins as leave a few dozen points in each, within what can be seen
    return int(np.clip((n_points / 30) ** (1 / dim), 12, 100))


def _window(values: Array) -> tuple[float, float]:
    """Return an interval that holds all but a few of the values, with a margin."""
    low, high = (float(value) for value in np.quantile(values, [0.0005, 0.9995]))
    margin = 0.12 * (high - low) or 0.5 * abs(low) or 0.5
    return low - margin, high + margin
