"""A sweep of a real network: variances against the exact prediction, losses, entropies, flatness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys import schema
from sgdphys.plots.figures import (
    BLUE,
    GREEN,
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

__all__ = ["draw_network_sweep"]

_SPREAD = 1.04  # real and simulated points of one temperature are drawn side by side


def draw_network_sweep(sweep: xr.Dataset) -> Figure:
    """Draw a sweep of a network over learning rates and batch sizes.

    Parameters
    ----------
    sweep
        From ``sweep_network``: variables over (lr, batch_size, seed).

    Returns
    -------
    Figure
        Variance over prediction, by direction and on average; entropy, excess loss, flatness and test error against
        temperature. Bars are one standard error.

    Raises
    ------
    ValueError
        The Dataset is no sweep of a network.
    """
    if "mean_ratio_real" not in sweep or schema.LR not in sweep.dims:
        raise ValueError("a network sweep needs mean_ratio_real(lr, batch_size, seed)")
    figure, panels = new_figure(3, 2, width=4.1, height=3.3)
    points = sweep.stack(setting=(schema.LR, schema.BATCH_SIZE), create_index=False).mean(schema.SEED, keep_attrs=True)
    for name in [str(name) for name in points if str(name).endswith("_standard_error")]:
        points[name] = points[name] / np.sqrt(sweep.sizes[schema.SEED])
    _draw_directions(panels[0], points)
    _draw_ratio(panels[1], points)
    _draw_entropy(panels[2], points)
    _draw_excess_loss(panels[3], points)
    _draw_against_minimum(panels[4], points, "hessian_trace", "minimum_hessian_trace", "trace of the Hessian")
    _draw_against_minimum(panels[5], points, "test_error", "minimum_test_error", "test error")
    for axes in panels[1:]:
        axes.set(xscale="log", xlabel=axis_label(sweep[schema.TEMPERATURE], "temperature", "T"))
    finish_legend(panels)
    return figure


def _draw_directions(axes: Axes, points: xr.Dataset) -> None:
    temperatures = points[schema.TEMPERATURE].values
    order = np.argsort(temperatures)
    chosen = [order[0], order[len(order) // 2], order[-1]] if len(order) > 2 else list(order)
    direction = np.arange(1, points.sizes[schema.COORDINATE] + 1)
    for shift, (k, colour) in enumerate(zip(chosen, ordered_colours(len(chosen)), strict=True)):
        point = points.isel(setting=int(k))
        exact = point["variance_predicted"]
        ratio, error = point["variance_real"] / exact, point["variance_real_standard_error"] / exact
        label = f"real, T = {round_text(temperatures[k])}"
        error_bars(axes, direction + 0.2 * (shift - 1), ratio, error, label=label, colour=colour, markersize=3.5)
    axes.axhline(1.0, color="black", linewidth=1.0)
    axes.set(xlabel="Hessian direction, stiffest first", ylabel="variance / exact")


def _draw_ratio(axes: Axes, points: xr.Dataset) -> None:
    for name, label, colour, shift in (
        ("mean_ratio_real", "real networks", RED, _SPREAD),
        ("mean_ratio_sim", "simulated twin", BLUE, 1 / _SPREAD),
    ):
        _bars(axes, points, name, label, colour, shift)
    axes.axhline(1.0, color="black", linewidth=1.0, label="exact, quadratic loss")
    axes.set(ylabel="variance / exact, direction mean")


def _draw_entropy(axes: Axes, points: xr.Dataset) -> None:
    k = points.sizes[schema.COORDINATE]
    for name, label, colour, shift in (
        ("entropy_real", "real networks", RED, _SPREAD),
        ("entropy_sim", "simulated twin", BLUE, 1 / _SPREAD),
    ):
        value = points[name] - points["entropy_predicted"]
        error_bars(
            axes,
            points[schema.TEMPERATURE] * shift,
            value,
            points[f"{name}_standard_error"],
            label=label,
            colour=colour,
        )
    axes.axhline(0.0, color="black", linewidth=1.0, label="exact, quadratic loss")
    axes.set(ylabel=f"entropy − exact, {k} directions  [nat]")


def _draw_excess_loss(axes: Axes, points: xr.Dataset) -> None:
    _bars(axes, points, "excess_loss", "real networks", RED, 1.0)
    temperatures, predicted = points[schema.TEMPERATURE].values, points["excess_loss_predicted"].values
    axes.plot(temperatures, predicted, "_", color="black", markersize=14, label="tr(HS)/2, exact on quadratic loss")
    axes.set(yscale="log", ylabel="excess loss  [loss]")


def _draw_against_minimum(axes: Axes, points: xr.Dataset, name: str, minimum: str, text: str) -> None:
    _bars(axes, points, name, "at replicas", GREEN, 1.0)
    axes.axhline(float(points[minimum]), color="black", linewidth=1.0, label="at the minimum")
    axes.set(ylabel=axis_label(points[name], text))


def _bars(axes: Axes, points: xr.Dataset, name: str, label: str, colour: Any, shift: float) -> None:
    error = points[f"{name}_standard_error"]
    error_bars(axes, points[schema.TEMPERATURE] * shift, points[name], error, label=label, colour=colour)
