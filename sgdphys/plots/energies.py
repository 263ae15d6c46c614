"""Entropy, mean potential and free energy over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgdphys.plots.figures import BLUE, GREEN, GREY, RED, axis_label, finish_legend, new_figure

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_energies"]

_QUANTITIES = {
    "entropy": ("entropy", "H", BLUE),
    "mean_potential": ("mean potential", "E[Φ]", RED),
    "free_energy": ("free energy", "F", GREEN),
    "relative_entropy": ("relative entropy to stationary", "KL", GREY),
}


def draw_energies(energies: xr.Dataset, *, reference: xr.Dataset | None = None) -> Figure:
    """Draw what of entropy, mean potential, free energy and relative entropy a Dataset holds, over time.

    Parameters
    ----------
    energies
        Variables of the schema over ``time``, with their standard errors where they have one.
    reference
        The same from a grid, drawn as a line without errors.

    Returns
    -------
    Figure
        A panel for each quantity.

    Raises
    ------
    ValueError
        The Dataset holds none of them.
    """
    names = [name for name in _QUANTITIES if name in energies and energies[name].dims == ("time",)]
    if not names:
        raise ValueError(f"none of {', '.join(_QUANTITIES)} over time is in this Dataset")
    columns = len(names) if len(names) < 4 else 2
    figure, panels = new_figure(columns, len(names) // columns, width=4.0, height=3.2)
    for name, axes in zip(names, panels, strict=True):
        _draw_quantity(axes, energies, reference, name)
    finish_legend(panels)
    return figure


def _draw_quantity(axes: Axes, energies: xr.Dataset, reference: xr.Dataset | None, name: str) -> None:
    text, symbol, colour = _QUANTITIES[name]
    time, values = energies["time"].values, energies[name].values
    axes.plot(
        time,
        values,
        color=colour,
        linewidth=1.2,
        marker=".",
        markersize=4,
        label="cloud" if reference is not None else None,
    )
    error = energies.get(f"{name}_standard_error")
    if error is not None:
        band = np.nan_to_num(error.values)
        axes.fill_between(
            time,
            values - 2 * band,
            values + 2 * band,
            color=colour,
            alpha=0.25,
            linewidth=0,
            label="± 2 standard errors",
        )
    if reference is not None and name in reference:
        axes.plot(
            reference["time"].values, reference[name].values, color="black", linestyle="--", linewidth=1.0, label="grid"
        )
    axes.set(xlabel=axis_label(energies["time"], "time", "t"), ylabel=axis_label(energies[name], text, symbol))
