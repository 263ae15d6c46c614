"""Work, reduced work and heat of a cloud whose every step is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.analysis.frames import frame_count
from sgdphys.analysis.temperatures_of_run import steps_and_temperatures
from sgdphys.observers.staged_energies import StagedEnergy
from sgdphys.schedules import as_schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sgdphys.protocols import Array, Landscape

    Counts = NDArray[np.int64]
    Energy = Callable[[Array], Array]

__all__ = ["path_work"]


def path_work(
    cloud: xr.Dataset,
    energy: Landscape | Sequence[tuple[Landscape, int]],
    *,
    temperature: float | Callable[[Any], Any] | None = None,
) -> xr.Dataset:
    r"""Return work, reduced work and heat of each particle of a cloud that holds every step.

    As :class:`sgdphys.observers.Work` does during the run: energy and temperature change where a step has arrived,

    .. math:: w = \sum_k \frac{f(x_k, t_k)}{T_k} - \frac{f(x_k, t_{k-1})}{T_{k-1}} .

    Velocities of underdamped motion are not looked at.

    Parameters
    ----------
    cloud
        A cloud with every step from the first to the last (``save_at=`` more frames than steps).
    energy
        A landscape, also a ``landscapes.Driven`` one; or pairs (landscape, number of steps), one a stage.
    temperature
        T as a number or a function of time; None for that of the configuration.

    Returns
    -------
    xr.Dataset
        ``work``, ``reduced_work`` and ``heat`` (particle), NaN for lost particles, with the cloud's attributes.

    Raises
    ------
    ValueError
        Steps are missing between the frames, the temperature is not known or not positive, or the energy does not fit.

    References
    ----------
    Jarzynski 1997, Phys. Rev. Lett. 78, 2690, equation 2.
    """
    frames = frame_count(cloud)
    steps = _every_step(cloud)
    times = np.asarray(cloud[schema.TIME].values, dtype=np.float64)
    temperatures = _temperatures(cloud, steps, times, temperature)
    staged: Any = StagedEnergy(energy) if isinstance(energy, (list, tuple)) else energy
    energies = [_at(staged, step, time) for step, time in zip(steps, times, strict=True)]
    position = np.asarray(cloud["position"].values, dtype=np.float64)
    first = energies[0](position[0])
    work, reduced, last = np.zeros_like(first), np.zeros_like(first), first
    for frame in range(1, frames):
        before, last = energies[frame - 1](position[frame]), energies[frame](position[frame])
        work += last - before
        reduced += last / temperatures[frame] - before / temperatures[frame - 1]
    columns = {"work": work, "reduced_work": reduced, "heat": last - first - work}
    variables = {name: (schema.PARTICLE, values, schema.describe(name)) for name, values in columns.items()}
    return xr.Dataset(variables, attrs=dict(cloud.attrs))


def _every_step(cloud: xr.Dataset) -> Counts:
    if schema.STEP not in cloud.coords:
        raise ValueError("the cloud does not tell its steps, so that work done between frames cannot be excluded")
    steps = np.asarray(cloud[schema.STEP].values, dtype=np.int64)
    if len(steps) < 2 or np.any(np.diff(steps) != 1):
        gap = int(np.diff(steps).max(initial=0))
        raise ValueError(
            f"work needs every step of the run, this cloud holds {len(steps)} frames up to {gap} steps apart: save "
            "more frames than steps with save_at=, or let observers.Work() sum during the run"
        )
    return steps


def _temperatures(cloud: xr.Dataset, steps: Counts, times: Array, temperature: Any) -> Array:
    if temperature is not None:
        values = as_schedule("temperature", temperature, sign="positive")(times)
    else:
        known = steps_and_temperatures(cloud)
        if known is None:
            raise ValueError("the configuration does not tell the temperatures of this cloud: give temperature=")
        values = known[1][np.clip(steps - known[0][0], 0, len(known[1]) - 1)]
    if np.any(values <= 0):
        raise ValueError(f"the temperature must be positive at all {len(times)} frames: let it end above 0")
    return values


def _at(energy: Any, step: int, time: float) -> Energy:
    """Return the potential that holds at a step."""
    if isinstance(energy, StagedEnergy):
        landscape: Any = energy.at(step)
    else:
        landscape = energy.at(time) if hasattr(energy, "protocol") else energy
    if not hasattr(landscape, "potential"):
        raise ValueError(f"energy must be a landscape or pairs of landscape and number of steps, got {energy!r:.60}")
    return lambda points: np.asarray(landscape.potential(points), dtype=np.float64)
