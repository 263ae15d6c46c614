"""The observers' tables, all in one array that compiled code can index."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels.observing import GRANULE
from sgdphys.observers.observation import Observation

__all__ = ["ObserverMemory"]

Array = NDArray[np.float64]


class ObserverMemory:
    """The observers' tables in one flat array, and where each of them lies.

    A table has one unit for each granule of 4096 particles, or one for each block; a unit is (row, column).

    Parameters
    ----------
    observations
        The observers made ready.
    times
        How many times each of them looks at.
    n_blocks, width
        Number and lanes of the blocks.
    """

    def __init__(self, observations: Sequence[Observation], times: Sequence[int], n_blocks: int, width: int) -> None:
        self.observations = observations
        self.addresses = np.array([observation.kernel.address for observation in observations], dtype=np.uint64)
        self.parameters = np.concatenate([*(observation.parameters for observation in observations), np.zeros(0)])
        self.has_granules = any(observation.per_granule for observation in observations)
        self._blocks_per_unit = [GRANULE // width if observation.per_granule else 1 for observation in observations]
        self._shapes = [
            (-(-n_blocks // blocks), o.rows or count, o.columns if o.per_granule else width)
            for o, count, blocks in zip(observations, times, self._blocks_per_unit, strict=True)
        ]
        self._ends = np.cumsum([0, *map(math.prod, self._shapes)])
        self.values = np.concatenate(
            [
                *(np.full(math.prod(shape), o.initial) for o, shape in zip(observations, self._shapes, strict=True)),
                np.zeros(0),
            ]
        )

    def layout(self, first_block: int) -> NDArray[np.int64]:
        """Return what the loop needs to find a table, one line an observer, for a task that begins at this block."""
        lengths = [len(observation.parameters) for observation in self.observations]
        starts = np.cumsum([0, *lengths])
        lines = []
        for k, (_units, rows, columns) in enumerate(self._shapes):
            blocks = self._blocks_per_unit[k]
            offset = self._ends[k] + first_block // blocks * rows * columns
            lines.append((self.observations[k].every_step, blocks, rows, columns, offset, starts[k], lengths[k]))
        return np.array(lines, dtype=np.int64).reshape(len(lines), 7)

    def _own(self, k: int) -> Array:
        return self.values[self._ends[k] : self._ends[k + 1]].reshape(self._shapes[k])

    def table(self, k: int, n_particles: int) -> Array:
        """Return observer k's table: (unit, row, column) per granule, (row, particle) per block."""
        table = self._own(k)
        if self.observations[k].per_granule:
            return table
        return table.transpose(1, 0, 2).reshape(table.shape[1], -1)[:, :n_particles]

    def tables(self, n_particles: int) -> dict[str, Array]:
        """Return a copy of every table by name, in a form that does not depend on the width of a block."""
        return {f"observer_{k}": self.table(k, n_particles).copy() for k in range(len(self.observations))}

    def restore(self, tables: dict[str, NDArray[np.float64]]) -> None:
        """Take over tables that :meth:`tables` returned, perhaps for blocks of another width."""
        for k, observation in enumerate(self.observations):
            own, saved = self._own(k), tables[f"observer_{k}"]
            if observation.per_granule:
                own[...] = saved
                continue
            units, rows, width = own.shape
            padded = np.full((rows, units * width), observation.initial)
            padded[:, : saved.shape[1]] = saved
            own[...] = padded.reshape(rows, units, width).transpose(1, 0, 2)
