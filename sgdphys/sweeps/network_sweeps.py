"""A real network over learning rates and batch sizes: its clouds, its twin, and what theory says of both."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import sgdphys
from sgdphys import schema
from sgdphys.errors import DivergenceWarning
from sgdphys.network import digits_network
from sgdphys.simulation.progress import progress_bar
from sgdphys.store import PlannedArray, create_store, open_store
from sgdphys.sweeps.measurements import measure, remeasure
from sgdphys.sweeps.network_plans import NetworkPlan
from sgdphys.sweeps.network_points import (
    COMPARED,
    MEASURED,
    PREDICTED,
    NetworkSettings,
    run_network_point,
)
from sgdphys.sweeps.plans import distinct
from sgdphys.sweeps.stores import open_writer

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from sgdphys.network import Network
    from sgdphys.store import Writer
    from sgdphys.sweeps.measurements import Measurement

__all__ = ["sweep_digits", "sweep_network"]

_POINTS = (schema.LR, schema.BATCH_SIZE, schema.SEED)
_FEWEST_FRAMES = 3  # the start, and two in the second half


def sweep_network(
    network: Network,
    test_data: tuple[Any, Any] | None = None,
    *,
    lrs: Sequence[float],
    batch_sizes: Sequence[int],
    seeds: Sequence[int] = (0,),
    momentum: float = 0.0,
    rank: int = 20,
    t1: float = 60.0,
    n_frames: int = 11,
    n_replicas: int = 256,
    n_particles: int = 2048,
    n_flatness: int = 32,
    store: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    resume: bool = False,
    threads: int | None = None,
    progress: bool | None = None,
) -> xr.Dataset:
    r"""Compare clouds of real SGD with the network's twin and with exact theory over learning rates and batch sizes.

    At the minimum of the regularised loss the Hessian H and the gradient covariance C are measured. At each setting a
    cloud of replicas is trained by real SGD and the twin is simulated, both from the minimum, and both are compared in
    the leading Hessian directions with the exact covariance of the discrete map on the quadratic loss at the same
    steps, :math:`S_{k+1} = (1 - \mathrm{lr} H) S_k (1 - \mathrm{lr} H) + \mathrm{lr}^2 C / B` with :math:`S_0 = 0`
    (with momentum, that of heavy ball). The frames of the second half are averaged. H and C are dense: for up to some
    thousand parameters.

    Parameters
    ----------
    network
        Anywhere; the sweep goes to its minimum.
    test_data
        Inputs and integer labels for the test error; None leaves it out.
    lrs, batch_sizes, seeds
        Axes of the sweep, each value once.
    momentum
        Heavy-ball coefficient of all points.
    rank
        Number of leading Hessian directions.
    t1
        Length of each run in time, lr times steps, in x^2/loss.
    n_frames
        Frames of each run.
    n_replicas, n_particles
        Networks in a real cloud, particles in a simulated one.
    n_flatness
        Replicas at which the Hessian is measured.
    store, overwrite, resume, threads, progress
        As in ``sweep``.

    Returns
    -------
    xr.Dataset
        Over (lr, batch_size, seed): the variables of ``analysis.compare``, the same directions' ``variance_predicted``
        (averaged over the same frames; ``variance_growth_predicted`` frame by frame),
        ``mean_ratio_real`` and ``mean_ratio_sim`` (variance over prediction), entropies, excess loss measured and
        predicted, test error, trace and largest eigenvalue of the Hessian at replicas, with standard errors; the real
        clouds in reduced coordinates, ``position`` (..., time, particle, coordinate), and their loss at late frames.

    Raises
    ------
    ValueError
        A setting breaks its rule, or has no stationary state.

    Warns
    -----
    DivergenceWarning
        Replicas left for infinity; the numbers are those of the others.

    References
    ----------
    Chaudhari & Soatto 2018 (arXiv 1710.11029), section II; Liu, Ziyin, Ueda 2021 (arXiv 2012.03636), theorem 2, for S.
    """
    if int(n_frames) != n_frames or n_frames < _FEWEST_FRAMES:
        raise ValueError(f"n_frames must be a whole number of at least {_FEWEST_FRAMES}, got {n_frames}")
    times = np.linspace(0.0, t1, int(n_frames))
    settings = NetworkSettings(times, n_replicas, n_particles, n_flatness, test_data, threads)
    plan = NetworkPlan(
        network,
        tuple(map(float, distinct("lrs", lrs))),
        tuple(map(int, distinct("batch_sizes", batch_sizes))),
        tuple(map(int, distinct("seeds", seeds))),
        float(momentum),
        int(rank),
        settings,
    )
    if store is not None:
        result = _swept(plan, Path(store).expanduser(), progress, overwrite=overwrite, resume=resume)
    else:
        with tempfile.TemporaryDirectory(prefix="sgdphys-") as folder:
            result = _swept(plan, Path(folder) / "sweep.zarr", progress, overwrite=False, resume=False).load()
    _warn_of_divergence(result)
    return result


def sweep_digits(
    *,
    lrs: Sequence[float] = (0.05, 0.1, 0.2),
    batch_sizes: Sequence[int] = (8, 32, 128),
    device: str | None = None,
    **options: Any,
) -> xr.Dataset:
    """Sweep the small classifier of the bundled handwritten digits: 64-12-10 tanh, weight decay 5e-3, 1200 images.

    Parameters
    ----------
    lrs, batch_sizes
        Learning rates and batch sizes.
    device
        torch device of the real clouds; None means the CPU.
    options
        As in ``sweep_network``.

    Returns
    -------
    xr.Dataset
        As from ``sweep_network``; the test error is that of the other 597 images.

    Raises
    ------
    ValueError
        As from ``sweep_network``, or there is no such device.
    """
    from sgdphys import data

    split = data.digits()
    test_data = (split.test_inputs, split.test_labels)
    network = digits_network(device=device)
    return sweep_network(network, test_data, lrs=lrs, batch_sizes=batch_sizes, **options)


def _swept(plan: NetworkPlan, store: Path, progress: bool | None, *, overwrite: bool, resume: bool) -> xr.Dataset:
    measured: list[Measurement] = []

    def create() -> Writer:
        measured.append(measure(plan.network, plan.rank))
        for point in plan.points():
            measured[0].refuse_without_stationary_state(point.sgd)  # before anything is written
        return _new_store(plan, measured[0], store, overwrite=overwrite)

    writer = open_writer(store, plan.configuration(), create, overwrite=overwrite, resume=resume)
    if writer is not None:
        with writer:
            _run(plan, measured[0] if measured else remeasure(plan.network, writer.fixed()), writer, progress)
    return open_store(store)


def _new_store(plan: NetworkPlan, measurement: Measurement, path: Path, *, overwrite: bool) -> Writer:
    with_errors = [f"{name}{suffix}" for name in (*COMPARED, *MEASURED) for suffix in ("", "_standard_error")]
    planned = [PlannedArray.named(name, points=_POINTS) for name in (*with_errors, *PREDICTED)]
    planned += [
        PlannedArray.named("diverged_fraction", points=_POINTS, dims=()),
        PlannedArray.named("position", points=_POINTS, dtype="float32"),
        PlannedArray.named("potential", points=_POINTS),
        PlannedArray.named("variance_growth_predicted", points=_POINTS),
    ]
    fixed = _coordinates(plan).assign(measurement.variables())
    fixed["minimum_test_error"] = ((), _minimum_test_error(plan, measurement), schema.describe("minimum_test_error"))
    fixed.attrs = schema.attributes_of(plan.configuration(), sgdphys.__version__)
    sizes = {schema.PARTICLE: plan.settings.n_replicas}
    return create_store(path, fixed, planned, sizes=sizes, points=_POINTS, overwrite=overwrite)


def _coordinates(plan: NetworkPlan) -> xr.Dataset:
    temperatures = np.array([[lr / (2 * batch_size) for batch_size in plan.batch_sizes] for lr in plan.lrs])
    return xr.Dataset(
        coords={
            schema.LR: (schema.LR, list(plan.lrs), schema.describe("lr")),
            schema.BATCH_SIZE: (schema.BATCH_SIZE, list(plan.batch_sizes), schema.describe("batch_size")),
            schema.SEED: (schema.SEED, list(plan.seeds), schema.describe("seed")),
            schema.TIME: (schema.TIME, plan.settings.times, schema.describe("time")),
            schema.TEMPERATURE: ((schema.LR, schema.BATCH_SIZE), temperatures, schema.describe("temperature")),
            schema.COORDINATE: (schema.COORDINATE, schema.coordinate_names(plan.rank)),
        }
    )


def _minimum_test_error(plan: NetworkPlan, measurement: Measurement) -> float:
    if plan.settings.test_data is None:
        return float("nan")
    inputs, labels = plan.settings.test_data
    return float((measurement.network.outputs(inputs).argmax(axis=-1) != np.asarray(labels)).mean())


def _run(plan: NetworkPlan, measurement: Measurement, writer: Writer, progress: bool | None) -> None:
    replica_steps = {
        point.place: plan.settings.n_replicas * plan.settings.steps(point.sgd.lr) for point in plan.points()
    }
    total = int(sum(steps[-1] for steps in replica_steps.values()))
    with progress_bar("sweep", total, "replica-steps", shown=progress) as bar:
        for point in plan.points():
            bar.set_postfix_str(f"lr {point.sgd.lr:g}, batch size {point.sgd.batch_size}", refresh=False)
            done = writer.frames(point.place)
            bar.update(int(replica_steps[point.place][done - 1]) if done else 0)
            if not writer.finished(point.place):
                run_network_point(point, measurement, plan.settings, writer, bar.update)


def _warn_of_divergence(result: xr.Dataset) -> None:
    worst = float(result["diverged_fraction"].max())
    if worst > 0:
        warnings.warn(
            f"up to {worst:.2%} of the replicas left for infinity and are left out; a smaller lr keeps them",
            DivergenceWarning,
            stacklevel=3,
        )
