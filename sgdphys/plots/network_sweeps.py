"""A sweep of a real network: variances, entropies and losses against the exact prediction, flatness, test error."""

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
    from collections.abc import Iterator

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_network_sweep"]

_MARKERS = "os^Dv<>p"
_RATIO_RANGE, _ENTROPY_RANGE, _FLATNESS_RANGE = 0.1, 0.05, 0.1  # least half height of a panel: smaller is no trend


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
        temperature, a marker and colour for each learning rate: where only the temperature counts, they lie on one
        curve. Bars are one standard error.

    Raises
    ------
    ValueError
        The Dataset is no sweep of a network.
    """
    if "mean_ratio_real" not in sweep or schema.LR not in sweep.dims:
        raise ValueError("a network sweep needs mean_ratio_real(lr, batch_size, seed)")
    figure, panels = new_figure(3, 2, width=4.3, height=3.5)
    points = sweep.mean(schema.SEED, keep_attrs=True).sortby(schema.BATCH_SIZE)
    for name in [str(name) for name in points if str(name).endswith("_standard_error")]:
        points[name] = points[name] / np.sqrt(sweep.sizes[schema.SEED])
    _draw_directions(panels[0], points)
    _draw_ratio(panels[1], points)
    _draw_entropy(panels[2], points)
    _draw_excess_loss(panels[3], points)
    _draw_flatness(panels[4], points)
    _draw_test_error(panels[5], points)
    for axes in panels[1:]:
        axes.set(xscale="log", xlabel=axis_label(sweep[schema.TEMPERATURE], "temperature", "T"))
    finish_legend(panels)
    return figure


def _draw_directions(axes: Axes, points: xr.Dataset) -> None:
    settings = points.stack(setting=(schema.LR, schema.BATCH_SIZE), create_index=False)
    order = np.argsort(settings[schema.TEMPERATURE].values, kind="stable")
    chosen = [order[0], order[len(order) // 2], order[-1]] if len(order) > 2 else list(order)
    direction = np.arange(1, points.sizes[schema.COORDINATE] + 1)
    for k, colour, marker in zip(chosen, (BLUE, GREEN, RED), "os^", strict=False):
        point = settings.isel(setting=int(k))
        exact = point["variance_predicted"]
        ratio, error = point["variance_real"] / exact, point["variance_real_standard_error"] / exact
        setting = f"lr = {float(point[schema.LR]):g}, batch size {int(point[schema.BATCH_SIZE])}"
        label = f"T = {round_text(float(point[schema.TEMPERATURE]))} ({setting})"
        options = {"fmt": f"{marker}-", "linewidth": 0.7, "markersize": 3.5}
        error_bars(axes, direction, ratio, error, label=label, colour=colour, **options)
    _exact_line(axes, 1.0)
    axes.set(xlabel="Hessian direction, stiffest first", ylabel="variance / exact, real networks")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.35 * (high - low))  # room for the legend


def _draw_ratio(axes: Axes, points: xr.Dataset) -> None:
    _both_clouds(axes, points, points["mean_ratio_real"], points["mean_ratio_sim"], "mean_ratio", 1.0)
    _exact_line(axes, 1.0)
    axes.set(ylabel="variance / exact, mean over directions")
    _at_least(axes, 1.0, _RATIO_RANGE)


def _draw_entropy(axes: Axes, points: xr.Dataset) -> None:
    k, exact = points.sizes[schema.COORDINATE], points["entropy_predicted"]
    real, sim = ((points[name] - exact) / k for name in ("entropy_real", "entropy_sim"))
    _both_clouds(axes, points, real, sim, "entropy", 1 / k)
    _exact_line(axes, 0.0)
    axes.set(ylabel=f"(entropy − exact) / {k} directions  [nat]")
    _at_least(axes, 0.0, _ENTROPY_RANGE)


def _draw_excess_loss(axes: Axes, points: xr.Dataset) -> None:
    """Draw the excess loss in units of T, so that deviations are seen over decades of T."""
    scale = 1 / points[schema.TEMPERATURE]
    predicted = points["excess_loss_predicted"] * scale
    for colour, _, row in _rows(points, predicted):
        axes.plot(row[schema.TEMPERATURE], row["value"], "_-", color=colour, linewidth=1.0, markersize=12)
    axes.plot([], [], "_-", color="black", linewidth=1.0, label="exact, quadratic loss, each lr")
    _bars(axes, points, points["excess_loss"] * scale, points["excess_loss_standard_error"] * scale)
    axes.set(ylabel="excess loss / T  [loss²/x²]")


def _draw_flatness(axes: Axes, points: xr.Dataset) -> None:
    minimum = points["minimum_hessian_trace"]
    values, errors = points["hessian_trace"] / minimum, points["hessian_trace_standard_error"] / minimum
    _bars(axes, points, values, errors)
    _exact_line(axes, 1.0, f"minimum, tr H = {round_text(float(minimum))} loss/x²")
    axes.set(ylabel="tr H at replicas / at the minimum")
    _at_least(axes, 1.0, _FLATNESS_RANGE)


def _draw_test_error(axes: Axes, points: xr.Dataset) -> None:
    _bars(axes, points, points["test_error"], points["test_error_standard_error"])
    _exact_line(axes, float(points["minimum_test_error"]), "at the minimum")
    axes.set(ylabel="test error of replicas")
    top = float(points["test_error"].max())
    if np.isfinite(top) and top > 0:
        axes.set_ylim(0.0, 1.15 * top)


def _both_clouds(axes: Axes, points: xr.Dataset, real: Any, sim: Any, name: str, scale: float) -> None:
    """Draw the real clouds, a colour for each learning rate, and in blue crosses all simulated twins."""
    temperatures = points[schema.TEMPERATURE].values.ravel()
    error = points[f"{name}_sim_standard_error"].values.ravel() * scale
    options = {"fmt": "x", "markersize": 6.0, "zorder": 1.5}
    error_bars(axes, temperatures, sim.values.ravel(), error, label="simulated twin, all lr", colour=BLUE, **options)
    _bars(axes, points, real, points[f"{name}_real_standard_error"] * scale)


def _bars(axes: Axes, points: xr.Dataset, values: xr.DataArray, errors: xr.DataArray) -> None:
    for colour, marker, row in _rows(points, values, errors):
        label = f"real networks, lr = {float(row[schema.LR]):g}"
        options = {"fmt": marker, "markersize": 5.5, "markerfacecolor": "none"}
        error_bars(axes, row[schema.TEMPERATURE], row["value"], row["error"], label=label, colour=colour, **options)


def _rows(
    points: xr.Dataset, values: xr.DataArray, errors: xr.DataArray | None = None
) -> Iterator[tuple[Any, str, xr.Dataset]]:
    """Yield colour, marker and values of each learning rate."""
    variables = points[[]].assign(value=values, error=values * 0 if errors is None else errors)
    colours = ordered_colours(points.sizes[schema.LR])
    for k, colour in enumerate(colours):
        yield colour, _MARKERS[k % len(_MARKERS)], variables.isel({schema.LR: k})


def _exact_line(axes: Axes, value: float, label: str = "exact, quadratic loss") -> None:
    axes.axhline(value, color="black", linewidth=1.0, label=label, zorder=1)


def _at_least(axes: Axes, centre: float, half: float) -> None:
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, centre - half), max(high, centre + half))
