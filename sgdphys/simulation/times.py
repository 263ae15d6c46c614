"""Time axes: how many steps, and which of them are saved."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.checks import finite_number, whole_number
from sgdphys.schedules import SGDSchedule
from sgdphys.simulation.memory import refuse_above_memory

__all__ = ["Clock", "ScheduledClock", "last_step", "saved_steps"]

Steps = NDArray[np.int64]
Times = NDArray[np.float64]


@dataclass(frozen=True)
class Clock:
    """Tells the time of a step: ``offset + dt * step``.

    The offset differs from 0 only where an earlier cloud of another time step is continued; then time is the sum of
    the steps taken.
    """

    dt: float
    offset: float = 0.0

    @overload
    def time(self, step: int) -> float: ...
    @overload
    def time(self, step: Steps) -> Times: ...
    def time(self, step: int | Steps) -> float | Times:
        """Return the time of a step or of an array of steps."""
        elapsed: float | Times = np.multiply(self.dt, step)
        return self.offset + elapsed

    def steps(self, time: float) -> float:
        """Return the number of steps, not always whole, at which the clock shows a time."""
        return (time - self.offset) / self.dt

    def nearest(self, times: Times) -> Times:
        """Return the nearest steps of an array of times, whole numbers as float64."""
        return np.asarray(np.round((times - self.offset) / self.dt))


@dataclass(frozen=True)
class ScheduledClock:
    """Tells the time of a step of scheduled SGD: the sum of the learning rates before it."""

    schedule: SGDSchedule
    offset: float = 0.0

    @overload
    def time(self, step: int) -> float: ...
    @overload
    def time(self, step: Steps) -> Times: ...
    def time(self, step: int | Steps) -> float | Times:
        """Return the time of a step or of an array of steps."""
        times = self.offset + self.schedule.times(step)
        return times if np.ndim(step) else float(times)

    def steps(self, time: float) -> float:
        """Return the number of steps, not always whole, at which the clock shows a time."""
        times, count = self._times, len(self._times)
        unnoticed = 1e-12 * max(abs(times[0]), abs(times[-1]))  # the rounding of a sum of learning rates
        for end in (times[0], times[-1]):
            time = end if abs(time - end) <= unnoticed else time
        return float(np.interp(time, times, np.arange(count), left=-1.0, right=count))

    def nearest(self, times: Times) -> Times:
        """Return the nearest steps of an array of times, whole numbers as float64; those beyond the ends lie beyond."""
        return np.asarray(np.round([self.steps(time) for time in times]))

    @functools.cached_property
    def _times(self) -> Times:
        return self.offset + self.schedule.times(np.arange(self.schedule.n_steps + 1))

    def last_step(self, first: int, t1: float | None, n_steps: int | None) -> int:
        """Return the absolute last step: the end of the schedule unless ``t1`` or ``n_steps`` is given.

        Returns
        -------
        int
            The step.

        Raises
        ------
        ValueError
            It lies beyond the schedule or before the beginning, or t1 is no time of a step.
        """
        end = self.schedule.n_steps
        if t1 is not None and n_steps is not None:
            raise ValueError("give at most one of t1= (end time) and n_steps= (number of steps) with a schedule")
        if t1 is not None:
            last = self._step_at(finite_number("t1", t1))
        else:
            last = end if n_steps is None else first + whole_number("n_steps", n_steps)
        if not first < last <= end:
            raise ValueError(f"the schedule has {end} steps, the run would go from step {first} to step {last}")
        return last

    def _step_at(self, t1: float) -> int:
        exact = self.steps(t1)
        if abs(exact - round(exact)) > 1e-6:
            below, above = (self.time(int(step)) for step in (np.floor(exact), np.ceil(exact)))
            raise ValueError(
                f"t1 must be a time of a step of the schedule, got {t1:g}; "
                f"the nearest are {below:.12g} and {above:.12g}"
            )
        return round(exact)


def last_step(first: int, dt: float, t1: float | None, n_steps: int | None, offset: float = 0.0) -> int:
    """Return the absolute number of the last step.

    Parameters
    ----------
    first
        Absolute step at which the run begins.
    dt
        Time step, in x^2/loss; the learning rate for SGD.
    t1
        Absolute end time, a multiple of dt.
    n_steps
        Number of further steps; give this or ``t1``.
    offset
        Offset of the run's clock.

    Returns
    -------
    int
        The absolute last step.

    Raises
    ------
    ValueError
        Both or none were given, t1 is no multiple of dt or lies before the beginning, or a number is not positive.
    """
    if (t1 is None) == (n_steps is None):
        raise ValueError("give exactly one of t1= (end time) and n_steps= (number of steps)")
    if n_steps is not None:
        return first + whole_number("n_steps", n_steps)
    assert t1 is not None
    t1 = finite_number("t1", t1)
    clock = Clock(dt, offset)
    exact = clock.steps(t1)
    last = round(exact)
    if last < first or (last == first and exact <= first):
        raise ValueError(f"t1 must lie after the beginning of the run at time {clock.time(first):g}, got {t1:g}")
    if abs(exact - last) > 1e-6 + 1e-15 * abs(exact):
        below, above = clock.time(int(np.floor(exact))), clock.time(int(np.ceil(exact)))
        raise ValueError(
            f"t1 must be a multiple of the time step {dt:g}, got {t1:g}; the nearest are {below:.12g} and {above:.12g}"
        )
    return last


def saved_steps(
    save_at: int | ArrayLike,
    first: int,
    last: int,
    dt: float,
    name: str = "save_at",
    offset: float = 0.0,
    clock: Clock | ScheduledClock | None = None,
) -> Steps:
    """Return the absolute steps that are saved, increasing and without repetition.

    Parameters
    ----------
    save_at
        Number of equally spaced frames including both ends (1: the end only, 0: none), or times, which are snapped to
        the nearest step. More frames than steps are one frame a step.
    first, last
        Absolute first and last step.
    dt
        Time step.
    name
        What the messages call the argument.
    offset
        Offset of the run's clock.
    clock
        The run's clock, where it is not that of a constant dt.

    Returns
    -------
    Steps
        The steps, int64.

    Raises
    ------
    ValueError
        The number is negative or not whole, or a time is not finite or lies outside the run.
    MemoryLimitError
        The steps alone would not fit into memory.
    """
    if not isinstance(save_at, (list, tuple)) and np.ndim(save_at) == 0:
        what = f"{name}, a number of frames unless it is a list of times,"
        count = min(whole_number(what, np.asarray(save_at).item(), least=0), last - first + 1)
        refuse_above_memory(32 * count, f"{name}: a list of {count} steps", "use fewer of them")
        return np.unique(np.round(np.linspace(first, last, count)).astype(np.int64)) if count > 1 else _end(last, count)
    times = _as_times(save_at, name)
    if times.ndim != 1 or not np.all(np.isfinite(times)):
        raise ValueError(f"{name} must be a number of frames or a list of finite times, got shape {times.shape}")
    clock = Clock(dt, offset) if clock is None else clock
    steps = clock.nearest(times)
    if len(steps) and (steps.min() < first or steps.max() > last):
        raise ValueError(
            f"{name} must lie between {clock.time(first):g} and {clock.time(last):g}, "
            f"got {times.min():g} to {times.max():g}"
        )
    return np.unique(steps.astype(np.int64))


def _as_times(save_at: int | ArrayLike, name: str) -> Times:
    try:
        return np.asarray(save_at, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number of frames or a list of finite times, got {save_at!r:.60}") from None


def _end(last: int, count: int) -> Steps:
    return np.full(count, last, dtype=np.int64)
