"""The lines of settings that the loop reads: one for a constant run, one for each step of a scheduled one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.integrators.base import Pace
from sgdphys.kernels import settings as place
from sgdphys.noises.base import READINGS

if TYPE_CHECKING:
    from sgdphys.simulation.dynamics import Dynamics
    from sgdphys.simulation.times import Clock, ScheduledClock

__all__ = [
    "SOME_TIMES", "bare_temperature", "check_schedules", "epochs", "most_scheduled_steps", "settings_lines",
]  # fmt: skip

Array = NDArray[np.float64]
MOST_LINES = 2**15  # steps of a stretch, where each has a line of its own
MOST_NUMBERS = 2**21  # of all these lines
SOME_TIMES = 257  # at which the highest temperature is looked for
CHECKED_STEPS = 2**12


def settings_lines(dynamics: Dynamics, clock: Clock | ScheduledClock, step: int, last: int) -> Array:
    """Return the settings of the steps from ``step`` to ``last``, see ``kernels.settings``.

    Parameters
    ----------
    dynamics
        What is simulated.
    clock
        Tells the times.
    step, last
        Present and last step; there is a line for the last one too, which observers read.

    Returns
    -------
    Array
        Shape (1, number) for a constant run, else (step, number) with at least two lines.
    """
    steps = np.arange(step, max(last, step + 1) + 1) if dynamics.scheduled else np.zeros(1, dtype=np.int64)
    pace = _pace(dynamics, clock, steps)
    head = np.zeros((len(steps), place.OWN))
    head[:, place.TIME] = clock.time(steps)
    head[:, place.DT] = pace.dt
    head[:, place.TEMPERATURE] = pace.temperature
    head[:, place.NEXT_TEMPERATURE] = pace.temperature
    noise = dynamics.noise
    amplitude = getattr(noise, "amplitude", None)
    head[:, place.AMPLITUDE] = (
        np.sqrt(2 * pace.temperature * pace.dt) if amplitude is None else amplitude(pace.temperature, pace.dt)
    )
    reading = getattr(noise, "interpretation", "ito"), getattr(dynamics.integrator, "interpretation", "ito")
    head[:, place.DIVERGENCE] = (READINGS[reading[1]] - READINGS[reading[0]]) * pace.temperature
    if dynamics.scheduled:
        _fill_schedules(head, dynamics, steps)
    head[:, place.BATCH_SIZE] = pace.batch_size
    return np.ascontiguousarray(np.concatenate([head, dynamics.integrator.settings(pace, dynamics.problem)], axis=1))


def check_schedules(dynamics: Dynamics, clock: Clock | ScheduledClock, first: int, last: int) -> None:
    """Evaluate what is scheduled in time at up to 4096 steps of the run, before the first of them.

    Raises
    ------
    ValueError
        A temperature is negative or not finite, or a protocol is not finite; the message names value and time.
    """
    steps = np.unique(np.linspace(first, last, min(last - first + 1, CHECKED_STEPS)).astype(np.int64))
    for curve in (dynamics.temperature_schedule, getattr(dynamics.landscape, "protocol", None)):
        if curve is not None:
            curve(clock.time(steps))


def most_scheduled_steps(dynamics: Dynamics, clock: Clock | ScheduledClock, step: int) -> int:
    """Return how many steps may have a line of settings each at a time."""
    numbers: int = settings_lines(dynamics, clock, step, step + 1).shape[1]
    return min(MOST_LINES, max(1, MOST_NUMBERS // numbers))


def _fill_schedules(head: Array, dynamics: Dynamics, steps: NDArray[np.int64]) -> None:
    """Write drive, the next step's temperature and drive, and the place in the data."""
    times = head[:, place.TIME]
    following = times + head[:, place.DT]
    head[:-1, place.NEXT_TEMPERATURE] = head[1:, place.TEMPERATURE]
    head[-1, place.NEXT_TEMPERATURE] = head[-1, place.TEMPERATURE]
    if dynamics.temperature_schedule is not None:
        head[:, place.NEXT_TEMPERATURE] = dynamics.temperature_schedule(following)
    protocol = getattr(dynamics.landscape, "protocol", None)
    if protocol is not None:
        head[:, place.DRIVE] = protocol(times)
        head[:, place.NEXT_DRIVE] = protocol(following)
    if dynamics.shuffled:
        head[:, place.EPOCH], head[:, place.OFFSET] = epochs(dynamics, steps)


def epochs(dynamics: Dynamics, steps: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return epoch of absolute steps, and place of their first sample within it; without shuffling, samples so far."""
    sgd: Any = dynamics.sgd
    if dynamics.sgd_schedule is not None:
        epoch, offset = dynamics.sgd_schedule.epoch_and_offset(steps)
        return np.asarray(epoch), np.asarray(offset)
    if dynamics.shuffled:
        batches = sgd.n_samples // sgd.batch_size
        return steps // batches, steps % batches * sgd.batch_size
    samples = steps * sgd.batch_size
    return samples // sgd.n_samples, samples % sgd.n_samples


def bare_temperature(dynamics: Dynamics, begin: float, end: float) -> float:
    """Return a temperature that tells the scale of the noise: the constant, or a schedule's highest in that time."""
    if dynamics.temperature is not None:
        return dynamics.temperature
    if dynamics.temperature_schedule is not None:
        return float(np.max(dynamics.temperature_schedule(np.linspace(begin, end, SOME_TIMES))))
    if dynamics.sgd_schedule is not None:
        return max(_scale(sgd) for sgd, _ in dynamics.sgd_schedule.stages)
    assert dynamics.sgd is not None
    return _scale(dynamics.sgd)


def _scale(sgd: Any) -> float:
    return float(sgd.temperature / (1 - sgd.momentum))


def _pace(dynamics: Dynamics, clock: Clock | ScheduledClock, steps: NDArray[np.int64]) -> Pace:
    ones = np.ones(len(steps))
    schedule = dynamics.sgd_schedule
    if schedule is not None:
        known = np.minimum(steps, schedule.n_steps - 1)
        sizes = schedule.batch_size(known).astype(np.float64)
        temperature = 0.0 * ones if dynamics.shuffled else schedule.temperature(known)
        return Pace(schedule.lr(known), temperature, sizes)
    sizes = ones * (1 if dynamics.sgd is None else dynamics.sgd.batch_size)
    if dynamics.temperature_schedule is not None:
        return Pace(dynamics.dt * ones, dynamics.temperature_schedule(clock.time(steps)), sizes)
    temperature = 0.0 if dynamics.temperature is None else dynamics.temperature
    return Pace(dynamics.dt * ones, temperature * ones, sizes)
