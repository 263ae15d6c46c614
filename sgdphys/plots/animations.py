"""Clouds and densities that move: pictures of their frames in one file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.animation import FFMpegWriter, PillowWriter
from matplotlib.colors import LogNorm

from sgdphys import schema
from sgdphys.checks import finite_number
from sgdphys.plots.clouds import draw_contours
from sgdphys.plots.figures import (
    BLUE,
    RED,
    coordinate_label,
    finish_legend,
    new_figure,
    output_path,
    readable_height,
    round_text,
)
from sgdphys.plots.planes import density_label, draw_plane, gibbs_depth, seen_window
from sgdphys.simulation.progress import progress_bar

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from sgdphys.protocols import Landscape

    Array = NDArray[np.float64]
    Update = Callable[[int], object]

__all__ = ["animate", "film_path"]

_SUFFIXES = (".gif", ".mp4")
_MOST_FRAMES = 400
_DECADES = 1e-4  # of the highest density of the last frame; the lightest colour of a plane
_MOST_POINTS = 3000  # of a cloud over a plane
_PALE = 0.6  # opacity of a density behind a cloud
_SAME_TIME = 1e-6


def animate(
    dataset: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    density: xr.Dataset | None = None,
    landscape: Landscape | None = None,
    frames_per_second: float = 12.0,
    dots_per_inch: int = 80,
    progress: bool | None = None,
) -> None:
    """Write a cloud, a density, or both over their time to a file.

    One coordinate: the histogram of the cloud and the line of the density. Two: points over the plane of the density.

    Parameters
    ----------
    dataset
        A cloud or a density of one or two coordinates, of 2 to 400 frames.
    path
        File to write; ``.gif``, or ``.mp4`` where the program ffmpeg is installed. One that is there is replaced.
    density
        Density of the same landscape, drawn behind a cloud at the same times.
    landscape
        Its contours are drawn (two coordinates).
    frames_per_second
        Speed; positive.
    dots_per_inch
        Resolution; a picture is about 6 by 4 inches.
    progress
        Whether to show a progress bar; None shows it in a terminal, after a second.

    Raises
    ------
    ValueError
        The path ends otherwise or its folder does not exist; ffmpeg is missing; the Dataset is neither a cloud nor a
        density, has another number of coordinates or frames; or the density does not fit the cloud.
    """
    speed: Any = finite_number("frames_per_second", frames_per_second, sign="positive")
    target = film_path(path)
    writer = (PillowWriter if target.suffix.lower() == ".gif" else FFMpegWriter)(fps=speed)
    cloud, behind = (dataset, density) if schema.is_cloud(dataset) else (None, dataset)
    if cloud is None and density is not None:
        raise ValueError("density= goes with a cloud: give the cloud first")
    _check(dataset, cloud, behind)
    dim = dataset.sizes[schema.COORDINATE] if cloud is not None else dataset["density"].ndim - 1
    figure, updates = (_line if dim == 1 else _plane)(cloud, behind, landscape)
    bar = progress_bar("animate", dataset.sizes[schema.TIME], "frame", shown=progress)
    with bar, writer.saving(figure, str(target), dots_per_inch):
        for frame, time in enumerate(dataset[schema.TIME].values):
            for update in updates:
                update(frame)
            figure.axes[0].set_title(f"t = {round_text(float(time))}", fontsize=10, loc="left")
            if frame == 0:
                figure.canvas.draw()
                figure.set_layout_engine("none")  # panels stay where they are
            writer.grab_frame()
            bar.update(1)


def film_path(path: str | os.PathLike[str]) -> Path:
    """Return where a film goes, checked before anything is computed; ValueError too for .mp4 without ffmpeg."""
    target = output_path(path, _SUFFIXES, "animation")
    if target.suffix.lower() == ".mp4" and not FFMpegWriter.isAvailable():
        raise ValueError("an .mp4 needs the program ffmpeg, which is not installed: write a .gif")
    return target


def _check(dataset: xr.Dataset, cloud: xr.Dataset | None, density: xr.Dataset | None) -> None:
    if cloud is None:
        schema.validate_density(dataset)
    frames = dataset.sizes[schema.TIME]
    if not 2 <= frames <= _MOST_FRAMES:
        raise ValueError(f"an animation takes 2 to {_MOST_FRAMES} frames, got {frames}: pick some with isel(time=...)")
    dim = dataset["density"].ndim - 1 if cloud is None else dataset.sizes[schema.COORDINATE]
    if dim > 2:
        raise ValueError(f"one or two coordinates can be animated, this Dataset has {dim}")
    if cloud is None or density is None:
        return
    schema.validate_density(density)
    if density["density"].ndim - 1 != dim:
        raise ValueError(f"the density has {density['density'].ndim - 1} coordinates, the cloud {dim}; make them agree")
    times, others = cloud[schema.TIME].values, density[schema.TIME].values
    if len(times) != len(others) or np.abs(times - others).max() > _SAME_TIME * max(1.0, float(np.abs(times).max())):
        raise ValueError("cloud and density must have the same times: evolve(times=cloud['time'])")


def _line(cloud: xr.Dataset | None, density: xr.Dataset | None, _: Landscape | None) -> tuple[Figure, list[Update]]:
    """Return the figure of one coordinate and what draws a frame into it."""
    figure, (axes,) = new_figure(width=6.0, height=3.8)
    updates: list[Update] = []
    tops: list[list[float]] = []
    if cloud is not None:
        updates.append(_histogram(axes, cloud, tops))
    if density is not None:
        updates.append(_curve(axes, density, tops))
    label = "probability density  [1/x]" if density is None else density_label(density)
    axes.set(ylabel=label, ylim=(0, max(readable_height(heights) for heights in tops)))
    finish_legend([axes])
    return figure, updates


def _histogram(axes: Axes, cloud: xr.Dataset, tops: list[list[float]]) -> Update:
    samples = [frame[np.isfinite(frame)] for frame in np.asarray(cloud["position"].values[:, :, 0], dtype=np.float64)]
    low, high = np.quantile(np.concatenate(samples), [0.0005, 0.9995])
    margin = 0.12 * (high - low) or 0.5 * abs(low) or 0.5
    bins = int(np.clip(len(samples[-1]) / 30, 12, 100))
    edges = np.linspace(low - margin, high + margin, bins + 1)
    heights = [np.histogram(frame, edges)[0] / (max(len(frame), 1) * (edges[1] - edges[0])) for frame in samples]
    tops.append([float(values.max()) for values in heights])
    stairs = axes.stairs(
        heights[0], edges, color=BLUE, fill=True, alpha=0.5, label=f"cloud of {cloud.sizes['particle']}"
    )
    axes.set(xlim=(edges[0], edges[-1]), xlabel=_name(cloud, 0))
    return lambda frame: stairs.set_data(heights[frame])


def _curve(axes: Axes, density: xr.Dataset, tops: list[list[float]]) -> Update:
    array = density["density"]
    values, name = np.asarray(array.values), str(array.dims[1])
    tops.append(values.max(axis=1).tolist())
    (line,) = axes.plot(array[name].values, values[0], color=RED, linewidth=1.6, label="density on the grid")
    if not axes.get_xlabel():
        (window,) = seen_window(list(values[1:]), [array[name].values], _DECADES)
        axes.set(xlim=window, xlabel=coordinate_label(name, array))
    return lambda frame: line.set_ydata(values[frame])


def _plane(
    cloud: xr.Dataset | None, density: xr.Dataset | None, landscape: Landscape | None
) -> tuple[Figure, list[Update]]:
    """Return the figure of two coordinates and what draws a frame into it."""
    figure, (axes,) = new_figure(width=6.0, height=4.8)
    updates: list[Update] = []
    if density is not None:
        updates.append(_mesh(figure, axes, density, opacity=1.0 if cloud is None else _PALE))
    if cloud is not None:
        updates.append(_points(axes, cloud, window_known=density is not None))
    window = [np.array(limits) for limits in (axes.get_xlim(), axes.get_ylim())]
    if landscape is not None:
        draw_contours(axes, landscape, *window, depth=None if density is None else gibbs_depth(density))
        axes.set(xlim=window[0], ylim=window[1])
    axes.grid(visible=False)
    return figure, updates


def _mesh(figure: Figure, axes: Axes, density: xr.Dataset, *, opacity: float) -> Update:
    array = density["density"]
    values = np.asarray(array.values)
    top = readable_height(values.max(axis=(1, 2)).tolist())
    norm = LogNorm(_DECADES * top, top, clip=False)
    mesh = draw_plane(axes, density, 0, norm=norm)
    mesh.set_alpha(opacity)
    figure.colorbar(mesh, ax=axes, label=density_label(density), extend="max")
    window = seen_window(list(values), [array[str(name)].values for name in array.dims[1:]], _DECADES)
    axes.set(xlim=window[0], ylim=window[1])
    return lambda frame: mesh.set_array(np.where(values[frame] > _DECADES * top, values[frame], np.nan).T)


def _points(axes: Axes, cloud: xr.Dataset, *, window_known: bool) -> Update:
    position = np.asarray(cloud["position"].values[:, :_MOST_POINTS], dtype=np.float64)
    size = 12.0 if position.shape[1] < 300 else 3.0
    x, y = position[0].T
    points = axes.scatter(x, y, s=size, color=RED if window_known else BLUE, alpha=0.5, linewidths=0)
    if not window_known:
        low, high = np.nanquantile(position.reshape(-1, 2), [0.001, 0.999], axis=0)
        margin = 0.1 * (high - low) + 1e-9
        axes.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
    axes.set(xlabel=_name(cloud, 0), ylabel=_name(cloud, 1))
    return lambda frame: points.set_offsets(position[frame])


def _name(cloud: xr.Dataset, number: int) -> str:
    names = cloud["coordinate"].values if "coordinate" in cloud.coords else range(cloud.sizes["coordinate"])
    return coordinate_label(names[number])
