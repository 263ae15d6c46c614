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
    error_bars,
    finish_legend,
    new_figure,
    ordered_colours,
    round_text,
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


def draw_temperature_sweep(sweep: xr.Dataset) -> Figure:
    """Draw entropy, mean potential, free energy, relative entropy and variances at the end, and the way there.

    Parameters
    ----------
    sweep
        From ``sgdphys.sweep``: variables over (temperature, seed, time), ``stationary_*`` over temperature.

    Returns
    -------
    Figure
        Six panels; points are means over the seeds with one standard error, lines the exact Gibbs state on a grid.

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
    _draw_approach(panels[5], sweep)
    finish_legend(panels[:5])
    return figure


def _draw_end(axes: Axes, sweep: xr.Dataset, name: str, text: str, symbol: str, colour: str) -> None:
    axes.set(xlabel=_temperature_label(sweep), ylabel=axis_label(sweep[name], text, symbol))
    reference = sweep.get(f"stationary_{name}")
    if reference is not None and bool(np.isfinite(reference).any()):
        axes.plot(sweep[schema.TEMPERATURE], reference, color="black", linewidth=1.0, label="exact Gibbs state")
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
        axes.plot(
            sweep[schema.TEMPERATURE], sweep["stationary_variance"].isel(coordinate=k), color=colour, linewidth=1.0
        )
        error_bars(
            axes, sweep[schema.TEMPERATURE], variance, _pooled(error), label=f"variance of {names[k]}", colour=colour
        )
    axes.set(xlabel=_temperature_label(sweep), ylabel="variance  [x²]")


def _draw_approach(axes: Axes, sweep: xr.Dataset) -> None:
    name = "relative_entropy" if bool(np.isfinite(sweep["relative_entropy"]).any()) else "free_energy"
    temperatures = sweep[schema.TEMPERATURE].values
    for k, colour in enumerate(ordered_colours(len(temperatures))):
        values = sweep[name].isel({schema.TEMPERATURE: k}).mean(schema.SEED)
        label = f"T = {round_text(temperatures[k])}" if k in {0, len(temperatures) - 1} else None
        axes.plot(sweep[schema.TIME], values, color=colour, linewidth=1.2, marker=".", markersize=4, label=label)
    text, symbol = next((text, symbol) for panel, text, symbol, _ in _PANELS if panel == name)
    axes.set(xlabel=axis_label(sweep[schema.TIME], "time", "t"), ylabel=axis_label(sweep[name], text, symbol))
    if name == "relative_entropy":
        axes.set_yscale("symlog", linthresh=1e-2)
    axes.legend(fontsize=8, frameon=False)


def _over_seeds(sweep: xr.Dataset, name: str) -> tuple[Any, Any]:
    last = sweep.isel({schema.TIME: -1})
    return last[name].mean(schema.SEED).values, _pooled(last[f"{name}_standard_error"])


def _pooled(error: xr.DataArray) -> Any:
    return np.sqrt((error**2).sum(schema.SEED)) / error.sizes[schema.SEED]


def _temperature_label(sweep: xr.Dataset) -> str:
    return axis_label(sweep[schema.TEMPERATURE], "temperature", "T")
