"""Sweeps: clouds at many temperatures, learning rates and batch sizes, in one store that survives being killed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sgdphys.sweeps.landscape_sweeps import sweep
    from sgdphys.sweeps.network_sweeps import sweep_digits, sweep_network
    from sgdphys.sweeps.scales import gibbs_grid, suggested_time_step

_NAMES = {
    "gibbs_grid": "scales",
    "suggested_time_step": "scales",
    "sweep": "landscape_sweeps",
    "sweep_digits": "network_sweeps",
    "sweep_network": "network_sweeps",
}

__all__ = ["gibbs_grid", "suggested_time_step", "sweep", "sweep_digits", "sweep_network"]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'sgdphys.sweeps' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"sgdphys.sweeps.{_NAMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
