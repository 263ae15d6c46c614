"""Stochastic gradient descent as a physical process: clouds, densities, temperatures, and the networks behind them.

Public names load on first use, so that ``import sgdphys`` stays light (none of torch, matplotlib, numba, zarr).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sgdphys import (
        analysis,
        data,
        fokker_planck,
        integrators,
        landscapes,
        network,
        noises,
        observers,
        plots,
        schedules,
        sweeps,
        theory,
    )
    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.network.clouds.training import train
    from sgdphys.network.problem import Network
    from sgdphys.schedules.stages import SGDSchedule
    from sgdphys.sgd import SGD
    from sgdphys.simulation import simulate
    from sgdphys.store import open_store as open  # noqa: A004 - the public name is sgdphys.open
    from sgdphys.sweeps import sweep

_MODULES = {
    "analysis",
    "data",
    "fokker_planck",
    "integrators",
    "landscapes",
    "network",
    "noises",
    "observers",
    "plots",
    "schedules",
    "sweeps",
    "theory",
}
_NAMES = {
    "SGD": ("sgdphys.sgd", "SGD"),
    "SGDSchedule": ("sgdphys.schedules.stages", "SGDSchedule"),
    "Grid": ("sgdphys.fokker_planck.grid", "Grid"),
    "Network": ("sgdphys.network.problem", "Network"),
    "simulate": ("sgdphys.simulation", "simulate"),
    "train": ("sgdphys.network.clouds.training", "train"),
    "sweep": ("sgdphys.sweeps", "sweep"),
    "open": ("sgdphys.store", "open_store"),
}

__all__ = [
    "SGD", "Grid", "Network", "SGDSchedule", "__version__", "analysis", "data", "fokker_planck", "integrators",
    "landscapes", "network", "noises", "observers", "open", "plots", "schedules", "simulate", "sweep", "sweeps",
    "theory", "train",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"sgdphys.{name}")
    if name in _NAMES:
        module, attribute = _NAMES[name]
        value = getattr(importlib.import_module(module), attribute)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'sgdphys' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
