"""The arguments of one run, and its plan."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.checks import whole_number
from sgdphys.kernels.philox import check_counters, key_of
from sgdphys.observers.observation import Observer
from sgdphys.simulation.bounds import LARGEST_STORED, bound_of, some_of
from sgdphys.simulation.continuations import refuse_other_data_order, refuse_other_velocity
from sgdphys.simulation.dynamics import Dynamics
from sgdphys.simulation.lines import check_schedules
from sgdphys.simulation.memory import refuse_above_memory
from sgdphys.simulation.starts import (
    DEFAULT_PARTICLES,
    continued_state,
    describe_numbers,
    describe_start,
    starting_positions,
)
from sgdphys.simulation.times import Clock, ScheduledClock, last_step, saved_steps
from sgdphys.simulation.timetable import Timetable

__all__ = ["Plan", "Request", "as_tuple", "plan"]

Array = NDArray[np.float64]
COPIES_OF_STATE = 3  # the start, the blocks, and one in passing


@dataclass(frozen=True)
class Request:
    """The arguments of ``simulate`` beyond its dynamics."""

    dynamics: Dynamics
    t1: float | None
    n_steps: int | None
    n_particles: int | None
    start: Any
    save_at: int | ArrayLike
    observers: tuple[Observer, ...]
    seed: int
    point: tuple[int, ...]
    threads: int | None
    block_size: int | None
    record_potential: bool
    storage: str
    store: str | os.PathLike[str] | None
    overwrite: bool
    resume: bool
    progress: bool | None

    def __post_init__(self) -> None:
        key_of(self.seed, *self.point)
        if not (isinstance(self.storage, str) and self.storage in {"float64", "float32"}):
            raise ValueError(f"storage must be 'float64' or 'float32', got {self.storage!r}")
        if self.threads is not None:
            object.__setattr__(self, "threads", whole_number("threads", self.threads))
        if self.n_particles is not None:
            object.__setattr__(self, "n_particles", whole_number("n_particles", self.n_particles))
        if self.store is not None and not isinstance(self.store, (str, os.PathLike)):
            raise ValueError(f"store must be a path, got {self.store!r:.60}")
        if self.store is None and (self.resume or self.overwrite):
            raise ValueError("resume= and overwrite= say what to do with a store that is there: give store=")
        if self.resume and self.overwrite:
            raise ValueError("give one of resume= (go on with the store) and overwrite= (replace it)")
        if self.record_potential and not hasattr(self.dynamics.landscape, "potential"):
            raise ValueError(f"{type(self.dynamics.landscape).__name__} has no potential: leave record_potential out")
        for observer in self.observers:
            if not callable(getattr(observer, "observe", None)) or isinstance(observer, type):
                raise ValueError(f"observers must be objects such as observers.Moments(), got {observer!r:.60}")

    def beginning(self) -> tuple[Array, int, Clock | ScheduledClock]:
        """Return the starting state (particle, row), the absolute step and the clock."""
        dynamics = self.dynamics
        if hasattr(self.start, "data_vars"):
            state, step = continued_state(self.start, dynamics.dim, self.n_particles, dynamics.rows)
            refuse_other_velocity(self.start, dynamics)
            refuse_other_data_order(self.start, step, dynamics)
            return state, step, _continued_clock(float(self.start["time"][-1]), step, dynamics)
        expected = DEFAULT_PARTICLES if self.n_particles is None else self.n_particles
        refuse_above_memory(
            8 * COPIES_OF_STATE * expected * dynamics.rows, f"the state of {expected} particles", "use fewer particles"
        )
        positions = starting_positions(self.start, dynamics.landscape, self.n_particles, self.seed, self.point)
        if dynamics.rows > dynamics.dim:
            velocities = np.zeros((len(positions), dynamics.rows - dynamics.dim))
            positions = np.concatenate([positions, velocities], axis=1)
        return positions, 0, _clock(dynamics, 0.0)


def _clock(dynamics: Dynamics, offset: float) -> Clock | ScheduledClock:
    schedule = dynamics.sgd_schedule
    return Clock(dynamics.dt, offset) if schedule is None else ScheduledClock(schedule, offset)


def _continued_clock(time: float, step: int, dynamics: Dynamics) -> Clock | ScheduledClock:
    """Return a clock that goes on from ``time``; without offset where it shows that time itself."""
    offset = time - _clock(dynamics, 0.0).time(step)
    return _clock(dynamics, 0.0 if abs(offset) <= 1e-6 * dynamics.dt + 1e-15 * abs(time) else offset)


@dataclass(frozen=True)
class Plan:
    """A request with its time axis worked out, and the coordinate beyond which a particle is lost."""

    request: Request
    state: Array
    first: int
    last: int
    clock: Clock | ScheduledClock
    timetable: Timetable
    bound: float

    @property
    def configuration(self) -> str:
        """What repeats the run, as JSON text; arrays are variables of the Dataset instead."""
        request = self.request
        return json.dumps(
            {
                "verb": "simulate",
                **request.dynamics.configuration(),
                "n_particles": len(self.state),
                "seed": request.seed,
                "point": list(request.point),
                "first_step": self.first,
                "last_step": self.last,
                "time_offset": self.clock.offset,
                "start": describe_start(request.start),
                "save_at": _described(request.save_at),
                "observers": [_described(observer) for observer in request.observers],
                "record_potential": bool(request.record_potential),
                "storage": request.storage,
            },
            default=_plain,
        )


def plan(request: Request) -> Plan:
    """Work out the time axis and the starting state, and check that the counters suffice."""
    dynamics = request.dynamics
    state, first, clock = request.beginning()
    if isinstance(clock, ScheduledClock):
        last = clock.last_step(first, request.t1, request.n_steps)
    else:
        last = last_step(first, dynamics.dt, request.t1, request.n_steps, clock.offset)
    channels = dynamics.noise.channels(dynamics.dim) * dynamics.integrator.deviates_per_channel
    check_counters(particles=len(state), steps=last, groups=channels)

    def steps(times: int | ArrayLike, name: str) -> NDArray[np.int64]:
        return saved_steps(times, first, last, dynamics.dt, name, clock.offset, clock)

    def looks(observer: Any) -> NDArray[np.int64]:
        if hasattr(observer, "steps"):
            return np.asarray(observer.steps(first, last, clock), dtype=np.int64)
        return steps([] if observer.at is None else observer.at, "at")

    check_schedules(dynamics, clock, first, last)
    observed = tuple(map(looks, request.observers))
    timetable = Timetable(steps(request.save_at, "save_at"), observed)
    if first == 0 and hasattr(dynamics.noise, "check_starts"):
        dynamics.noise.check_starts(some_of(state[:, : dynamics.dim]))
    bound = min(bound_of(dynamics, state, clock.time(first), clock.time(last)), LARGEST_STORED[request.storage])
    return Plan(request, state, first, last, clock, timetable, bound)


def as_tuple(name: str, values: Any) -> tuple[Any, ...]:
    """Return a sequence as a tuple; raise ValueError for anything else."""
    try:
        return tuple(values)
    except TypeError:
        raise ValueError(f"{name} must be a sequence such as a list, got {values!r:.60}") from None


def _described(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _described(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"observer": type(value).__qualname__, **fields}
    return describe_numbers(value) if isinstance(value, (list, tuple, np.ndarray, np.generic)) else value


def _plain(value: Any) -> Any:
    if hasattr(value, "configuration"):
        return value.configuration()
    return value.tolist() if hasattr(value, "tolist") else type(value).__qualname__
