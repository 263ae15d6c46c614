"""The temperatures of a run's steps, from its configuration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys import integrators, schedules
from sgdphys.integrators.underdamped import Underdamped
from sgdphys.sgd import SGD

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from sgdphys.protocols import Array

    Counts = NDArray[np.int64]

__all__ = ["is_underdamped", "steps_and_temperatures"]


def steps_and_temperatures(dataset: xr.Dataset) -> tuple[Counts, Array] | None:
    """Return the absolute steps of a run, its end included, and their temperatures, as the observer of work meets them.

    Parameters
    ----------
    dataset
        Result of ``simulate``.

    Returns
    -------
    tuple or None
        Two arrays of shape (steps + 1,), the temperatures in x^2/loss; None where the configuration does not hold them,
        as for a temperature that is the user's own function, shuffled minibatches or a schedule of very many stages.
    """
    run = json.loads(dataset.attrs.get("configuration", "{}"))
    if "first_step" not in run:
        return None
    steps = np.arange(int(run["first_step"]), int(run["last_step"]) + 1)
    sgd, temperature = run.get("sgd"), run.get("temperature")
    if isinstance(sgd, dict) and "schedule" in sgd:
        return _of_stages(sgd, steps)
    if isinstance(temperature, dict):
        kind = getattr(schedules, str(temperature.get("schedule")), None)
        if kind is None:
            return None
        curve = kind(**{name: value for name, value in temperature.items() if name != "schedule"})
        return steps, np.asarray(curve(run["time_offset"] + run["dt"] * steps))
    return None if temperature is None else (steps, np.full(len(steps), float(temperature)))


def is_underdamped(dataset: xr.Dataset) -> bool:
    """Return whether the run's configuration names an integrator whose state has velocities."""
    name = json.loads(dataset.attrs.get("configuration", "{}")).get("integrator", "")
    kind = getattr(integrators, str(name).partition("(")[0], None)
    return isinstance(kind, type) and issubclass(kind, Underdamped)


def _of_stages(sgd: dict[str, Any], steps: Counts) -> tuple[Counts, Array] | None:
    if not isinstance(sgd["stages"], list) or sgd["sgd"]["sampling"] == "shuffle":
        return None
    stages = [(SGD(lr=lr, batch_size=size, **sgd["sgd"]), length) for lr, size, length in sgd["stages"]]
    schedule = schedules.SGDSchedule(stages)
    return steps, schedule.temperature(np.minimum(steps, schedule.n_steps - 1))
