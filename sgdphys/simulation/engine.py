"""The ensemble as blocks of lanes, advanced stretch by stretch on a pool of threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels.blocks import Program
from sgdphys.kernels.loop import NORMALS, compiled_loop
from sgdphys.kernels.observing import GRANULE, GROUP
from sgdphys.observers.observation import Observation

__all__ = ["Ensemble", "Programs", "Timetable", "available_threads", "choose_width", "results"]

Array = NDArray[np.float64]
WORD_LANES = 256  # lanes whose random bits are made at once
CACHE_BYTES = 2**17  # a block with its normals should stay in the second-level cache


@dataclass(frozen=True)
class Programs:
    """What the compiled loop runs: gradient, kick, the integrator's step and its numbers."""

    gradient: Program
    kick: Program
    step: Callable[..., None]
    settings: Array
    dim: int
    rows: int
    channels: int
    key: int


@dataclass(frozen=True)
class Timetable:
    """Steps at which something is noted: ``saved`` frames, and for each observer its own."""

    saved: NDArray[np.int64]
    observed: tuple[NDArray[np.int64], ...]

    def all_steps(self) -> NDArray[np.int64]:
        """Return every step at which something is noted, increasing."""
        return np.unique(np.concatenate([self.saved, *self.observed])).astype(np.int64)

    def rows(self, steps: NDArray[np.int64], first_frame: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return for each of ``steps`` its row among the saved frames, counted from ``first_frame``, and in each observer's table; -1: none."""
        saved = _positions(steps, self.saved)
        saved[saved >= 0] -= first_frame
        observed = np.array([_positions(steps, own) for own in self.observed], dtype=np.int64)
        return saved, observed.reshape(len(self.observed), len(steps))


def _positions(steps: NDArray[np.int64], own: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(own):
        return np.full(len(steps), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(own, steps), len(own) - 1)
    return np.where(own[place] == steps, place, -1)


def available_threads() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def choose_width(n_particles: int, rows: int, channels: int, threads: int, block_size: int | None) -> int:
    """Return the lanes of a block: a power of two from 64 to 4096.

    Raises
    ------
    ValueError
        ``block_size`` is no power of two in this range.
    """
    if block_size is not None:
        if block_size not in {2**k for k in range(6, 13)}:
            raise ValueError(f"block_size must be a power of two from {GROUP} to {GRANULE}, got {block_size}")
        return block_size
    bytes_per_lane = 16 * rows + 16 * channels + 16
    lanes = min(2048, CACHE_BYTES // bytes_per_lane, -(-n_particles // threads))
    return max(GROUP, 2 ** int(np.log2(max(lanes, GROUP))))


class Ensemble:
    """The state of all particles, shape (block, row, lane), and the observers' memory.

    Surplus lanes of the last block go along as particles beyond the last; nobody looks at them.
    """

    def __init__(
        self, state: Array, width: int, programs: Programs, observations: Sequence[Observation], timetable: Timetable
    ) -> None:
        self.n_particles = len(state)
        self.width = width
        self.programs = programs
        self.timetable = timetable
        self.blocks = self._packed(state)
        self.memory = _Memory(observations, [len(own) for own in timetable.observed], len(self.blocks), width)
        self._advance = compiled_loop(programs.step)

    def _packed(self, state: Array) -> Array:
        n_blocks = -(-self.n_particles // self.width)
        padded = np.concatenate([state, np.repeat(state[-1:], n_blocks * self.width - self.n_particles, axis=0)])
        return np.ascontiguousarray(padded.reshape(n_blocks, self.width, -1).transpose(0, 2, 1))

    def load(self, state: Array, memory: Array) -> None:
        """Take over an earlier state (particle, row) and the observers' memory."""
        self.blocks = self._packed(state)
        self.memory.values = memory

    def state(self) -> Array:
        """Return positions (and velocities) as (particle, row)."""
        return self.blocks.transpose(0, 2, 1).reshape(-1, self.programs.rows)[: self.n_particles]

    def advance(
        self, pool: ThreadPoolExecutor, tasks: int, step: int, steps: NDArray[np.int64], out: Array, first_frame: int
    ) -> None:
        """Advance from ``step`` through ``steps``; saved frames go to ``out`` (frame, particle, row), counted from ``first_frame``."""
        rows, table = self.timetable.rows(steps, first_frame)
        arguments = (steps, rows, out, table, step)
        bounds = self._bounds(tasks)
        futures = [
            pool.submit(self._task, first, last, *arguments) for first, last in zip(bounds, bounds[1:], strict=False)
        ]
        for future in futures:
            future.result()

    def _bounds(self, tasks: int) -> list[int]:
        """Return the blocks at which tasks begin; a granule is never split."""
        unit = GRANULE // self.width if self.memory.has_granules else 1
        units = -(-len(self.blocks) // unit)
        cuts = np.unique(np.round(np.linspace(0, units, min(tasks, units) + 1)).astype(int))
        return [min(int(cut) * unit, len(self.blocks)) for cut in cuts]

    def _task(self, first: int, last: int, steps: NDArray[np.int64], rows: NDArray[np.int64], out: Array, table: NDArray[np.int64], step: int) -> None:  # fmt: skip
        programs, width = self.programs, self.width
        offset = first * width
        scratch = (
            np.empty((4, min(width, WORD_LANES)), np.uint32),
            np.empty((4, programs.channels, width), np.float32),
            np.empty((programs.rows, width)),
            np.empty((programs.rows, width)),
        )
        lanes = min(self.n_particles, last * width) - offset
        memory = self.memory
        self._advance(
            self.blocks[first:last], programs.dim, np.uint64(offset), offset, lanes, programs.channels, np.uint64(NORMALS.address), np.uint64(programs.key), step, steps, rows,
            out, tuple(programs.gradient), tuple(programs.kick), programs.settings, memory.addresses, memory.layout(first), table,
            memory.parameters, memory.values, *scratch,
        )  # fmt: skip


class _Memory:
    """The observers' tables in one array, and where each of them lies."""

    def __init__(self, observations: Sequence[Observation], times: Sequence[int], n_blocks: int, width: int) -> None:
        self.observations = observations
        self.addresses = np.array([observation.kernel.address for observation in observations], dtype=np.uint64)
        self.parameters = np.concatenate([*(observation.parameters for observation in observations), np.zeros(0)])
        self.has_granules = any(observation.per_granule for observation in observations)
        self.shapes = []
        lines = []
        offset = first = 0
        for observation, count in zip(observations, times, strict=True):
            per_unit = GRANULE // width if observation.per_granule else 1
            rows = observation.rows or count
            columns = observation.columns if observation.per_granule else width
            units = -(-n_blocks // per_unit)
            lines.append(
                (int(observation.every_step), per_unit, rows, columns, offset, first, len(observation.parameters))
            )
            self.shapes.append((offset, (units, rows, columns)))
            offset += units * rows * columns
            first += len(observation.parameters)
        self._layout = np.array(lines, dtype=np.int64).reshape(len(observations), 7)
        self.values = np.concatenate(
            [
                *(
                    np.full(int(np.prod(shape)), o.initial)
                    for o, (_, shape) in zip(observations, self.shapes, strict=True)
                ),
                np.zeros(0),
            ]
        )

    def layout(self, first_block: int) -> NDArray[np.int64]:
        """Return the layout for a task that begins at this block."""
        layout = self._layout.copy()
        layout[:, 4] += first_block // layout[:, 1] * layout[:, 2] * layout[:, 3]
        return layout

    def table(self, k: int, n_particles: int) -> Array:
        """Return observer k's table: (unit, row, column) per granule, (row, particle) per block."""
        offset, shape = self.shapes[k]
        table = self.values[offset : offset + int(np.prod(shape))].reshape(shape)
        if self.observations[k].per_granule:
            return table
        return table.transpose(1, 0, 2).reshape(shape[1], -1)[:, :n_particles]


def results(ensemble: Ensemble, dt: float) -> dict[str, Any]:
    """Return the observers' variables."""
    variables: dict[str, Any] = {}
    for k, observation in enumerate(ensemble.memory.observations):
        times = ensemble.timetable.observed[k] * dt
        variables |= observation.result(ensemble.memory.table(k, ensemble.n_particles), times)
    return variables
