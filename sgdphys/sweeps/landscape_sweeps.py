"""The verb ``sweep``: one landscape at many temperatures and seeds."""

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
from sgdphys.simulation.progress import progress_bar
from sgdphys.store import PlannedArray, create_store, open_store
from sgdphys.sweeps.plans import SweepPlan
from sgdphys.sweeps.points import ENERGIES, MOMENTS, run_point
from sgdphys.sweeps.references import reference_of
from sgdphys.sweeps.stores import open_writer

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from typing import Literal

    from numpy.typing import ArrayLike

    from sgdphys.fokker_planck import Grid
    from sgdphys.protocols import Landscape, Noise
    from sgdphys.store import Writer
    from sgdphys.sweeps.references import Reference

__all__ = ["sweep"]

_POINTS = (schema.TEMPERATURE, schema.SEED)
_STATIONARY = ("entropy", "mean_potential", "free_energy", "variance")


def sweep(
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    temperatures: Sequence[float],
    seeds: Sequence[int] = (0,),
    dt: float | None = None,
    t1: float | None = None,
    n_steps: int | None = None,
    n_particles: int = 20_000,
    start: Any = None,
    save_at: int | ArrayLike = 11,
    keep: Literal["summary", "cloud"] = "summary",
    storage: Literal["float64", "float32"] = "float32",
    grid: Grid | None = None,
    store: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    resume: bool = False,
    threads: int | None = None,
    progress: bool | None = None,
) -> xr.Dataset:
    r"""Simulate a landscape at many temperatures and seeds, each with noise of its own, and analyse every cloud.

    Every frame of every point gives the entropy H, the mean potential E[f], the free energy F = E[f] - T c H
    for D = c I (for other noise -T log p_ss takes the place of f where a grid gives it), the relative entropy
    (F - F_eq)/(T c) to the stationary state, and moments, all with standard errors.

    Parameters
    ----------
    landscape, noise
        As in ``simulate``; ``noise=None`` means D = 1.
    temperatures
        Temperatures T; positive, each once.
    seeds
        Seeds; whole numbers, each once.
    dt
        Time step; None takes ``suggested_time_step`` at the highest temperature. The configuration holds it.
    t1, n_steps, n_particles, start, threads
        As in ``simulate``; ``start=None`` is the first known minimum of the landscape, else the origin.
    save_at
        Frames: their number, both ends included, or times.
    keep
        ``"cloud"`` keeps the positions too.
    storage
        Type of kept positions.
    grid
        Grid of the stationary reference; None chooses one for each temperature (up to two coordinates).
    store
        Directory of the store; None keeps the result in memory. A complete store of this sweep is returned as it is.
    overwrite, resume
        Replace the store that is there, or go on with it at the first missing point and frame, bit for bit; not both.
    progress
        True or False for the progress bar; None shows it in a terminal once the sweep takes more than a second.

    Returns
    -------
    xr.Dataset
        Variables over (temperature, seed, time), each with ``..._standard_error``, and ``stationary_entropy``,
        ``stationary_mean_potential``, ``stationary_free_energy`` and ``stationary_variance`` over temperature (NaN
        where there is no reference).
        Refused with ValueError where an argument breaks its rule, with StoreError where the store holds something else.

    Warns
    -----
    DivergenceWarning
        Particles left for infinity; the numbers are those of the others.

    References
    ----------
    Chaudhari & Soatto 2018 (arXiv 1710.11029), theorem 5, for F.
    """
    others = {"n_particles": n_particles, "start": start, "keep": keep, "storage": storage, "grid": grid}
    plan = SweepPlan.of(
        landscape, noise, temperatures, seeds, dt, (t1, n_steps), save_at, threads=threads, **others
    )  # fmt: skip
    if store is not None:
        result = _swept(plan, Path(store).expanduser(), progress, overwrite=overwrite, resume=resume)
    else:
        with tempfile.TemporaryDirectory(prefix="sgdphys-") as folder:
            result = _swept(plan, Path(folder) / "sweep.zarr", progress, overwrite=False, resume=False).load()
    _warn_of_divergence(result)
    return result


def _swept(plan: SweepPlan, store: Path, progress: bool | None, *, overwrite: bool, resume: bool) -> xr.Dataset:
    references: list[Reference] = []

    def create() -> Writer:
        references.extend(_references(plan))
        return _new_store(plan, references, store, overwrite=overwrite)

    writer = open_writer(store, plan.configuration(), create, overwrite=overwrite, resume=resume)
    if writer is not None:
        with writer:
            _run(plan, references or _references(plan), writer, progress)
    return open_store(store)


def _references(plan: SweepPlan) -> list[Reference]:
    start = None if callable(plan.start) or np.ndim(plan.start) > 1 else plan.start
    return [reference_of(plan.landscape, plan.noise, T, start, plan.grid) for T in plan.temperatures]


def _new_store(plan: SweepPlan, references: list[Reference], path: Path, *, overwrite: bool) -> Writer:
    planned = [PlannedArray.named(name, points=_POINTS) for name in ENERGIES]
    planned += [PlannedArray.named(name, points=_POINTS, dims=dims) for name, dims in MOMENTS.items()]
    if plan.keep == "cloud":
        planned.append(PlannedArray.named("position", points=_POINTS, dtype=plan.storage))
    sizes = {schema.PARTICLE: plan.n_particles, "coordinate_2": plan.landscape.dim}
    fixed = _coordinates(plan)
    for name in _STATIONARY:
        values = [reference.stationary[name] for reference in references]
        dims = schema.BY_NAME[f"stationary_{name}"].dims
        fixed[f"stationary_{name}"] = (dims, values, schema.describe(f"stationary_{name}"))
    fixed.attrs = schema.attributes_of(plan.configuration(), sgdphys.__version__)
    return create_store(path, fixed, planned, sizes=sizes, points=_POINTS, overwrite=overwrite)


def _coordinates(plan: SweepPlan) -> xr.Dataset:
    return xr.Dataset(
        coords={
            schema.TEMPERATURE: (schema.TEMPERATURE, list(plan.temperatures), schema.describe("temperature")),
            schema.SEED: (schema.SEED, list(plan.seeds), schema.describe("seed")),
            schema.TIME: (schema.TIME, plan.steps * plan.dt, schema.describe("time")),
            schema.STEP: (schema.TIME, plan.steps, schema.describe("step")),
            schema.COORDINATE: (schema.COORDINATE, plan.coordinate_names),
        }
    )


def _run(plan: SweepPlan, references: list[Reference], writer: Writer, progress: bool | None) -> None:
    places = list(np.ndindex(len(plan.temperatures), len(plan.seeds)))
    total = len(places) * plan.particle_steps
    with progress_bar("sweep", total, "particle-steps", shown=progress) as bar:
        for i, j in places:
            bar.set_postfix_str(f"T = {plan.temperatures[i]:g}, seed {plan.seeds[j]}", refresh=False)
            if writer.finished((i, j)):
                bar.update(plan.particle_steps)
                continue
            if writer.frames((i, j)):
                bar.update(int(plan.steps[writer.frames((i, j)) - 1]) * plan.n_particles)
            run_point(plan, (i, j), references[i], writer, bar.update)


def _warn_of_divergence(result: xr.Dataset) -> None:
    worst = result["diverged_fraction"].isel(time=-1).max(schema.SEED)
    if bool((worst > 0).any()):
        temperature = float(worst[schema.TEMPERATURE][int(np.argmax(worst.values))])
        warnings.warn(
            f"up to {float(worst.max()):.2%} of the particles left for infinity (at T = {temperature:g}) and are left "
            "out; a smaller dt, or a landscape that rises on all sides, keeps them",
            DivergenceWarning,
            stacklevel=3,
        )
