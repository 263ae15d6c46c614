"""The potential -T log p of a cloud or density against the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys import schema
from sgdphys.analysis.potential_distances import potential_distance
from sgdphys.analysis.potentials import potential
from sgdphys.plots.figures import (
    BLUE,
    RED,
    coordinate_label,
    error_bars,
    finish_legend,
    legend_below,
    new_figure,
    round_text,
)
from sgdphys.plots.planes import temperature_of, temperature_unit

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from sgdphys.fokker_planck import Grid
    from sgdphys.protocols import Landscape

    Array = NDArray[np.float64]
    Energy = Callable[[Array], Array]

__all__ = ["draw_potential"]

_DEPTH = 8.0  # in temperatures, how high above its minimum the potential is shown
_LEVELS = 9
_FINE = {1: 601, 2: 200}  # points along each axis where the loss is drawn
_LEAST_REACH = 1e-3  # in temperatures, of the scale of differences; less is rounding


def draw_potential(
    dataset: xr.Dataset,
    landscape: Landscape,
    temperature: float | None = None,
    *,
    frame: int = -1,
    grid: Grid | None = None,
) -> Figure:
    """Draw the potential Phi = -T log p of a cloud or density against the loss over the scale of the noise, f/c.

    c is what brings f/c closest to Phi (``analysis.potential_distance``); it and the distance that is left, the root
    mean square of (Phi - f/c)/T over p, stand in the title. One coordinate: two lines, or points with bars of one
    standard error for a cloud, and their difference below. Two: contours of both at the same heights, and the
    difference as a plane. The loss is drawn on a fine grid of its own. What is higher than 8 T is left out.

    Parameters
    ----------
    dataset
        A density, or a cloud, of one or two coordinates.
    landscape
        The loss; of one that circulates, its gradient part.
    temperature
        T, in x^2/loss (with inertia in loss); None for that of the run.
    frame
        Number of the frame.
    grid
        Cells for a cloud; by default some that fit it.

    Returns
    -------
    Figure
        To show or to save.

    Raises
    ------
    ValueError
        The Dataset is neither a cloud nor a density, has more than two coordinates, or the run has no single
        temperature.
    """
    one = dataset.isel({schema.TIME: [_checked_frame(dataset, frame)]})
    temperature = temperature_of(dataset) if temperature is None else temperature
    if temperature is None:
        raise ValueError("the run has no single temperature on record: give temperature=")
    found = potential(one, temperature, grid)
    dim = found["effective_potential"].ndim - 1
    if dim > 2:
        raise ValueError(f"potentials of one or two coordinates can be drawn, this one has {dim}")
    distance = potential_distance(one, landscape, temperature, grid=grid)
    scale = float(distance["noise_scale"][0])
    values, error = (
        found[name].isel({schema.TIME: 0}) for name in ("effective_potential", "effective_potential_standard_error")
    )
    energy = _scaled_loss(values, landscape, scale, temperature)
    unit = temperature_unit(dataset)
    draw = _draw_lines if dim == 1 else _draw_planes
    figure = draw(values, error, energy, temperature, unit)
    figure.suptitle(_title(distance, temperature, unit), fontsize=9)
    return figure


def _checked_frame(dataset: xr.Dataset, frame: int) -> int:
    count = dataset.sizes.get(schema.TIME, 0)
    if not -count <= frame < count:
        raise ValueError(f"frame {frame} does not exist, the Dataset has {count}")
    return frame % count


def _scaled_loss(values: xr.DataArray, landscape: Landscape, scale: float, temperature: float) -> Energy:
    """Return the function f/c of points, shifted to the mean of Phi under the density, which the fit leaves open."""
    cells = values.values
    weights = np.nan_to_num(np.exp(-cells / temperature))
    loss = landscape.potential(_points(*_centres(values))).reshape(cells.shape) / scale
    offset = float((weights * (loss - np.nan_to_num(cells))).sum() / weights.sum())
    return lambda points: np.asarray(landscape.potential(points) / scale - offset)


def _centres(values: xr.DataArray) -> list[Array]:
    return [np.asarray(values[str(name)].values, dtype=np.float64) for name in values.dims]


def _points(*axes: Array) -> Array:
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)


def _shown(values: xr.DataArray, temperature: float) -> Array:
    """Return Phi on the cells, NaN where it is empty or too high to be shown."""
    return np.where(values.values < _DEPTH * temperature, values.values, np.nan)


def _title(distance: xr.Dataset, temperature: float, unit: str) -> str:
    def number(name: str) -> str:
        error = float(np.nan_to_num(distance[f"{name}_standard_error"][0]))
        return round_text(float(distance[name][0])) + (f" ± {error:.1g}" if error else "")

    c, d = number("noise_scale"), number("potential_distance")
    c += " loss²/x²" if unit == "x²/loss" else ""
    return f"T = {round_text(temperature)} {unit},  c = {c}\nroot mean square of (Φ − f/c)/T: {d}"


def _draw_lines(values: xr.DataArray, error: xr.DataArray, energy: Energy, temperature: float, unit: str) -> Figure:
    ratios = {"height_ratios": [2.5, 1]}
    figure, (upper, lower) = new_figure(1, 2, width=6.0, height=2.6, sharex=True, gridspec_kw=ratios)
    (x,), phi = _centres(values), _shown(values, temperature)
    window = _window(x, np.isfinite(phi))
    top = _DEPTH * temperature
    fine = np.linspace(max(window[0], x[0]), min(window[1], x[-1]), _FINE[1])
    loss = energy(_points(fine))
    upper.plot(fine, np.where(loss <= top, loss, np.nan), color=RED, linewidth=1.5, label="loss f/c")
    difference, bars = (phi - energy(_points(x))) / temperature, error.values
    _draw_phi(upper, x, phi, bars, linestyle="--")
    _draw_phi(lower, x, difference, bars / temperature)
    lower.axhline(0.0, color=RED, linewidth=1.0)
    upper.set(ylabel=f"potential  [{unit}]", xlim=window)
    upper.set_ylim(min(0.0, float(np.nanmin(loss))) - 0.05 * top, top)
    lower.set(xlabel=coordinate_label(values.dims[0], values), ylabel="(Φ − f/c) / T")
    low, high = lower.get_ylim()
    lower.set_ylim(min(low, -_LEAST_REACH), max(high, _LEAST_REACH))
    finish_legend([upper])
    return figure


def _window(centres: Array, seen: NDArray[np.bool_]) -> tuple[float, float]:
    first, last = centres[seen][[0, -1]]
    margin = 0.05 * (last - first)
    return float(first - margin), float(last + margin)


def _draw_phi(axes: Axes, x: Array, heights: Array, bars: Array, **style: Any) -> None:
    """Draw points with bars, or a line without errors that has a gap where there is nothing to show."""
    seen = np.isfinite(heights)
    if bars[seen].any():
        error_bars(axes, x[seen], heights[seen], bars[seen], label="Φ = −T ln p", colour=BLUE, markersize=3)
    else:
        axes.plot(x, heights, color=BLUE, label="Φ = −T ln p", **style)


def _draw_planes(values: xr.DataArray, error: xr.DataArray, energy: Energy, temperature: float, _: str) -> Figure:
    figure, (contours, difference) = new_figure(2, 1, width=4.8, height=4.2, sharex=True, sharey=True)
    (x, y), phi = _centres(values), _shown(values, temperature)
    window = [axis[np.isfinite(phi).any(axis=1 - k)][[0, -1]] for k, axis in enumerate((x, y))]
    heights = _DEPTH * temperature * np.linspace(0.02, 1.0, _LEVELS) ** 1.5
    fine = [np.linspace(low, high, _FINE[2]) for low, high in window]
    contours.contour(*fine, energy(_points(*fine)).reshape(_FINE[2], -1).T, heights, colors=RED, linewidths=1.2)
    contours.contour(x, y, values.values.T, heights, colors=BLUE, linewidths=1.2, linestyles="--")
    for colour, style, label in ((RED, "-", "loss f/c"), (BLUE, "--", "Φ = −T ln p")):
        contours.plot([], [], color=colour, linestyle=style, label=label)
    contours.set_title(f"contours up to {_DEPTH:g} T", fontsize=10)
    typical = float(np.nanmedian(np.where(np.isfinite(phi), error.values, np.nan))) / temperature
    least = max(_LEAST_REACH, float(np.nan_to_num(typical)))
    _draw_difference(figure, difference, (x, y), (phi - energy(_points(x, y)).reshape(phi.shape)) / temperature, least)
    for axes in (contours, difference):
        axes.set(xlim=window[0], ylim=window[1], xlabel=coordinate_label(values.dims[0], values))
        axes.set_ylabel(coordinate_label(values.dims[1], values))
    legend_below(figure, contours)
    return figure


def _draw_difference(figure: Figure, axes: Axes, centres: tuple[Array, Array], values: Array, least: float) -> None:
    reach = max(float(np.nanquantile(np.abs(values), 0.98)), least)
    mesh = axes.pcolormesh(*centres, values.T, cmap="RdBu_r", vmin=-reach, vmax=reach, rasterized=True)
    figure.colorbar(mesh, ax=axes, label="(Φ − f/c) / T", extend="both")
    axes.set_facecolor("#eeeeee")
    axes.grid(visible=False)
