"""One point of a sweep: the cloud over its frames, analysed and handed to the store stretch by stretch."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.errors import DivergenceWarning
from sgdphys.simulation import simulate

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    from sgdphys.store import Writer
    from sgdphys.sweeps.plans import SweepPlan
    from sgdphys.sweeps.references import Reference

    Array = NDArray[np.float64]

__all__ = ["ENERGIES", "MOMENTS", "run_point", "summary"]

ENERGIES = tuple(
    f"{name}{error}"
    for name in ("entropy", "mean_potential", "free_energy", "relative_entropy")
    for error in ("", "_standard_error")
)
MOMENTS = {
    "diverged_fraction": (schema.TIME,),
    "mean": (schema.TIME, schema.COORDINATE),
    "mean_standard_error": (schema.TIME, schema.COORDINATE),
    "covariance": (schema.TIME, schema.COORDINATE, "coordinate_2"),
    "variance_standard_error": (schema.TIME, schema.COORDINATE),
}  # dimensions of each
_STRETCH_WORK = 4e9  # particle-steps between two commits: some seconds
_STRETCH_BYTES = 64e6
_FEWEST = 10  # finite particles that a frame needs to be analysed


def run_point(
    plan: SweepPlan, place: tuple[int, int], reference: Reference, writer: Writer, report: Callable[[int], None]
) -> None:
    """Run one point from its last committed frame to its end.

    Parameters
    ----------
    plan
        The sweep.
    place
        Numbers of the temperature and of the seed.
    reference
        Stationary state at this temperature.
    writer
        Of the sweep's store.
    report
        Called with the particle-steps of each stretch.
    """
    first, state = writer.frames(place), writer.state(place)
    start = plan.start if state is None else _restored(state, plan.dt)
    step = 0 if state is None else int(state["step"])
    stretch = _stretch(plan)
    while first < len(plan.steps):
        last = min(first + stretch, len(plan.steps))
        cloud = _simulated(plan, place, start, step, plan.steps[first:last])
        frames = {name: values.astype(np.float64) for name, values in summary(cloud, reference).items()}
        if plan.keep == "cloud":
            frames["position"] = cloud["position"].values
        done = int(plan.steps[last - 1])
        report((done - step) * plan.n_particles)
        start, step, first = cloud.isel(time=[-1]), done, last
        writer.append(frames, point=place, state={"position": start["position"].values, "step": np.array(step)})
    writer.finish(point=place)


def summary(cloud: xr.Dataset, reference: Reference) -> dict[str, Array]:
    """Return energies and moments of every frame; NaN where too few particles are finite or they do not spread.

    Parameters
    ----------
    cloud
        The frames.
    reference
        Stationary state at their temperature.

    Returns
    -------
    dict
        ``ENERGIES`` and ``MOMENTS`` by name, time leading.
    """
    position = cloud["position"].values
    finite = np.isfinite(position).all(axis=2)
    usable = [frame for frame in range(len(position)) if _spread(position[frame], finite[frame])]
    columns = {name: np.full(len(position), np.nan) for name in ENERGIES}
    with np.errstate(over="ignore", invalid="ignore"):  # a particle on its way to infinity
        if usable:
            energies = reference.energies(cloud.isel(time=usable))
            for name in ENERGIES:
                if name in energies:
                    columns[name][usable] = energies[name].values
        rows = [_moments(frame[alive]) for frame, alive in zip(position, finite, strict=True)]
    columns["diverged_fraction"] = 1.0 - finite.mean(axis=1)
    return columns | {name: np.stack([row[name] for row in rows]) for name in MOMENTS if name != "diverged_fraction"}


def _spread(points: Array, alive: NDArray[np.bool_]) -> bool:
    return bool(alive.sum() >= _FEWEST and (np.ptp(points[alive], axis=0) > 0).all())


def _moments(points: Array) -> dict[str, Array]:
    count, dim = points.shape
    if count < _FEWEST:
        empty = np.full(dim, np.nan)
        return dict.fromkeys(("mean", "mean_standard_error", "variance_standard_error"), empty) | {
            "covariance": np.full((dim, dim), np.nan)
        }
    mean = points.mean(axis=0)
    centred = points - mean
    covariance = centred.T @ centred / count
    variance, fourth = np.diagonal(covariance), (centred**4).mean(axis=0)
    return {
        "mean": mean,
        "mean_standard_error": np.sqrt(variance / count),
        "covariance": covariance,
        "variance_standard_error": np.sqrt(np.maximum(fourth - variance**2, 0.0) / count),
    }


def _simulated(plan: SweepPlan, place: tuple[int, int], start: Any, step: int, steps: NDArray[np.int64]) -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DivergenceWarning)  # the sweep says so once, at its end
        return simulate(
            plan.landscape,
            plan.noise,
            temperature=plan.temperatures[place[0]],
            dt=plan.dt,
            n_steps=int(steps[-1]) - step,
            n_particles=plan.n_particles,
            start=start,
            save_at=steps * plan.dt,
            seed=plan.seeds[place[1]],
            point=(place[0],),
            threads=plan.threads,
            progress=False,
        )


def _stretch(plan: SweepPlan) -> int:
    """Return how many frames are simulated at once; the first needs two, because it may begin at step 0."""
    by_work = _STRETCH_WORK * len(plan.steps) / max(plan.particle_steps, 1)
    by_memory = _STRETCH_BYTES / (plan.n_particles * plan.landscape.dim * 8)
    return max(2, int(min(by_work, by_memory)))


def _restored(state: dict[str, Any], dt: float) -> xr.Dataset:
    position = (schema.TIME, schema.PARTICLE, schema.COORDINATE), state["position"]
    step = np.asarray(state["step"]).reshape(1)
    return xr.Dataset({"position": position}, {"time": dt * step, "step": ("time", step)})
