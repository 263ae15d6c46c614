"""Densities with their probability current: arrows over a plane, a second panel below a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.colors import LogNorm

from sgdphys import schema
from sgdphys.plots.clouds import draw_contours
from sgdphys.plots.figures import (
    BLUE,
    RED,
    changing_frames,
    coordinate_label,
    finish_legend,
    legend_below,
    new_figure,
    ordered_colours,
    readable_height,
    round_text,
    unit_text,
)
from sgdphys.plots.planes import (
    density_label,
    draw_plane,
    frame_title,
    gibbs_depth,
    seen_window,
    temperature_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from sgdphys.protocols import Landscape

    Array = NDArray[np.float64]

__all__ = ["draw_current", "flows"]

_ARROWS = 20  # along each axis
_FAINT = 1e-4  # of the highest density; where there is less no arrow is drawn
_DECADES = 1e-3  # of the highest density; the lightest colour behind arrows
_ROUNDING = 1e-9  # of the diffusive current over one cell, below which a current is none
_PALE = 0.55  # opacity of the density behind arrows
_INVISIBLE = 0.03  # of the longest arrow
_OVERDAMPED = "loss/x^(dim+1)"  # unit of a current without inertia
_SHORT = 30  # letters beside the arrow above a plane
_LINES = 6  # frames of one coordinate
_CONTOURS = 7  # of the loss behind arrows


def draw_current(
    density: xr.Dataset,
    *,
    frame: int | Sequence[int] | None = None,
    arrows: Literal["current", "velocity"] = "current",
    landscape: Landscape | None = None,
) -> Figure:
    """Draw a density of one or two coordinates with its probability current.

    Two coordinates: arrows over the density, each the mean over a block of cells, about 20 along each axis, as long as
    the current there, or as the local velocity, which is the current over the density. One coordinate: the density of a
    few frames, and the current or velocity below, on a scale that leaves out the spike of a start in a point.

    Parameters
    ----------
    density
        ``density(time, x, ...)`` and ``current(time, x, ..., coordinate)``: from ``fokker_planck.stationary``, from
        ``fokker_planck.evolve(..., currents=True)``, or from ``analysis.currents``.
    frame
        Number of the frame, or of several, which become lines (one coordinate) or panels (two). By default the last of
        a plane, and up to 6 lines: both ends and others after equal shares of all that the density changes.
    arrows
        ``"current"``, in loss/x^(dim+1), or ``"velocity"``, in loss/x, where the density is above 1e-4 of its highest.
    landscape
        Its contours are drawn (two coordinates).

    Returns
    -------
    Figure
        To show or to save.

    Raises
    ------
    ValueError
        The Dataset is no density with a current, has more than two coordinates, or has no such frame.
    """
    schema.validate_density(density)
    dim = density["density"].ndim - 1
    if "current" not in density:
        raise ValueError("this density has no current: evolve with currents=True, or take stationary")
    if dim > 2:
        raise ValueError(f"currents of one or two coordinates can be drawn, this density has {dim}")
    if arrows not in {"current", "velocity"}:
        raise ValueError(f"arrows must be current or velocity, got {arrows!r}")
    frames = _chosen_frames(density, frame)
    return _draw_line(density, frames, arrows) if dim == 1 else _draw_planes(density, frames, arrows, landscape)


def _chosen_frames(density: xr.Dataset, frame: int | Sequence[int] | None) -> list[int]:
    """Return the numbers of the frames to draw, counted from 0."""
    count = density.sizes[schema.TIME]
    if frame is None:
        return changing_frames(density["density"].values, _LINES) if density["density"].ndim == 2 else [count - 1]
    chosen = [int(number) for number in np.atleast_1d(np.asarray(frame))]
    if not chosen:
        raise ValueError("frame must name at least one frame, got none")
    for number in chosen:
        if not -count <= number < count:
            raise ValueError(f"frame {number} does not exist, the density has {count}")
    return [number % count for number in chosen]


def flows(density: xr.Dataset) -> bool:
    """Return whether a density has a current that is more than rounding.

    Parameters
    ----------
    density
        A density.

    Returns
    -------
    bool
        Whether the current is above 1e-9 of T times the density over the width of a cell somewhere.
    """
    if "current" not in density:
        return False
    largest = float(np.nanmax(np.abs(density["current"].values), initial=0.0))
    width = max(float(density[str(axis)][1] - density[str(axis)][0]) for axis in density["density"].dims[1:])
    scale = (temperature_of(density) or 0.0) * float(density["density"].max()) / width
    return largest > _ROUNDING * scale


def _draw_line(density: xr.Dataset, frames: list[int], arrows: str) -> Figure:
    figure, (upper, lower) = new_figure(1, 2, width=6.0, height=2.7, sharex=True)
    array = density["density"]
    name = str(array.dims[1])
    colours = [BLUE] if len(frames) == 1 else ordered_colours(len(frames))
    tops, reaches = [], []
    for frame, colour in zip(frames, colours, strict=True):
        cells = array.isel(time=frame).values
        flow = _flow(density, frame, arrows)[:, 0]
        upper.plot(array[name].values, cells, color=colour, label=frame_title(density, frame))
        lower.plot(array[name].values, flow, color=colour)
        tops.append(float(cells.max()))
        reaches.append([float(find(flow, initial=0.0)) for find in (np.nanmin, np.nanmax)])
    height = readable_height(tops)
    low, high = np.transpose([reach for reach, top in zip(reaches, tops, strict=True) if top <= height])
    margin = 0.05 * float(high.max() - low.min()) or 1.0
    upper.set(ylabel=density_label(density), ylim=(0, height))
    lower.axhline(0.0, color="black", linewidth=0.8)
    lower.set(xlabel=coordinate_label(name, array), ylabel=_flow_label(density, arrows))
    lower.set_ylim(float(low.min()) - margin, float(high.max()) + margin)
    finish_legend([upper])
    return figure


def _draw_planes(density: xr.Dataset, frames: list[int], arrows: str, landscape: Landscape | None) -> Figure:
    figure, panels = new_figure(len(frames), width=6.2, height=5.2)
    for frame, axes in zip(frames, panels, strict=True):
        _draw_plane(figure, axes, density, frame, arrows, landscape)
    legend_below(figure, panels[0])
    return figure


def _draw_plane(
    figure: Figure, axes: Axes, density: xr.Dataset, frame: int, arrows: str, landscape: Landscape | None
) -> None:
    array = density["density"]
    cells = array.isel(time=frame).values
    centres = [array[str(name)].values for name in array.dims[1:]]
    window = seen_window([cells], centres, _DECADES)
    norm = LogNorm(_DECADES * float(cells.max()), float(cells.max()))
    mesh = draw_plane(axes, density, frame, norm=norm)
    mesh.set_alpha(_PALE)
    figure.colorbar(mesh, ax=axes, label=density_label(density))
    if landscape is not None:
        depth = gibbs_depth(density)
        shown: dict[str, Any] = {
            "levels": _CONTOURS,
            "depth": None if depth is None else depth / 2,
            "label": "contours of the loss",
        }
        draw_contours(axes, landscape, window[0], window[1], **shown)
    axes.set(xlim=window[0], ylim=window[1])
    axes.grid(visible=False)
    axes.set_title(frame_title(density, frame), fontsize=10, loc="left")
    draw_arrows(axes, density, frame, window, arrows)


def draw_arrows(axes: Axes, density: xr.Dataset, frame: int, window: list[Array], arrows: str = "current") -> None:
    """Draw about 20 x 20 arrows of current or velocity into a window of a plane, and one above with its value.

    Parameters
    ----------
    axes
        Panel with the density.
    density
        With ``current(time, x, y, coordinate)``.
    frame
        Number of the frame.
    window
        (low, high) of each axis.
    arrows
        ``"current"`` or ``"velocity"``.
    """
    array = density["density"]
    centres = [array[str(name)].values for name in array.dims[1:]]
    inside = [np.flatnonzero((axis >= low) & (axis <= high)) for axis, (low, high) in zip(centres, window, strict=True)]
    blocks = [max(1, round(len(cells) / _ARROWS)) for cells in inside]
    kept = [cells[: len(cells) // block * block] for cells, block in zip(inside, blocks, strict=True)]
    places = [axis[cells].reshape(-1, block).mean(1) for axis, cells, block in zip(centres, kept, blocks, strict=True)]
    probability = _block_means(array.isel(time=frame).values[np.ix_(*kept)], blocks)
    current = np.nan_to_num(density["current"].isel(time=frame).values)
    vectors = np.stack([_block_means(current[..., k][np.ix_(*kept)], blocks) for k in (0, 1)], axis=-1)
    vectors = vectors / np.maximum(probability, 1e-300)[..., np.newaxis] if arrows == "velocity" else vectors
    lengths = np.hypot(vectors[..., 0], vectors[..., 1])
    shown = probability > _FAINT * probability.max()
    longest = float(lengths[shown].max(initial=0.0))
    if not (longest > 0 and flows(density)):
        axes.set_title("no current", fontsize=9, loc="right")
        return
    shown &= lengths > _INVISIBLE * longest
    x, y = np.meshgrid(*places, indexing="ij")
    # lengths in shares of the panel's width: the longest arrow is 1.4 times as long as the arrows are apart
    quiver = axes.quiver(
        x[shown], y[shown], vectors[shown, 0], vectors[shown, 1], color=RED, pivot="middle", units="width",
        scale=longest * len(places[0]) / 1.4, width=0.0042, headwidth=4.0, headlength=4.5, headaxislength=4.0,
    )  # fmt: skip
    typical = float(f"{longest:.1g}")
    text = f"{arrows}, {round_text(typical)} {_flow_unit(density, arrows)}"
    left, size = (0.72, 9) if len(text) < _SHORT else (0.27, 8)
    axes.quiverkey(quiver, left, 1.035, typical, text, labelpos="E", fontproperties={"size": size})


def _block_means(values: Array, blocks: list[int]) -> Array:
    first, second = blocks
    shape = values.shape[0] // first, first, values.shape[1] // second, second
    return np.asarray(values.reshape(shape).mean(axis=(1, 3)))


def _flow(density: xr.Dataset, frame: int, arrows: str) -> Array:
    """Return the current or the velocity of a frame, shape (x, ..., coordinate); NaN where there is no density."""
    current = np.asarray(density["current"].isel(time=frame).values, dtype=np.float64)
    if arrows == "current":
        return current
    cells = density["density"].isel(time=frame).values[..., np.newaxis]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(cells > _FAINT * cells.max(), current / cells, np.nan)


def _flow_label(density: xr.Dataset, arrows: str) -> str:
    name = "local velocity J/p" if arrows == "velocity" else "probability current J"
    return f"{name}  [{_flow_unit(density, arrows)}]"


def _flow_unit(density: xr.Dataset, arrows: str) -> str:
    """Return the unit of a current, or that over the unit of the density, from what the Dataset says of it."""
    unit = str(density["current"].attrs.get("units") or _OVERDAMPED)
    if arrows == "velocity":
        unit = "loss/x" if unit == _OVERDAMPED else unit.rpartition(" / ")[0]
    return unit_text(unit, density["density"].ndim - 1)
