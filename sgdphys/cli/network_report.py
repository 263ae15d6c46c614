"""The tables that a sweep of a network prints: first what is compared, as ratios and differences, then the values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from sgdphys import schema
from sgdphys.cli.tables import pooled, print_table

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["print_network_sweep"]

_POINT = ("lr", "batch\nsize", "temperature\nlr/(2 batch)")
_COMPARED = (
    *_POINT, "steps", "variance\nreal/exact", "variance\ntwin/exact", "entropy\nreal - exact", "entropy\ntwin - exact",
)  # fmt: skip
_VALUES = (
    *_POINT, "variance\nreal", "variance\ntwin", "variance\nexact", "excess loss\nreal", "excess loss\nexact",
    "tr H at\nreplicas", "test error\nof replicas",
)  # fmt: skip
_SETTLED = 4.0  # 2 h t from which on a variance is within 2 % of its stationary value


def print_network_sweep(sweep: xr.Dataset) -> None:
    """Print two tables with a line for each learning rate and batch size, coldest first, and what their heads mean."""
    _print_meaning(sweep)
    points = sweep.stack(point=(schema.LR, schema.BATCH_SIZE), create_index=False)
    order = np.lexsort((points[schema.LR].values, points[schema.TEMPERATURE].values.round(12)))
    rows = [points.isel(point=int(k)) for k in order]
    k = sweep.sizes[schema.COORDINATE]
    print(f"\nratio of variances: mean over the {k} directions; entropy of the {k} directions in nat")
    print_table(_COMPARED, [[*_settings(row), *_comparison(row)] for row in rows])
    print(f"\nvariance: sum over the {k} directions; excess loss: mean loss - loss at the minimum")
    print_table(_VALUES, [[*_settings(row), *_values(row)] for row in rows])
    _print_slow_directions(sweep)


def _print_meaning(sweep: xr.Dataset) -> None:
    settings, times, k = json.loads(sweep.attrs["configuration"]), sweep[schema.TIME].values, len(sweep["curvature"])
    late = times[times >= times[-1] * (0.5 - 1e-9)]
    seeds = f" for each of {sweep.sizes[schema.SEED]} seeds" * (sweep.sizes[schema.SEED] > 1)
    print(
        f"minimum: loss {float(sweep['minimum_loss']):.5f}, tr H {float(sweep['minimum_hessian_trace']):.2f}, "
        f"test error {float(sweep['minimum_test_error']):.4f}"
    )
    print(f"real:  {settings['n_replicas']} networks{seeds}, trained by SGD from the minimum for t = {times[-1]:g}")
    print(f"twin:  {settings['n_particles']} particles{seeds}, simulated SGD on the local quadratic approximation")
    print(f"       in the {k} leading Hessian directions, from the minimum, with noise D = the measured covariance C")
    print("exact: discrete SGD map on the quadratic loss with constant noise C, from the minimum, at the same steps")
    print(f"all are averaged over {len(late)} times from t = {late[0]:g} to {late[-1]:g}, where t = lr * steps;")
    print(f"tr H (at {settings['n_flatness']} of the networks) and test error at the last; (..): standard error")


def _settings(point: xr.Dataset) -> list[str]:
    lr, batch_size = float(point[schema.LR]), int(point[schema.BATCH_SIZE])
    return [f"{lr:g}", f"{batch_size}", f"{float(point[schema.TEMPERATURE]):.3g}"]


def _comparison(point: xr.Dataset) -> list[str]:
    steps = round(float(point[schema.TIME][-1]) / float(point[schema.LR]))
    for cloud in ("real", "sim"):
        point[f"difference_{cloud}"] = point[f"entropy_{cloud}"] - point["entropy_predicted"]
        point[f"difference_{cloud}_standard_error"] = point[f"entropy_{cloud}_standard_error"]
    names = ("mean_ratio_real", "mean_ratio_sim", "difference_real", "difference_sim")
    return [f"{steps}", *(pooled(point, name) for name in names)]


def _values(point: xr.Dataset) -> list[str]:
    total = point[["variance_real", "variance_sim", "variance_predicted"]].sum(schema.COORDINATE)
    for name in ("variance_real", "variance_sim"):
        total[f"{name}_standard_error"] = np.sqrt((point[f"{name}_standard_error"] ** 2).sum(schema.COORDINATE))
    return [
        pooled(total, "variance_real"),
        pooled(total, "variance_sim"),
        _exact(total["variance_predicted"]),
        pooled(point, "excess_loss"),
        _exact(point["excess_loss_predicted"]),
        pooled(point, "hessian_trace"),
        pooled(point, "test_error"),
    ]


def _exact(values: xr.DataArray) -> str:
    value = float(values.mean())
    return f"{value:.4g}" if value >= 1e-3 else f"{value:.3e}"


def _print_slow_directions(sweep: xr.Dataset) -> None:
    momentum = json.loads(sweep.attrs["configuration"])["momentum"]
    relaxed = 2 * sweep["curvature"].values * float(sweep[schema.TIME][-1]) / (1 - momentum)
    slow = int((relaxed < _SETTLED).sum())
    if slow:
        slowest = f"2 h t = {relaxed.min():.2g} in the slowest"
        print(f"note: {slow} of the {len(relaxed)} directions have not relaxed ({slowest});")
        print("      real, twin and exact are on their way to the stationary state together; a longer --t1 gets there")
