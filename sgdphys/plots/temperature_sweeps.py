"""A sweep over temperatures: what the clouds reached, against the exact Gibbs state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys import schema
from sgdphys.plots.figures import (
    BLUE,
    GREEN,
    GREY,
    RED,
    axis_label,
    colour_bar,
    error_bars,
    finish_legend,
    new_figure,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_temperature_sweep"]

_PANELS = (
    ("entropy", "entropy", "H", BLUE),
    ("mean_potential", "mean potential", "E[f]", RED),
    ("free_energy", "free energy", "F", GREEN),
    ("relative_entropy", "relative entropy to Gibbs", "KL", GREY),
)
_EXACT: dict[str, Any] = {"linestyle": "", "marker": "_", "markersize": 15, "markeredgewidth": 1.4}
_SEEN = 2.0  # standard errors that a relative entropy must have for a place on a logarithmic axis


def draw_temperature_sweep(sweep: xr.Dataset) -> Figure:
    """Draw entropy, mean potential, free energy, relative entropy and variances at the end, and the way there.

    Parameters
    ----------
    sweep
        From ``sgdphys.sweep``: variables over (temperature, seed, time), ``stationary_*`` over temperature.

    Returns
    -------
    Figure
        Six panels; points are means over the seeds with one standard error, dashes the exact Gibbs state on a grid. The
        last shows the relative entropy over time where it is more than 2 standard errors above 0.

    Raises
    ------
    ValueError
        The Dataset is no sweep over temperatures.
    """
    if schema.TEMPERATURE not in sweep.dims or "entropy" not in sweep:
        raise ValueError("a temperature sweep needs entropy(temperature, seed, time)")
    figure, panels = new_figure(3, 2, width=3.9, height=3.1)
    for (name, text, symbol, colour), axes in zip(_PANELS, [panels[0], panels[1], panels[2], panels[3]], strict=True):
        _draw_end(axes, sweep, name, text, symbol, colour)
    _draw_variances(panels[4], sweep)
    _draw_approach(figure, panels[5], sweep)
    finish_legend(panels[:5])
    return figure


def _draw_end(axes: Axes, sweep: xr.Dataset, name: str, text: str, symbol: str, colour: str) -> None:
    axes.set(xlabel=_temperature_label(sweep), ylabel=axis_label(sweep[name], text, symbol))
    reference = sweep.get(f"stationary_{name}")
    if reference is not None and bool(np.isfinite(reference).any()):
        axes.plot(sweep[schema.TEMPERATURE], reference, color="black", label="exact Gibbs state", **_EXACT)
    value, error = _over_seeds(sweep, name)
    if not np.isfinite(value).any():
        axes.text(0.5, 0.5, "no reference", transform=axes.transAxes, ha="center", color=GREY)
        return
    error_bars(axes, sweep[schema.TEMPERATURE], value, error, label="cloud", colour=colour)
    if name == "relative_entropy":
        axes.axhline(0.0, color="black", linewidth=1.0)


def _draw_variances(axes: Axes, sweep: xr.Dataset) -> None:
    names = sweep["coordinate"].values
    last = sweep.isel({schema.TIME: -1})
    shown = min(len(names), 4)
    for k, colour in zip(range(shown), (BLUE, RED, GREEN, GREY), strict=False):
        variance = last["covariance"].isel(coordinate=k, coordinate_2=k).mean(schema.SEED)
        error = last["variance_standard_error"].isel(coordinate=k)
        axes.plot(sweep[schema.TEMPERATURE], sweep["stationary_variance"].isel(coordinate=k), color=colour, **_EXACT)
        error_bars(
            axes, sweep[schema.TEMPERATURE], variance, _pooled(error), label=f"variance of {names[k]}", colour=colour
        )
    axes.set(xlabel=_temperature_label(sweep), ylabel="variance  [x²]")


def _draw_approach(figure: Figure, axes: Axes, sweep: xr.Dataset) -> None:
    name = "relative_entropy" if bool(np.isfinite(sweep["relative_entropy"]).any()) else "free_energy"
    text, symbol = next((text, symbol) for panel, text, symbol, _ in _PANELS if panel == name)
    axes.set(xlabel=axis_label(sweep[schema.TIME], "time", "t"), ylabel=axis_label(sweep[name], text, symbol))
    colours = colour_bar(figure, axes, sweep[schema.TEMPERATURE].values, _temperature_label(sweep))
    values = sweep[name].mean(schema.SEED).transpose(schema.TEMPERATURE, schema.TIME).values
    errors = _pooled(sweep[f"{name}_standard_error"]).transpose(schema.TEMPERATURE, schema.TIME).values
    if name == "relative_entropy":
        with np.errstate(invalid="ignore"):
            values = np.where(values > _SEEN * errors, values, np.nan)
        axes.set_yscale("log")
        axes.set_title("where above 2 standard errors", fontsize=8)
    for value, error, colour in zip(values, errors, colours, strict=True):
        axes.errorbar(
            sweep[schema.TIME], value, np.nan_to_num(error), color=colour, marker="o", markersize=3, linewidth=1.0
        )
    if not np.isfinite(values).any():
        axes.text(0.5, 0.5, "stationary within errors", transform=axes.transAxes, ha="center", color=GREY)


def _over_seeds(sweep: xr.Dataset, name: str) -> tuple[Any, Any]:
    last = sweep.isel({schema.TIME: -1})
    return last[name].mean(schema.SEED).values, _pooled(last[f"{name}_standard_error"]).values


def _pooled(error: xr.DataArray) -> xr.DataArray:
    pooled: xr.DataArray = (error**2).sum(schema.SEED) ** 0.5 / error.sizes[schema.SEED]
    return pooled


def _temperature_label(sweep: xr.Dataset) -> str:
    return axis_label(sweep[schema.TEMPERATURE], "temperature", "T")
