"""The tables that a sweep prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sgdphys import schema
from sgdphys.cli.network_report import print_network_sweep
from sgdphys.cli.stationarity import not_stationary, notes
from sgdphys.cli.tables import pooled, print_table, with_error

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["finished_before", "print_landscape_sweep", "print_network_sweep"]


def finished_before(path: str) -> bool:
    """Return whether a complete store is at the path already."""
    from pathlib import Path

    from sgdphys.errors import StoreError
    from sgdphys.store import describe_store

    if not Path(path).expanduser().exists():
        return False
    try:
        return describe_store(path).complete
    except StoreError:
        return False  # the sweep itself will say what is wrong


def print_landscape_sweep(sweep: xr.Dataset) -> None:
    """Print the last frame of each temperature, means over the seeds with standard errors, beside exact values."""
    last = sweep.isel({schema.TIME: -1})
    seeds, time = sweep.sizes[schema.SEED], float(sweep[schema.TIME][-1])
    print(f"t = {time:g}, {seeds} seed{'s' * (seeds > 1)}; exact: Gibbs state on a grid; (..): standard error")
    names = {"entropy": "entropy", "mean_potential": "E[f]", "free_energy": "F"}
    header = ["T", *(column for name in names.values() for column in (name, "exact")), "KL", "diverged"]
    rows, apart = [], not_stationary(sweep)
    for k, temperature in enumerate(sweep[schema.TEMPERATURE].values):
        point = last.isel({schema.TEMPERATURE: k})
        row = [f"{temperature:g}{' *' if apart[k] else '  ' * bool(apart.any())}"]
        for name in names:
            row += [pooled(point, name), with_error(float(sweep[f"stationary_{name}"][k]))]
        rows.append([*row, pooled(point, "relative_entropy"), f"{float(point['diverged_fraction'].mean()):.2%}"])
    print_table(header, rows)
    print(*notes(sweep), sep="\n", end="\n" * bool(notes(sweep)))
