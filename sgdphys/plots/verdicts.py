"""Whether SGD on a network is a Langevin process: variances, SVAG scan, spectrum of the noise, judgements."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from sgdphys.plots.figures import BLUE, GREEN, GREY, PURPLE, RED, axis_label, error_bars, finish_legend, unit_text

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

__all__ = ["draw_validity", "is_validity"]

_COLOURS = {"agrees": GREEN, "disagrees": RED, "not resolved": PURPLE, "does not apply": GREY}
_COLUMNS = (0.0, 0.50, 0.66, 0.83)  # of the table, as shares of its width
_SIGNS = {"=": "", "<": "< ", ">": "> "}
_WIDTH = 150  # characters of the verdict in a line


def is_validity(dataset: xr.Dataset) -> bool:
    """Return whether a Dataset holds the rows of a verdict."""
    return "judgement" in dataset and "row_value" in dataset


def draw_validity(dataset: xr.Dataset) -> Figure:
    """Draw the verdict of ``network.validity``.

    Left: variance along each leading direction over its curvature, measured and predicted, with the measured ratio
    below. Right of it: variance against the refinement l of SVAG, over that of the stochastic equation at 1/l = 0; the
    eigenvalues of the gradient noise. Below: the table with its judgements and the verdict.

    Parameters
    ----------
    dataset
        Result of ``network.validity(sgd)``.

    Returns
    -------
    Figure
        To show or to save.

    Raises
    ------
    ValueError
        The Dataset is none of ``network.validity``.
    """
    if not is_validity(dataset):
        raise ValueError("the Dataset holds no verdict: give the result of network.validity(sgd)")
    figure = Figure(figsize=(13.2, 8.4), layout="constrained")
    grid = figure.add_gridspec(2, 3, height_ratios=(1.0, 1.25))
    panels = [figure.add_subplot(grid[0, column]) for column in range(3)]
    for axes, draw in zip(panels, (_variances, _scan, _spectrum), strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.set_axisbelow(True)
        draw(axes, dataset)
    finish_legend(panels)
    _table(figure.add_subplot(grid[1, :]), dataset)
    return figure


def _variances(axes: Axes, dataset: xr.Dataset) -> None:
    axes.set_title("variance along leading directions", fontsize=10)
    axes.set_xlabel(axis_label(dataset["curvature"], "curvature", "λ"))
    axes.set_ylabel("variance  [x²]")
    curvature = dataset["curvature"].values
    if "variance_predicted" not in dataset and "variance_real" not in dataset:
        _note(axes, "no stationary state")
        return
    if "variance_of_equation" in dataset:
        values = dataset["variance_of_equation"]
        axes.plot(curvature, values, "_", markersize=11, color=GREY, label="stochastic equation (Lyapunov)")
    if "variance_predicted" in dataset:
        label = "exact map" if "variance_of_equation" in dataset else "shuffled epochs"
        values = dataset["variance_predicted"]
        axes.plot(curvature, values, "_", markersize=11, mew=2, color=BLUE, label=f"theory: {label}")
    if "variance_real" in dataset:
        error = dataset["variance_real_standard_error"]
        error_bars(axes, curvature, dataset["variance_real"], error, label="real networks", colour=RED)
    if "variance_predicted" in dataset:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.set_ylim(low, high * (high / low) ** 0.3)  # room for the legend
    axes.set_xscale("log")


def _scan(axes: Axes, dataset: xr.Dataset) -> None:
    axes.set_title("SVAG: from the stochastic equation (0) to SGD (1)", fontsize=10)
    axes.set_xlabel("1/l")
    axes.set_ylabel("variance / that of the equation")
    if "refinement" not in dataset.dims:
        _note(axes, "not run, or does not apply")
        return
    inverse = 1 / dataset["refinement"].values
    axes.axhline(1.0, color=GREY, linewidth=0.8, linestyle=":")
    axes.plot(inverse, dataset["refined_variance_ratio_predicted"], "-", color=BLUE, label="theory: constant noise")
    error = dataset["refined_variance_ratio_standard_error"]
    error_bars(axes, inverse, dataset["refined_variance_ratio"], error, label="real networks", colour=RED)
    axes.set_xlim(0, 1.05)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.25 * (high - low))  # room for the legend


def _spectrum(axes: Axes, dataset: xr.Dataset) -> None:
    axes.set_title("spectrum of the gradient noise", fontsize=10)
    values = dataset["eigenvalue"].values
    values = values[values > 1e-12 * values[0]] if values[0] > 0 else values[:0]
    axes.set_xlabel("number of the eigenvalue")
    axes.set_ylabel("eigenvalue of C  [loss²/x²]")
    if not len(values):
        _note(axes, "no noise")
        return
    axes.loglog(np.arange(1, len(values) + 1), values, ".", markersize=3, color=BLUE, label="eigenvalues of C")
    along = np.sort(np.diag(dataset["noise_covariance"].values))[::-1]
    axes.loglog(np.arange(1, len(along) + 1), along, "o", markersize=4, mfc="none", color=RED,
                label="C along leading directions of H")  # fmt: skip
    low, high = axes.get_ylim()
    if high < 2 * low:  # one value, or some that hardly differ
        axes.set_ylim(low / 2, 2 * high)


def _note(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", color=GREY, transform=axes.transAxes)


def _table(axes: Axes, dataset: xr.Dataset) -> None:
    axes.set_axis_off()
    count = dataset.sizes["row"]
    heights = np.linspace(1.0, 0.12, count + 1)
    heads = ("quantity", "value", "expected", "judgement")
    for place, text in zip(_COLUMNS, heads, strict=True):
        axes.text(place, heights[0], text, fontsize=9, weight="bold", va="center")
    for number in range(count):
        row = dataset.isel(row=number)
        judgement = str(row["judgement"].item())
        colour = _COLOURS[judgement]
        for place, text in zip(_COLUMNS, _cells(row), strict=True):
            last = place == _COLUMNS[-1]
            axes.text(place, heights[number + 1], text, fontsize=8.5, va="center", color=colour if last else "black")
    verdict = textwrap.fill(f"verdict: {dataset.attrs.get('verdict', '')}", _WIDTH)
    axes.text(0.0, 0.0, verdict, fontsize=10, weight="bold", va="center")


def _cells(row: xr.Dataset) -> tuple[str, str, str, str]:
    value, error, expected = (float(row[name]) for name in ("row_value", "row_value_standard_error", "row_expected"))
    shown = "" if math.isnan(value) else f"{value:.4g}" + ("" if math.isnan(error) or not error else f" ± {error:.2g}")
    against = "" if math.isnan(expected) else f"{_SIGNS[str(row['row_relation'].item())]}{expected:.4g}"
    reason = str(row["row_reason"].item())
    judgement = "" if math.isnan(expected) and not reason else str(row["judgement"].item())
    unit = str(row["row_unit"].item())
    label = str(row["row_label"].item()) + (f"  [{unit_text(unit)}]" if unit != "1" else "")
    return label, shown, against, judgement + (f": {reason}" if reason else "")
