"""The only door to matplotlib: functions from Datasets to Figures and films.

Figures are made without pyplot, so nothing global changes and no window opens; ``save_figure`` writes them,
and ``animate`` writes films.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sgdphys.plots.animations import animate
    from sgdphys.plots.clouds import draw_cloud
    from sgdphys.plots.currents import draw_current
    from sgdphys.plots.densities import draw_density
    from sgdphys.plots.energies import draw_energies
    from sgdphys.plots.figures import save_figure
    from sgdphys.plots.network_sweeps import draw_network_sweep
    from sgdphys.plots.potentials import draw_potential
    from sgdphys.plots.recognition import draw_dataset
    from sgdphys.plots.relaxation_spectra import draw_relaxation_spectrum
    from sgdphys.plots.temperature_sweeps import draw_temperature_sweep
    from sgdphys.plots.verdicts import draw_validity

_NAMES = {
    "animate": "animations",
    "draw_cloud": "clouds",
    "draw_current": "currents",
    "draw_dataset": "recognition",
    "draw_density": "densities",
    "draw_energies": "energies",
    "draw_network_sweep": "network_sweeps",
    "draw_potential": "potentials",
    "draw_relaxation_spectrum": "relaxation_spectra",
    "draw_temperature_sweep": "temperature_sweeps",
    "draw_validity": "verdicts",
    "save_figure": "figures",
}

__all__ = [
    "animate", "draw_cloud", "draw_current", "draw_dataset", "draw_density", "draw_energies", "draw_network_sweep",
    "draw_potential", "draw_relaxation_spectrum", "draw_temperature_sweep", "draw_validity", "save_figure",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'sgdphys.plots' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"sgdphys.plots.{_NAMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
