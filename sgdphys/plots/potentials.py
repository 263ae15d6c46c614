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
    new_figure,
    round_text,
)
from sgdphys.plots.planes import temperature_of

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from sgdphys.fokker_planck import Grid
    from sgdphys.protocols import Landscape

    Array = NDArray[np.float64]

__all__ = ["draw_potential"]

_DEPTH = 8.0  # in temperatures, how high above its minimum the potential is shown
_LEVELS = 9


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
    difference as a plane.

    Parameters
    ----------
    dataset
        A density, or a cloud, of one or two coordinates.
    landscape
        The loss; of one that circulates, its gradient part.
    temperature
        T, in x^2/loss; None for that of the run.
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
    loss = _scaled_loss(values, landscape, scale, temperature)
    figure = _draw_lines(values, error, loss, temperature) if dim == 1 else _draw_planes(values, loss, temperature)
    figure.suptitle(_title(distance, temperature), fontsize=9)
    return figure


def _checked_frame(dataset: xr.Dataset, frame: int) -> int:
    count = dataset.sizes.get(schema.TIME, 0)
    if not -count <= frame < count:
        raise ValueError(f"frame {frame} does not exist, the Dataset has {count}")
    return frame % count


def _scaled_loss(values: xr.DataArray, landscape: Landscape, scale: float, temperature: float) -> Array:
    """Return f/c on the cells, shifted to the mean of Phi under the density, which the fit leaves open."""
    axes = np.meshgrid(*(values[str(name)].values for name in values.dims), indexing="ij")
    loss = landscape.potential(np.stack([axis.ravel() for axis in axes], axis=1)).reshape(values.shape) / scale
    weights = np.nan_to_num(np.exp(-values.values / temperature))
    offset = float((weights * (loss - np.nan_to_num(values.values))).sum() / weights.sum())
    return np.asarray(loss - offset)


def _title(distance: xr.Dataset, temperature: float) -> str:
    def number(name: str) -> str:
        error = float(np.nan_to_num(distance[f"{name}_standard_error"][0]))
        return round_text(float(distance[name][0])) + (f" ± {error:.1g}" if error else "")

    c, d = number("noise_scale"), number("potential_distance")
    return f"T = {round_text(temperature)} x²/loss,  c = {c} loss²/x²\nroot mean square of (Φ − f/c)/T: {d}"


def _draw_lines(values: xr.DataArray, error: xr.DataArray, loss: Array, temperature: float) -> Figure:
    ratios = {"height_ratios": [2.5, 1]}
    figure, (upper, lower) = new_figure(1, 2, width=6.0, height=2.6, sharex=True, gridspec_kw=ratios)
    x, phi, bars = values[str(values.dims[0])].values, values.values, error.values
    seen = phi < _DEPTH * temperature
    upper.plot(x, loss, color=RED, linewidth=1.5, label="loss f/c")
    for axes, heights in ((upper, phi), (lower, (phi - loss) / temperature)):
        unit = 1.0 if axes is upper else temperature
        if bars[seen].any():
            error_bars(axes, x[seen], heights[seen], bars[seen] / unit, label="Φ = −T ln p", colour=BLUE, markersize=3)
        else:
            style: dict[str, Any] = {"linestyle": "--"} if axes is upper else {}
            axes.plot(x[seen], heights[seen], color=BLUE, label="Φ = −T ln p", **style)
    lower.axhline(0.0, color=RED, linewidth=1.0)
    margin = 0.05 * (x[seen][-1] - x[seen][0])
    upper.set(ylabel="potential  [x²/loss]", xlim=(x[seen][0] - margin, x[seen][-1] + margin))
    low = min(0.0, float(loss[seen].min()))
    upper.set_ylim(low - 0.05 * _DEPTH * temperature, _DEPTH * temperature)
    lower.set(xlabel=coordinate_label(values.dims[0]), ylabel="(Φ − f/c) / T")
    finish_legend([upper])
    return figure


def _draw_planes(values: xr.DataArray, loss: Array, temperature: float) -> Figure:
    figure, (contours, difference) = new_figure(2, 1, width=4.8, height=4.2, sharex=True, sharey=True)
    x, y = (values[str(name)].values for name in values.dims)
    phi = np.where(values.values < _DEPTH * temperature, values.values, np.nan)
    heights = _DEPTH * temperature * np.linspace(0.02, 1.0, _LEVELS) ** 1.5
    contours.contour(x, y, loss.T, heights, colors=RED, linewidths=1.2)
    contours.contour(x, y, values.values.T, heights, colors=BLUE, linewidths=1.2, linestyles="--")
    for colour, style, label in ((RED, "-", "loss f/c"), (BLUE, "--", "Φ = −T ln p")):
        contours.plot([], [], color=colour, linestyle=style, label=label)
    contours.set_title(f"contours up to {_DEPTH:g} T", fontsize=10)
    _draw_difference(figure, difference, (x, y), (phi - loss) / temperature)
    inside = np.isfinite(phi)
    window = [axis[inside.any(axis=1 - k)][[0, -1]] for k, axis in enumerate((x, y))]
    for axes in (contours, difference):
        axes.set(xlim=window[0], ylim=window[1], xlabel=coordinate_label(values.dims[0]))
        axes.set_ylabel(coordinate_label(values.dims[1]))
    contours.legend(fontsize=8, loc="upper right", framealpha=0.9)
    return figure


def _draw_difference(figure: Figure, axes: Axes, centres: tuple[Array, Array], values: Array) -> None:
    reach = float(np.nanquantile(np.abs(values), 0.98)) or 1.0
    mesh = axes.pcolormesh(*centres, values.T, cmap="RdBu_r", vmin=-reach, vmax=reach, rasterized=True)
    figure.colorbar(mesh, ax=axes, label="(Φ − f/c) / T", extend="both")
    axes.set_facecolor("#eeeeee")
    axes.grid(visible=False)
