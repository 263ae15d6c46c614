"""The tables that a sweep prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgdphys import schema
from sgdphys.cli.stationarity import not_stationary, notes
from sgdphys.cli.tables import print_table, with_error

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["finished_before", "print_landscape_sweep", "print_network_sweep"]

_NETWORK_HEADER = (
    "lr", "batch", "T", "var real", "var sim", "var exact", "ratio real", "ratio sim", "entropy real", "sim", "exact",
    "excess loss", "exact", "tr H", "test error",
)  # fmt: skip


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
            row += [_pooled(point, name), with_error(float(sweep[f"stationary_{name}"][k]))]
        rows.append([*row, _pooled(point, "relative_entropy"), f"{float(point['diverged_fraction'].mean()):.2%}"])
    print_table(header, rows)
    print(*notes(sweep), sep="\n", end="\n" * bool(notes(sweep)))


def print_network_sweep(sweep: xr.Dataset) -> None:
    """Print a line for each learning rate and batch size: real cloud, simulated twin and exact prediction."""
    k = sweep.sizes[schema.COORDINATE]
    print(
        f"minimum: loss {float(sweep['minimum_loss']):.5f}, tr H {float(sweep['minimum_hessian_trace']):.2f}, "
        f"test error {float(sweep['minimum_test_error']):.4f}"
    )
    print(f"variance: sum over the {k} leading Hessian directions; ratio: to the exact one, mean over them")
    print("real: cloud of networks under SGD; sim: cloud of the twin; exact: discrete map on the quadratic loss")
    rows = []
    for i, lr in enumerate(sweep[schema.LR].values):
        for j, batch_size in enumerate(sweep[schema.BATCH_SIZE].values):
            point = sweep.isel({schema.LR: i, schema.BATCH_SIZE: j})
            rows.append(
                [f"{lr:g}", f"{batch_size}", f"{float(point[schema.TEMPERATURE]):.3g}", *_network_columns(point)]
            )
    print_table(_NETWORK_HEADER, rows)


def _network_columns(point: xr.Dataset) -> list[str]:
    total = point[["variance_real", "variance_sim", "variance_predicted"]].sum(schema.COORDINATE)
    for name in ("variance_real", "variance_sim"):
        errors = point[f"{name}_standard_error"]
        total[f"{name}_standard_error"] = np.sqrt((errors**2).sum(schema.COORDINATE))
    exact = {name: f"{float(point[name].mean()):.5g}" for name in ("entropy_predicted", "excess_loss_predicted")}
    return [
        _pooled(total, "variance_real"),
        _pooled(total, "variance_sim"),
        f"{float(total['variance_predicted'].mean()):.4g}",
        _pooled(point, "mean_ratio_real"),
        _pooled(point, "mean_ratio_sim"),
        _pooled(point, "entropy_real"),
        _pooled(point, "entropy_sim"),
        exact["entropy_predicted"],
        _pooled(point, "excess_loss"),
        exact["excess_loss_predicted"],
        _pooled(point, "hessian_trace"),
        _pooled(point, "test_error"),
    ]


def _pooled(point: xr.Dataset, name: str) -> str:
    errors = point[f"{name}_standard_error"].values
    return with_error(float(point[name].mean()), float(np.sqrt((errors**2).sum()) / errors.size))
