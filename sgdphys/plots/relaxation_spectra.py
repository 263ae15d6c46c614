"""Spectra of relaxation rates: levels beside the slowest modes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.transforms import blended_transform_factory

from sgdphys import schema
from sgdphys.plots.figures import (
    GREY,
    axis_label,
    coordinate_label,
    finish_legend,
    new_figure,
    ordered_colours,
    plain_ticks,
    round_text,
)
from sgdphys.plots.planes import seen_window

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["draw_relaxation_spectrum", "is_spectrum"]

_SHOWN_MODES = 4
_SPREAD = 50.0  # ratio of rates above which their axis is logarithmic
_ZERO = 1e-12  # of the fastest rate, below which a rate is 0
_SEEN = 2e-3  # of the highest stationary density; left modes are drawn where there is more
_NEAR = 0.045  # of the axis; levels closer than this cannot have labels side by side
_MOST_PUSHED = 3.01  # labels, how far one is moved up


def is_spectrum(dataset: xr.Dataset) -> bool:
    """Return whether a Dataset holds relaxation rates with their modes."""
    return "relaxation_rate" in dataset and dataset["relaxation_rate"].dims == (schema.MODE,) and "left_mode" in dataset


def draw_relaxation_spectrum(spectrum: xr.Dataset) -> Figure:
    """Draw relaxation rates as levels, and the slowest modes beside them.

    One coordinate: left modes, which say what of a start decays at each rate, and right modes, the densities that do.
    Two: left modes as planes, red where positive, with their zeros as lines. Modes that turn show their real part,
    one of each pair.

    Parameters
    ----------
    spectrum
        From ``fokker_planck.relaxation_rates``: ``relaxation_rate(mode)``, ``left_mode(mode, x, ...)``,
        ``right_mode(mode, x, ...)``.

    Returns
    -------
    Figure
        To show or to save.

    Raises
    ------
    ValueError
        The Dataset is no spectrum.
    """
    if not is_spectrum(spectrum):
        raise ValueError("a relaxation spectrum needs relaxation_rate(mode) and left_mode(mode, x, ...)")
    dim = spectrum["left_mode"].ndim - 1
    shown = _distinct_modes(spectrum)[:_SHOWN_MODES]
    if dim == 1:
        figure, panels = new_figure(3, 1, width=4.4, height=3.8, width_ratios=[0.7, 1, 1])
        _draw_lines(panels[1], spectrum, shown, "left_mode", "left mode l")
        _draw_lines(
            panels[2], spectrum, shown, "right_mode", axis_label(spectrum["right_mode"], "right mode", "r", unit="1/x")
        )
        finish_legend(panels[1:2])
    elif dim == 2:
        planes = shown[1:]
        ratios = [0.7, *[1.0] * len(planes)]
        figure, panels = new_figure(1 + len(planes), 1, width=3.9, height=3.6, width_ratios=ratios)
        for axes, mode in zip(panels[1:], planes, strict=True):
            mesh = _draw_plane(axes, spectrum, mode)
            figure.colorbar(mesh, ax=axes, label=f"left mode {mode}, root mean square 1")
    else:
        figure, panels = new_figure(1, 1, width=4.0, height=3.8)
    _draw_levels(panels[0], spectrum)
    return figure


def _distinct_modes(spectrum: xr.Dataset) -> list[int]:
    """Return the numbers of the modes without the second of each pair of complex conjugates."""
    rates = spectrum["relaxation_rate"].values
    turning = spectrum["relaxation_frequency"].values if "relaxation_frequency" in spectrum else np.zeros(len(rates))
    found: list[int] = []
    for mode, rate in enumerate(rates):
        before = found[-1] if found else mode
        partner = before == mode - 1 and turning[mode] != 0 and np.isclose(turning[before], -turning[mode])
        if not (partner and np.isclose(rates[before], rate)):
            found.append(mode)
    return found


def _draw_levels(axes: Axes, spectrum: xr.Dataset) -> None:
    rates = np.asarray(spectrum["relaxation_rate"].values, dtype=np.float64)
    rates = np.where(rates < _ZERO * rates.max(), 0.0, rates)
    positive = rates[rates > 0]
    if positive.size and positive.max() > _SPREAD * positive.min():
        axes.set_yscale("log")
        axes.set_ylim(positive.min() / 2, positive.max() * 2)
        plain_ticks(axes)
        axes.set_title("mode 0, stationary, has rate 0", fontsize=8)
        drawn = np.flatnonzero(rates > 0).tolist()
    else:
        axes.set_ylim(-0.06 * rates.max(), 1.1 * rates.max() or 1.0)
        drawn = list(range(len(rates)))
    heights = axes.transAxes.inverted().transform(axes.transData.transform([(0.0, rates[mode]) for mode in drawn]))[
        :, 1
    ]
    for mode, height, place in zip(drawn, heights, _label_places(heights), strict=True):
        colour = _colours(spectrum)[mode]
        axes.hlines(rates[mode], 0.0, 0.5, color=colour, linewidth=2.0)
        if np.isfinite(place):
            axes.plot([0.5, 0.6], [height, place], color=colour, linewidth=0.8, transform=_across(axes))
            text = f"{mode}: {_rate_text(spectrum, mode, rates[mode])}"
            axes.text(0.62, place, text, fontsize=8, va="center", transform=_across(axes))
    axes.set(xlim=(-0.05, 1.15), xticks=[])
    axes.set_ylabel(axis_label(spectrum["relaxation_rate"], "relaxation rate", "λ", unit="loss/x^2"))
    axes.spines["bottom"].set_visible(False)


def _across(axes: Axes) -> Transform:
    """Return the transform of places along the horizontal axis and heights in shares of the panel."""
    return blended_transform_factory(axes.transData, axes.transAxes)


def _label_places(heights: Array) -> Array:
    """Return heights of labels that do not overlap, pushed up a few labels at most; NaN where there is no room."""
    places, last = np.full(len(heights), np.nan), -np.inf
    for number in np.argsort(heights, kind="stable"):
        place = max(heights[number], last + _NEAR)
        if place <= heights[number] + _MOST_PUSHED * _NEAR:
            places[number] = last = place
    return places


def _colours(spectrum: xr.Dataset) -> Array:
    """Return a colour (mode, 4) for each mode: those that are drawn from dark to light, the others shades of grey."""
    count = spectrum.sizes[schema.MODE]
    shades = np.linspace(0.7, 0.3, count)[:, np.newaxis]
    colours = np.concatenate([np.repeat(shades, 3, axis=1), np.ones((count, 1))], axis=1)
    shown = _distinct_modes(spectrum)[:_SHOWN_MODES]
    colours[shown] = ordered_colours(_SHOWN_MODES)[: len(shown)]
    return colours


def _rate_text(spectrum: xr.Dataset, mode: int, rate: float) -> str:
    turning = float(spectrum["relaxation_frequency"][mode]) if "relaxation_frequency" in spectrum else 0.0
    return round_text(rate) + (f" ± {round_text(abs(turning))} i" if turning else "")


def _draw_lines(axes: Axes, spectrum: xr.Dataset, shown: list[int], name: str, label: str) -> None:
    array = spectrum[name]
    axis = str(array.dims[1])
    centres = array[axis].values
    base = np.abs(spectrum["right_mode"][0].values)
    inside = base > _SEEN * base.max()
    (window,) = seen_window([base], [centres], _SEEN)
    for mode in shown:
        values = np.where(inside, array[mode].values, np.nan)
        axes.plot(centres, values, color=_colours(spectrum)[mode], label=f"mode {mode}", linewidth=1.5)
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set(xlim=window, xlabel=coordinate_label(axis, array), ylabel=label)


def _draw_plane(axes: Axes, spectrum: xr.Dataset, mode: int) -> QuadMesh:
    array = spectrum["left_mode"][mode]
    x, y = (array[str(name)].values for name in array.dims)
    base = np.abs(spectrum["right_mode"][0].values)
    window = seen_window([base], [x, y], _SEEN)
    values = np.where(base > _SEEN * base.max(), array.values, np.nan)
    reach = float(np.nanmax(np.abs(values)))
    mesh = axes.pcolormesh(x, y, values.T, cmap="RdBu_r", vmin=-reach, vmax=reach, rasterized=True)
    if np.nanmin(values) < 0 < np.nanmax(values):
        axes.contour(x, y, values.T, [0.0], colors="black", linewidths=0.8)
    axes.contour(x, y, (base / base.max()).T, [0.01, 0.1, 0.5], colors=GREY, linewidths=0.6)
    rate = float(spectrum["relaxation_rate"][mode])
    axes.set_title(f"mode {mode}, λ = {_rate_text(spectrum, mode, rate)}", fontsize=10)
    axes.set(
        xlim=window[0],
        ylim=window[1],
        xlabel=coordinate_label(array.dims[0], array),
        ylabel=coordinate_label(array.dims[1], array),
    )
    axes.grid(visible=False)
    return mesh
