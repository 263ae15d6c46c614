"""Entropy, mean potential, free energy and relative entropy over time: of one Dataset, or of several in one picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.plots.figures import (
    BLUE,
    GREEN,
    GREY,
    PURPLE,
    RED,
    axis_label,
    error_bars,
    finish_legend,
    new_figure,
    ordered_colours,
    plain_ticks,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["draw_energies"]

_QUANTITIES = {
    "entropy": ("entropy", "H", BLUE),
    "mean_potential": ("mean potential", "E[Φ]", RED),
    "free_energy": ("free energy", "F", GREEN),
    "relative_entropy": ("relative entropy to stationary", "KL", GREY),
}
_SEEN = 2.0  # standard errors that a relative entropy must have for a place on a logarithmic axis
_LOWEST = 1e-12  # of the highest relative entropy; below it is rounding
_FLOOR = 0.5  # of the smallest standard error, where a logarithmic axis ends


def draw_energies(energies: xr.Dataset | Mapping[str, xr.Dataset], *, reference: xr.Dataset | None = None) -> Figure:
    """Draw what of entropy, mean potential, free energy and relative entropy a Dataset holds, over time.

    The relative entropy has a logarithmic axis, so that a mode that decays at the rate r is a straight line of slope
    -2 r. Of a cloud it is drawn where it is above 2 of its standard errors, and the axis ends near the smallest of
    them. Frames without a finite value, such as those of a start in a point, are left out.

    Parameters
    ----------
    energies
        Variables of the schema over ``time``, as from ``analysis.free_energy``, with their standard errors where they
        have one; or several such Datasets by name, for one picture: those without errors, of grids, become lines,
        those with errors, of clouds, points with bars of one standard error.
    reference
        The same from a grid, drawn as a line without errors beside a single Dataset.

    Returns
    -------
    Figure
        A panel for each quantity.

    Raises
    ------
    ValueError
        A Dataset holds none of them, or there is none.
    """
    several = isinstance(energies, Mapping) and not hasattr(energies, "sizes")
    datasets: dict[str, xr.Dataset] = dict(energies) if several else {"": energies}  # type: ignore[arg-type,dict-item]
    held = [name for name in _QUANTITIES if any(_holds(dataset, name) for dataset in datasets.values())]
    empty = [label for label, dataset in datasets.items() if not any(_holds(dataset, name) for name in held)]
    if not held or empty:
        raise ValueError(
            f"none of {', '.join(_QUANTITIES)} over time is in this Dataset{' ' * several}{''.join(empty[:1])}"
        )
    columns = len(held) if len(held) < 4 else 2
    figure, panels = new_figure(columns, len(held) // columns, width=4.2, height=3.2)
    for name, axes in zip(held, panels, strict=True):
        if several:
            _draw_several(axes, datasets, name)
        else:
            _draw_one(axes, datasets[""], reference, name)
    for axes in panels:
        axes.set_xlim(min(one.get_xlim()[0] for one in panels), max(one.get_xlim()[1] for one in panels))
    finish_legend(panels)
    return figure


def _holds(dataset: xr.Dataset, name: str) -> bool:
    return name in dataset and dataset[name].dims == ("time",)


def _draw_one(axes: Axes, energies: xr.Dataset, reference: xr.Dataset | None, name: str) -> None:
    colour = _QUANTITIES[name][2]
    time, values, error = _series(energies, name)
    label = "cloud" if reference is not None else None
    if np.isfinite(values).any():
        axes.plot(time, values, color=colour, linewidth=1.2, marker=".", markersize=4, label=label)
    if error.any():
        band: dict[str, Any] = {"alpha": 0.25, "linewidth": 0, "label": "± 2 standard errors"}
        axes.fill_between(time, values - 2 * error, values + 2 * error, color=colour, **band)
    drawn = [energies]
    if reference is not None and _holds(reference, name):
        time, values, _ = _series(reference, name)
        axes.plot(time, values, color="black", linestyle="--", linewidth=1.0, label="grid")
        drawn.append(reference)
    _finish_axes(axes, drawn, name)


def _draw_several(axes: Axes, datasets: dict[str, xr.Dataset], name: str) -> None:
    known = (RED, BLUE, GREEN, PURPLE)
    colours: Any = known if len(datasets) <= len(known) else ordered_colours(len(datasets))
    for (label, dataset), colour in zip(datasets.items(), colours, strict=False):
        if not _holds(dataset, name):
            continue
        time, values, error = _series(dataset, name)
        if not np.isfinite(values).any():
            continue
        if error.any():
            bars = {"markersize": 4.0, "markerfacecolor": "none", "zorder": 3}
            error_bars(axes, time, values, error, label=label, colour=colour, **bars)
        else:
            axes.plot(time, values, color=colour, linewidth=1.5, label=label)
    _finish_axes(axes, [dataset for dataset in datasets.values() if _holds(dataset, name)], name)


def _series(dataset: xr.Dataset, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return times, values, NaN where they are not shown, and standard errors, 0 where there are none."""
    values, errors = _finite(dataset, name)
    if name == "relative_entropy":
        shown = values > np.maximum(_SEEN * errors, _LOWEST * np.nanmax(values, initial=0.0))
        values, errors = np.where(shown, values, np.nan), np.where(shown, errors, 0.0)
    return np.asarray(dataset["time"].values, dtype=np.float64), values, errors


def _finite(dataset: xr.Dataset, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return values of all frames, NaN where they are not finite, and standard errors, 0 where these are not."""
    values = np.asarray(dataset[name].values, dtype=np.float64)
    error = dataset.get(f"{name}_standard_error")
    errors = np.zeros_like(values) if error is None else np.asarray(error.values, dtype=np.float64)
    finite = np.isfinite(values)
    return np.where(finite, values, np.nan), np.where(finite & np.isfinite(errors), errors, 0.0)


def _finish_axes(axes: Axes, datasets: list[xr.Dataset], name: str) -> None:
    text, symbol, _ = _QUANTITIES[name]
    first = datasets[0]
    axes.set(xlabel=axis_label(first["time"], "time", "t"), ylabel=axis_label(first[name], text, symbol))
    if name == "relative_entropy":
        _finish_logarithm(axes, datasets, name)
    elif not axes.lines:
        _write(axes, "nowhere finite")


def _finish_logarithm(axes: Axes, datasets: list[xr.Dataset], name: str) -> None:
    values, errors = (np.concatenate(parts) for parts in zip(*(_finite(one, name) for one in datasets), strict=True))
    if not axes.lines:
        _write(axes, "0 within errors" if np.isfinite(values).any() else "nowhere finite")
        return
    axes.set_yscale("log")
    if errors.any():
        axes.set_ylim(bottom=max(axes.get_ylim()[0], _FLOOR * float(errors[errors > 0].min())))
    plain_ticks(axes)


def _write(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", color=GREY)
