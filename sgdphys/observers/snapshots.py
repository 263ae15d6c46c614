"""The last states of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sgdphys.checks import whole_number
from sgdphys.kernels import ObserverKernel
from sgdphys.kernels.keeping import keep_state
from sgdphys.observers.naming import NamedObserver
from sgdphys.observers.observation import Observation, Run, Timing, Variables

__all__ = ["Snapshots"]

_KERNEL = ObserverKernel(keep_state)


@dataclass(frozen=True)
class Snapshots(NamedObserver):
    """The states of all particles at the end of the run and some steps before, beside other frames or without any.

    Variables: ``snapshot_time``, ``snapshot_position(snapshot_time, particle, coordinate)`` and, where there are
    velocities, ``snapshot_velocity``; NaN for lost particles. Memory: 8 bytes per particle, snapshot and row of the
    state.

    Parameters
    ----------
    last
        How many; fewer where the run is too short.
    every
        Steps between them.
    name
        Word that begins the names of the variables.

    Raises
    ------
    ValueError
        A number is not whole or not positive.
    """

    last: int = 1
    every: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "last", whole_number("last", self.last))
        object.__setattr__(self, "every", whole_number("every", self.every))

    def steps(self, first: int, last: int, clock: Timing) -> NDArray[np.int64]:  # noqa: ARG002
        """Return the absolute steps of the snapshots."""
        count = min(self.last, (last - first) // self.every + 1)
        return last - self.every * np.arange(count, dtype=np.int64)[::-1]

    def observe(self, run: Run) -> Observation:
        """Return the observer made ready for a run."""
        count = len(self.steps(run.first, run.last, run.clock))
        return Observation(
            kernel=_KERNEL,
            parameters=np.array([float(run.dim), run.bound]),
            result=lambda own, _tables, times: self.named(_variables(own, run, times)),
            own_rows=count * run.rows,
            initial=np.nan,
        )


def _variables(own: NDArray[np.float64], run: Run, times: NDArray[np.float64]) -> Variables:
    states = own.reshape(len(times), run.rows, -1).transpose(0, 2, 1)
    axes = ("snapshot_time", "particle", "coordinate")
    velocity: Variables = {} if run.overdamped else {"snapshot_velocity": (axes, states[..., run.dim :])}
    return {
        "snapshot_time": (("snapshot_time",), times),
        "snapshot_position": (axes, states[..., : run.dim]),
        **velocity,
    }
