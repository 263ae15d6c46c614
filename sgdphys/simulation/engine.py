"""The ensemble as blocks of lanes, advanced stretch by stretch on a pool of threads."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels.divergence import BOUND
from sgdphys.kernels.loop import NORMALS, compiled_loop
from sgdphys.kernels.observing import GRANULE, GROUP
from sgdphys.observers.observation import Observation, Variables
from sgdphys.simulation.observer_memory import ObserverMemory
from sgdphys.simulation.programs import Programs
from sgdphys.simulation.times import Clock, ScheduledClock
from sgdphys.simulation.timetable import Timetable

__all__ = ["Ensemble", "available_threads", "choose_width", "is_lost", "results"]

Array = NDArray[np.float64]
WORD_LANES = 256  # lanes whose random bits are made at once
FEW_NUMBERS = 8  # deviates of a step up to which they are made for many steps at once
QUADS_AT_ONCE = 64
WIDEST = 2048
LANES_OF_A_CALL = 30  # in one dimension, measured
CACHE_BYTES = 2**17  # a block with its normals should stay in the second-level cache


def available_threads() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def choose_width(n_particles: int, rows: int, channels: int, threads: int, block_size: int | None) -> int:
    """Return the lanes of a block: a power of two from 64 to 4096, or a smaller one that the user chose.

    Loops over fewer lanes than 64 end in code for single lanes, where the compiler fuses other products and sums than
    in that for vectors: the last bits of a particle would depend on how many others there are.

    Parameters
    ----------
    n_particles, rows, channels, threads
        Size of the ensemble, of a particle's state with half its scratch, deviates of a step, and number of threads.
    block_size
        The user's choice, or None.

    Returns
    -------
    int
        The number of lanes.

    Raises
    ------
    ValueError
        ``block_size`` is no power of two up to 4096, or below 64 and does not hold all particles.
    """
    if block_size is not None:
        if not (_is_integer(block_size) and block_size in {2**k for k in range(13)}):
            raise ValueError(
                f"block_size must be a power of two from {GROUP} to {GRANULE}, got {block_size} "
                "(smaller powers of two serve ensembles that they hold)"
            )
        if n_particles > block_size and block_size < GROUP:
            raise ValueError(f"block_size below {GROUP} must hold all {n_particles} particles, got {block_size}")
        return int(block_size)
    bytes_per_lane = 16 * rows + 16 * channels + 16
    most = max(min(WIDEST, CACHE_BYTES // bytes_per_lane), GROUP)
    widths = [2**k for k in range(GROUP.bit_length() - 1, most.bit_length())]
    # the thread with the most blocks decides; calling a block's kernels costs as much as some lanes
    return int(min(widths, key=lambda width: -(-n_particles // (width * threads)) * (width + LANES_OF_A_CALL)))


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral)


class Ensemble:
    """The state of all particles, shape (block, row, lane), and the observers' memory.

    Surplus lanes of the last block go along as particles beyond the last; nobody looks at them.
    """

    def __init__(
        self,
        state: Array,
        width: int,
        programs: Programs,
        observations: Sequence[Observation],
        timetable: Timetable,
        bound: float,
        tasks: int,
    ) -> None:
        self.n_particles = len(state)
        self.width = width
        self.programs = programs
        self.timetable = timetable
        self.bound = bound
        self.blocks = self._packed(state)
        self.lost = np.zeros(len(self.blocks), dtype=np.int64)
        times = [len(own) for own in timetable.observed]
        self.tasks = min(tasks, len(self.blocks))
        self.memory = ObserverMemory(observations, times, len(self.blocks), width, self.tasks)
        self._advance = compiled_loop(programs.step)

    def _packed(self, state: Array) -> Array:
        n_blocks = -(-self.n_particles // self.width)
        blocks = np.empty((n_blocks, state.shape[1], self.width))
        whole = self.n_particles // self.width
        blocks[:whole] = state[: whole * self.width].reshape(whole, self.width, state.shape[1]).transpose(0, 2, 1)
        if whole < n_blocks:
            rest = state[whole * self.width :].T
            blocks[whole, :, : rest.shape[1]] = rest
            blocks[whole, :, rest.shape[1] :] = rest[:, -1:]
        return blocks

    def state(self) -> Array:
        """Return positions (and velocities) as (particle, row); a view where there is one row."""
        return self.blocks.transpose(0, 2, 1).reshape(-1, self.programs.rows)[: self.n_particles]

    def finite(self) -> NDArray[np.bool_]:
        """Return which particles have finite numbers, shape (particle,)."""
        kept = np.empty((len(self.blocks), self.width), dtype=bool)
        for some in np.array_split(np.arange(len(self.blocks)), max(1, self.blocks.size // 2**22)):
            if len(some):
                part = slice(some[0], some[-1] + 1)
                kept[part] = np.isfinite(self.blocks[part]).all(axis=1)
        return kept.ravel()[: self.n_particles]

    def checkpoint(self) -> dict[str, Array]:
        """Return copies of the state and the observers' memory; they do not depend on the width of a block."""
        return {"state": self.state().copy(), **self.memory.saved(self.n_particles)}

    def restore(self, checkpoint: dict[str, Array]) -> None:
        """Take over what :meth:`checkpoint` returned."""
        self.blocks = self._packed(checkpoint["state"])
        self.memory.restore(checkpoint)

    def discard_lost(self) -> NDArray[np.int64]:
        """Set every lost particle to NaN and return their numbers."""
        blocks = np.flatnonzero(self.lost)
        some = self.blocks[blocks]
        gone = is_lost(some, self.programs.dim, self.bound, axis=1)
        some.transpose(0, 2, 1)[gone] = np.nan
        self.blocks[blocks] = some
        numbers = (blocks[:, np.newaxis] * self.width + np.arange(self.width))[gone]
        return numbers[numbers < self.n_particles]

    def advance(
        self, pool: ThreadPoolExecutor, step: int, steps: NDArray[np.int64], lines: Array, out: Array, first_frame: int
    ) -> None:
        """Advance from ``step`` through ``steps``.

        Parameters
        ----------
        pool
            Threads.
        step, steps
            The present step and those to stop at.
        lines
            Settings of the steps.
        out, first_frame
            Where saved frames go, (frame, particle, row), and the number of the first frame there.
        """
        rows, looks = self.timetable.rows(steps, first_frame)
        futures = [
            pool.submit(self._task, task, bounds, (step, steps, rows, out), lines, looks)
            for task, bounds in enumerate(itertools.pairwise(self._bounds(self.tasks)))
        ]
        try:
            for future in futures:
                future.result()
        except BaseException:
            for future in futures:
                future.cancel()
            raise

    def _bounds(self, tasks: int) -> list[int]:
        """Return the blocks at which tasks begin; a granule is never split."""
        unit = GRANULE // self.width if self.memory.has_granules else 1
        units = -(-len(self.blocks) // unit)
        cuts = np.unique(np.round(np.linspace(0, units, min(tasks, units) + 1)).astype(int))
        return [min(int(cut) * unit, len(self.blocks)) for cut in cuts]

    def _task(
        self, task: int, bounds: tuple[int, int], frames: tuple[Any, ...], lines: Array, looks: NDArray[np.int64]
    ) -> None:
        programs, memory, width = self.programs, self.memory, self.width
        first, last = bounds
        offset = first * width
        lanes = min(self.n_particles, last * width) - offset
        quads = quads_at_once(programs, width)
        scratch = (
            np.empty((4, min(width, WORD_LANES)) if quads == 1 else (8, quads), np.uint32),
            np.empty((4 * quads * (1 + programs.ahead), programs.channels, width), np.float32),
            np.empty((programs.rows, width)),
            np.empty((programs.rows, width)),
            (np.empty((programs.work_rows, width)), np.empty((4, width), np.int64)),
            np.empty(lines.shape[1]),
            np.empty(3, np.uint64),
        )
        self._advance(
            self.blocks[first:last], self.lost[first:last], programs.dim, np.uint64(offset), offset, lanes,
            programs.channels, programs.ahead, np.uint64(programs.deviates.address), np.uint64(programs.key), *frames,
            tuple(map(tuple, programs.fields)), tuple(programs.kick), lines, self.bound, memory.addresses,
            memory.layout(first, task), looks, memory.parameters, memory.own, memory.tables, *scratch,
        )  # fmt: skip


def quads_at_once(programs: Programs, width: int) -> int:
    """Return for how many groups of four steps the normals are made at once: many for a block of a few particles."""
    few = width * programs.channels <= FEW_NUMBERS
    return QUADS_AT_ONCE if few and programs.deviates is NORMALS else 1


def is_lost(state: Array, dim: int, bound: float, *, axis: int) -> NDArray[np.bool_]:
    """Return for each particle whether a coordinate is NaN or beyond ``bound``, or a velocity beyond the largest one.

    Parameters
    ----------
    state
        Any array with the rows of the state along ``axis``.
    dim
        How many of the rows are coordinates.
    bound
        The run's bound of them.
    axis
        Which axis has the rows.

    Returns
    -------
    NDArray
        True where the particle is lost, without that axis.
    """
    shape = [1] * state.ndim
    shape[axis] = -1
    limits = np.where(np.arange(state.shape[axis]) < dim, bound, BOUND).reshape(shape)
    return np.asarray(~(np.abs(state) < limits).all(axis=axis))


def results(ensemble: Ensemble, clock: Clock | ScheduledClock) -> Variables:
    """Return the observers' variables.

    Returns
    -------
    Variables
        Dimensions and values by name.

    Raises
    ------
    ValueError
        Two observers give a variable of the same name.
    """
    variables: Variables = {}
    for k, observation in enumerate(ensemble.memory.observations):
        times = clock.time(ensemble.timetable.observed[k])
        new = observation.result(*ensemble.memory.of(k, ensemble.n_particles), times)
        twice = sorted(set(new) & set(variables))
        if twice:
            raise ValueError(f"two observers give the variable {twice[0]!r}; give one of them name='...'")
        variables |= new
    return variables
