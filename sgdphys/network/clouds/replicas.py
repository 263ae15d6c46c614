"""Replicas of a network under real SGD: groups that share nothing, advanced on a pool of threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from sgdphys.network.clouds.indices import IndexStream
from sgdphys.network.clouds.replica_group import ReplicaGroup
from sgdphys.network.memory import WORKING_BYTES
from sgdphys.network.tensors import to_numpy
from sgdphys.network.threads import threads_inside
from sgdphys.simulation.engine import available_threads
from sgdphys.simulation.progress import progress_bar

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from sgdphys.network.objective import Objective
    from sgdphys.sgd import SGD

__all__ = ["Replicas", "State"]

_BYTES_PER_THREAD = 400_000  # activations of one step below which another thread costs more than it gives
_PARTS = 100  # of a run, between which the bar moves


class State(NamedTuple):
    """Positions and heavy-ball velocities (replica, d) at an absolute step; no velocities without momentum."""

    positions: Tensor
    velocities: Tensor | None
    step: int


class Replicas:
    """All replicas of a run.

    Parameters
    ----------
    objective
        The regularised loss with the data.
    sgd
        Learning rate, batch size, momentum, sampling.
    key
        Key of the minibatch indices.
    state
        Where the replicas start.
    threads
        Most threads; None for all cores.
    """

    def __init__(self, objective: Objective, sgd: SGD, key: int, state: State, threads: int | None) -> None:
        self._objective = objective
        self._threads = available_threads() if threads is None else threads
        self._step = state.step
        self._shape = tuple(state.positions.shape)
        self._names = ("position",) if state.velocities is None else ("position", "velocity")
        self._groups = []
        size, self._torch_threads = self._division(objective, sgd)
        for first in range(0, self._shape[0], size):
            rows = slice(first, first + size)
            stream = IndexStream(key, objective.n_samples, sgd.batch_size, sgd.sampling, state.positions.device)
            velocities = None if state.velocities is None else state.velocities[rows]
            self._groups.append(ReplicaGroup(objective, sgd, stream, first, state.positions[rows], velocities))

    def _division(self, objective: Objective, sgd: SGD) -> tuple[int, int]:
        """Return the replicas of a group and the threads that torch may use inside each."""
        count = self._shape[0]
        work = count * sgd.batch_size * objective.bytes_per_sample
        useful = (
            min(self._threads, max(1, work // _BYTES_PER_THREAD)) if objective.model.initial.device.type == "cpu" else 1
        )
        size = -(-count // min(count, max(useful, work // (4 * WORKING_BYTES))))
        return size, max(1, useful * size // count)

    def run(
        self, saved: NDArray[np.int64], last: int, storage: np.dtype[Any], progress: bool | None
    ) -> dict[str, NDArray[Any]]:
        """Advance to step ``last`` and return the saved frames, each (time, particle, coordinate)."""
        frames = {name: np.empty((len(saved), *self._shape), storage) for name in self._names}
        stops = sorted({*saved.tolist(), *np.linspace(self._step, last, _PARTS + 1).round().astype(int).tolist()})
        with (
            self._objective.context(),
            threads_inside(self._torch_threads),
            ThreadPoolExecutor(len(self._groups)) as pool,
            progress_bar("train", last - self._step, "steps", shown=progress) as bar,
        ):
            for stop in stops:
                done = self._step
                self._advance(pool, stop)
                bar.update(stop - done)
                for frame in np.flatnonzero(saved == stop):
                    self._keep(frames, int(frame))
        return frames

    def _advance(self, pool: ThreadPoolExecutor, stop: int) -> None:
        futures = [pool.submit(group.advance, self._step, stop - self._step) for group in self._groups]
        for future in futures:
            future.result()
        self._step = stop

    def _keep(self, frames: dict[str, NDArray[Any]], frame: int) -> None:
        for group in self._groups:
            rows = slice(group.first, group.first + group.count)
            positions = group.positions
            lost = ~torch.isfinite(positions).all(dim=1, keepdim=True)
            for name, values in zip(self._names, (positions, group.velocities), strict=False):
                assert values is not None
                frames[name][frame, rows] = to_numpy(values.masked_fill(lost, torch.nan))
