"""The observers' memory, in two arrays that compiled code can index: of each particle, and tables."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels.observing import GRANULE
from sgdphys.observers.observation import Observation
from sgdphys.simulation.memory import refuse_above_memory

__all__ = ["ObserverMemory"]

Array = NDArray[np.float64]
ALL_BLOCKS = 2**62  # blocks per unit where a whole task shares a table


class ObserverMemory:
    """What the observers keep, and where it lies.

    ``own`` holds (block, row, lane) of each observer, ``tables`` (unit, row, column), with a unit for each granule of
    4096 particles, or for each task where the tables are exact counts.

    Parameters
    ----------
    observations
        The observers made ready.
    times
        How many times each of them looks at.
    n_blocks, width
        Number and lanes of the blocks.
    tasks
        Into how many parts the ensemble is cut for the threads, at most.
    """

    def __init__(
        self, observations: Sequence[Observation], times: Sequence[int], n_blocks: int, width: int, tasks: int
    ) -> None:
        self.observations = observations
        self.addresses = np.array([observation.kernel.address for observation in observations], dtype=np.uint64)
        self.parameters = np.concatenate([*(observation.parameters for observation in observations), np.zeros(0)])
        self.has_granules = any(o.columns and not o.counts for o in observations)
        self._blocks_per_unit = [ALL_BLOCKS if o.counts else GRANULE // width for o in observations]
        self._own_shapes = [(n_blocks, o.own_rows, width) for o in observations]
        units = [tasks if o.counts else -(-n_blocks * width // GRANULE) for o in observations]
        self._shapes = [
            (unit if o.columns else 0, o.rows or count, o.columns)
            for o, count, unit in zip(observations, times, units, strict=True)
        ]
        self._own_ends = list(itertools.accumulate(map(math.prod, self._own_shapes), initial=0))
        self._ends = list(itertools.accumulate(map(math.prod, self._shapes), initial=0))
        refuse_above_memory(
            8 * int(self._own_ends[-1] + self._ends[-1]),
            f"the observers' memory of {n_blocks * width} particles",
            "let them look at fewer times, keep fewer states or count in fewer cells",
        )
        self.own = np.empty(int(self._own_ends[-1]))
        for observation, (first, last) in zip(observations, itertools.pairwise(self._own_ends), strict=True):
            self.own[first:last] = observation.initial
        self.tables = np.zeros(int(self._ends[-1]))

    def layout(self, first_block: int, task: int) -> NDArray[np.int64]:
        """Return what the loop needs to find an observer's memory, for a task that begins at this block."""
        lengths = [len(observation.parameters) for observation in self.observations]
        starts = np.cumsum([0, *lengths])
        lines = []
        for k, (_units, rows, columns) in enumerate(self._shapes):
            blocks = self._blocks_per_unit[k]
            unit = task if blocks == ALL_BLOCKS else first_block // blocks
            _blocks, own_rows, width = self._own_shapes[k]
            own = self._own_ends[k] + first_block * own_rows * width
            table = self._ends[k] + unit * rows * columns
            every = self.observations[k].every_step
            lines.append((every, own_rows, own, blocks, rows, columns, table, starts[k], lengths[k]))
        return np.array(lines, dtype=np.int64).reshape(len(lines), 9)

    def _own(self, k: int) -> Array:
        return self.own[self._own_ends[k] : self._own_ends[k + 1]].reshape(self._own_shapes[k])

    def _table(self, k: int) -> Array:
        return self.tables[self._ends[k] : self._ends[k + 1]].reshape(self._shapes[k])

    def of(self, k: int, n_particles: int) -> tuple[Array, Array]:
        """Return observer k's memory of the particles (row, particle) and its tables (unit, row, column)."""
        own, table = self._own(k), self._table(k)
        if self.observations[k].counts:
            table = table.sum(axis=0, keepdims=True)
        return own.transpose(1, 0, 2).reshape(own.shape[1], own.shape[0] * own.shape[2])[:, :n_particles], table

    def saved(self, n_particles: int) -> dict[str, Array]:
        """Return a copy of all memory by name, in a form that does not depend on the width of a block."""
        saved = {}
        for k, observation in enumerate(self.observations):
            own, table = self.of(k, n_particles)
            if observation.own_rows:
                saved[f"observer_{k}_own"] = own.copy()
            if observation.columns:
                saved[f"observer_{k}"] = table.copy()
        return saved

    def restore(self, saved: dict[str, NDArray[np.float64]]) -> None:
        """Take over memory that :meth:`saved` returned, perhaps for blocks of another width."""
        for k, observation in enumerate(self.observations):
            if observation.columns:
                table = self._table(k)
                table[...] = 0.0
                table[: len(saved[f"observer_{k}"])] = saved[f"observer_{k}"]
            if observation.own_rows:
                own, values = self._own(k), saved[f"observer_{k}_own"]
                units, rows, width = own.shape
                padded = np.full((rows, units * width), observation.initial)
                padded[:, : values.shape[1]] = values
                own[...] = padded.reshape(rows, units, width).transpose(1, 0, 2)
