"""What all pictures share: panels, colours, labels with units, bars for standard errors."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = [
    "BLUE", "GREEN", "GREY", "PURPLE", "RED", "axis_label", "changing_frames", "colour_bar", "coordinate_label",
    "error_bars", "finish_legend", "legend_below", "new_figure", "ordered_colours", "picture_path", "plain_ticks",
    "readable_height", "round_text", "save_figure", "spread_frames", "unit_text",
]  # fmt: skip

# distinct for colour-blind eyes (Okabe & Ito 2008)
BLUE, RED, GREEN, PURPLE, GREY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#555555"

_SUPERSCRIPTS = {"^2": "²", "^3": "³", "^4": "⁴"}
_LEAST_CHANGE = 0.01  # of all change; frames that differ by less are not both drawn
_FEW_DECADES = 1.5  # of a logarithmic axis, within which more than powers of ten have a number

_FORMATS = (".png", ".pdf", ".svg")


def new_figure(
    columns: int = 1, rows: int = 1, *, width: float = 4.4, height: float = 3.4, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure and its panels.

    Parameters
    ----------
    columns, rows
        Number of panels.
    width, height
        Size of one panel, in inches.
    options
        Passed to ``Figure.subplots``.

    Returns
    -------
    tuple
        The figure, and its axes row by row.
    """
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    panels: list[Axes] = list(np.ravel(figure.subplots(rows, columns, squeeze=False, **options)))
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.set_axisbelow(True)
    return figure, panels


def save_figure(figure: Figure, path: str | os.PathLike[str], *, dots_per_inch: int = 150) -> None:
    """Write the figure; the ending of the path chooses the format (png, pdf, svg).

    Parameters
    ----------
    figure
        From one of the ``draw`` functions.
    path
        File to write; an existing picture is replaced.
    dots_per_inch
        Resolution.

    Raises
    ------
    ValueError
        The path ends otherwise, or its folder does not exist.
    """
    figure.savefig(picture_path(path), dpi=dots_per_inch)


def picture_path(path: str | os.PathLike[str]) -> Path:
    """Return where a picture goes, checked before anything is computed for it.

    Parameters
    ----------
    path
        File to write.

    Returns
    -------
    Path
        The same, with ``~`` expanded.

    Raises
    ------
    ValueError
        The path ends otherwise than in png, pdf or svg, or its folder does not exist.
    """
    return output_path(path, _FORMATS, "picture")


def output_path(path: str | os.PathLike[str], endings: Sequence[str], what: str) -> Path:
    """Return a path with ``~`` expanded; raise ValueError unless it has one of the endings, in a folder that exists."""
    target = Path(path).expanduser()
    if target.suffix.lower() not in endings:
        raise ValueError(f"the {what} {str(path)!r} must end in {', '.join(endings[:-1])} or {endings[-1]}")
    if not target.parent.is_dir():
        raise ValueError(f"the folder {str(target.parent)!r} of the {what} does not exist; make it first")
    return target


def axis_label(array: xr.DataArray, text: str | None = None, symbol: str = "", *, dim: int = 1, unit: str = "1") -> str:
    """Return what stands at an axis: the meaning, the symbol and the unit of the variable.

    Parameters
    ----------
    array
        With the attributes ``units`` and ``long_name``.
    text
        Meaning; None for the long name.
    symbol
        Of the variable.
    dim
        Number of coordinates, for units that depend on it.
    unit
        Of an array that has lost its own.

    Returns
    -------
    str
        Such as ``time t  [x²/loss]``.
    """
    meaning = text or str(array.attrs.get("long_name", array.name))
    unit = unit_text(str(array.attrs.get("units") or unit), dim)
    return f"{meaning} {symbol}".rstrip() + (f"  [{unit}]" if unit != "1" else "")


def unit_text(unit: str, dim: int = 1) -> str:
    """Return a unit of the schema as it is printed, such as loss/x³ for loss/x^(dim+1) of two coordinates."""
    for text, power in {"^(dim+1)": dim + 1, "^(dim/2)": dim // 2, "^dim": dim}.items():
        unit = unit.replace(text, "" if power == 1 else f"^{power}")
    for text, superscript in _SUPERSCRIPTS.items():
        unit = unit.replace(text, superscript)
    return unit


def ordered_colours(count: int) -> NDArray[np.float64]:
    """Return colours (count, 4) from dark to light for things that have an order, such as times or temperatures."""
    return np.asarray(colormaps["viridis"](np.linspace(0.0, 0.85, max(count, 2))[:count]))


def spread_frames(n_frames: int, count: int) -> list[int]:
    """Return about ``count`` frame numbers: both ends and others in between, closer together at the beginning."""
    if n_frames <= count:
        return list(range(n_frames))
    spread = (n_frames - 1) * np.linspace(0.0, 1.0, count) ** 2
    return sorted(set(np.rint(spread).astype(int).tolist()))


def changing_frames(frames: NDArray[np.float64], count: int) -> list[int]:
    """Return up to ``count`` frame numbers: both ends, and others after equal shares of all the change.

    Parameters
    ----------
    frames
        Densities, shape (time, ...); the change from one to the next is their total variation distance.
    count
        Number of frames.

    Returns
    -------
    list
        In order.
    """
    last = len(frames) - 1
    if last < count:
        return list(range(last + 1))
    steps = np.abs(np.diff(frames, axis=0)).reshape(last, -1).sum(axis=1)
    change = np.concatenate([[0.0], np.cumsum(steps)])
    nearest = np.abs(change - np.linspace(0.0, change[-1], count)[1:-1, np.newaxis]).argmin(axis=1)
    chosen = sorted({0, last, *nearest.tolist()})
    while len(chosen) < count and (more := _between(change, chosen)) is not None:
        chosen = sorted({*chosen, more})
    return chosen


def _between(change: NDArray[np.float64], chosen: list[int]) -> int | None:
    """Return the frame that halves the largest change between chosen frames; None where none differs from its ends."""
    pairs = sorted(itertools.pairwise(chosen), key=lambda pair: change[pair[0]] - change[pair[1]])
    for first, last in pairs:
        if last - first < 2:
            continue
        middle = first + 1 + int(np.abs(change[first + 1 : last] - (change[first] + change[last]) / 2).argmin())
        if min(change[middle] - change[first], change[last] - change[middle]) > _LEAST_CHANGE * change[-1]:
            return middle
    return None


def readable_height(tops: Sequence[float]) -> float:
    """Return the height of a panel of densities; one that starts in a point is a spike and is cut."""
    ordered = sorted(tops)
    return 1.3 * ordered[-2] if len(ordered) > 1 and ordered[-1] > 4 * ordered[-2] else 1.05 * ordered[-1]


def coordinate_label(name: Any, dataset: xr.Dataset | xr.DataArray | None = None) -> str:
    """Return what stands at the axis of a coordinate, with its unit where that is not x itself."""
    known = dataset is not None and name in dataset.coords
    unit = str(dataset[name].attrs.get("units") or "x") if dataset is not None and known else "x"
    return f"coordinate {name}" + (f"  [{unit_text(unit)}]" if unit != "x" else "")


def colour_bar(figure: Figure, panels: Any, values: Any, label: str) -> NDArray[np.float64]:
    """Add a colour bar for ordered values beside the panels and return a colour (count, 4) for each of them."""
    numbers = np.asarray(values, dtype=float)
    low, high = float(numbers.min()), float(numbers.max())
    spread = high > low
    kind = LogNorm if spread and low > 0 and high > 20 * low else Normalize
    norm = kind(low, high) if spread else Normalize(low - 0.5 * abs(low), high + 0.5 * abs(high) + (low == 0))
    colours = colormaps["viridis"].resampled(256)
    figure.colorbar(ScalarMappable(norm, colours), ax=panels, label=label)
    return np.asarray(colours(norm(numbers)))


def round_text(value: float) -> str:
    """Return a number with three digits for a legend."""
    return f"{value:.3g}"


def error_bars(axes: Axes, x: Any, y: Any, error: Any | None, *, label: str, colour: Any, **options: Any) -> None:
    """Draw points with bars of one standard error, or points alone where there is none."""
    options = {"fmt": "o", "markersize": 4.5, "capsize": 2.5, "elinewidth": 1.2, **options}
    finite = None if error is None else np.nan_to_num(np.asarray(error, dtype=float))
    axes.errorbar(np.asarray(x), np.asarray(y), yerr=finite, label=label, color=colour, **options)


def finish_legend(panels: Sequence[Axes]) -> None:
    """Add a legend to each panel that has something to name."""
    for axes in panels:
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8, frameon=False)


def legend_below(figure: Figure, panel: Axes) -> None:
    """Add one legend below all panels that names what is in one of them."""
    handles, labels = panel.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower left", ncols=len(handles), fontsize=8, frameon=False)


def plain_ticks(axes: Axes) -> None:
    """Write plain numbers at a logarithmic vertical axis of few decades, and powers of ten alone at a longer one."""
    low, high = axes.get_ylim()
    axes.yaxis.set_minor_formatter(NullFormatter())
    if high < low * 10**_FEW_DECADES:
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
