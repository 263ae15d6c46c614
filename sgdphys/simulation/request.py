"""The arguments of one run, and its plan."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.kernels.philox import check_counters
from sgdphys.observers.observation import Observer
from sgdphys.simulation.dynamics import Dynamics
from sgdphys.simulation.engine import Timetable
from sgdphys.simulation.starts import continued_state, starting_positions
from sgdphys.simulation.times import last_step, saved_steps

__all__ = ["Plan", "Request", "plan"]

Array = NDArray[np.float64]


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
        if self.storage not in ("float64", "float32"):
            raise ValueError(f"storage must be 'float64' or 'float32', got {self.storage!r}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be positive, got {self.threads}")
        n = self.n_particles
        if n is not None and (isinstance(n, bool) or int(n) != n or n < 1):
            raise ValueError(f"n_particles must be a positive integer, got {n}")

    def beginning(self) -> tuple[Array, int]:
        """Return the starting state (particle, row) and the absolute step."""
        dynamics = self.dynamics
        if hasattr(self.start, "data_vars"):
            return continued_state(self.start, dynamics.dim, self.n_particles, dynamics.rows)
        n_particles = 10_000 if self.n_particles is None else int(self.n_particles)
        positions = starting_positions(self.start, dynamics.landscape, n_particles, self.seed, self.point)
        velocities = np.zeros((n_particles, dynamics.rows - dynamics.dim))
        return np.concatenate([positions, velocities], axis=1), 0


@dataclass(frozen=True)
class Plan:
    """A request with its time axis worked out."""

    request: Request
    state: Array
    first: int
    last: int
    timetable: Timetable

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
                "start": _describe_start(request.start),
                "storage": request.storage,
            }
        )


def plan(request: Request) -> Plan:
    """Work out the time axis and the starting state, and check that the counters suffice."""
    dynamics = request.dynamics
    state, first = request.beginning()
    last = last_step(first, dynamics.dt, request.t1, request.n_steps)
    saved = saved_steps(request.save_at, first, last, dynamics.dt)
    observed = tuple(
        saved_steps([] if observer.at is None else observer.at, first, last, dynamics.dt, "at")
        for observer in request.observers
    )
    check_counters(particles=len(state), steps=last // 4 + 1, groups=dynamics.noise.channels(dynamics.dim))
    return Plan(request, state, first, last, Timetable(saved, observed))


def _describe_start(start: Any) -> Any:
    if start is None or (np.ndim(start) == 0 and not callable(start) and not hasattr(start, "data_vars")):
        return None if start is None else float(start)
    if callable(start):
        return f"callable {getattr(start, '__module__', '')}.{getattr(start, '__qualname__', repr(start))}"
    if hasattr(start, "data_vars"):
        return "an earlier cloud"
    values = np.asarray(start, dtype=np.float64)
    return values.tolist() if values.size <= 32 else f"array of shape {values.shape}, the first frame"
