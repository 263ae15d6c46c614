"""Replicas of a network in training: groups that share nothing, advanced on a pool of threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol, Self

from sgdphys.network.clouds.division import divided
from sgdphys.network.clouds.generators import forked_generator
from sgdphys.network.clouds.gradients import BatchLoss
from sgdphys.network.clouds.replica_group import ReplicaGroup
from sgdphys.network.clouds.snapshots import joined, snapshot_of
from sgdphys.network.threads import threads_inside

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

    from sgdphys.network.clouds.replica_group import Rule, State
    from sgdphys.network.clouds.snapshots import Snapshot

__all__ = ["Replicas", "Team"]


class Team(Protocol):
    """Some replicas that can be advanced; a context in which they are."""

    rows: NDArray[np.int64]

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def advance(self, first_step: int, n_steps: int) -> None:
        """Take steps."""

    def snapshot(self) -> Snapshot:
        """Return the present state of these replicas."""

    def recorded(self) -> list[tuple[NDArray[np.int64], xr.Dataset]]:
        """Return what was recorded of each group, with steps in place of times."""


class Replicas:
    """Some replicas of a run in this process.

    Parameters
    ----------
    rule
        How they move.
    rows
        Their numbers in the cloud.
    state
        Where they start.
    threads
        Most threads.
    engine
        ``"vectorised"``: stacked in groups. ``"compiled"``: stacked, and compiled by torch. ``"loop"``: one after the
        other takes all the steps.
    """

    def __init__(
        self, rule: Rule, rows: NDArray[np.int64], state: State, threads: int, engine: str = "vectorised"
    ) -> None:
        self.rows = rows
        self._rule, self._step = rule, state.step
        self._division = divided(rule, rows, threads, engine)
        self._places = {int(row): place for place, row in enumerate(rows)}
        workers = self._division.workers
        self._shifts = [self._shift(self._division.groups[w::workers], state, engine) for w in range(workers)]
        self._open = ExitStack()

    def _shift(self, groups: tuple[NDArray[np.int64], ...], state: State, engine: str) -> list[ReplicaGroup]:
        """Return groups that one worker advances one after the other, with a model of its own."""
        kind = {"stacked": engine != "loop", "compiled": engine == "compiled"}
        loss = BatchLoss(self._rule.objective, self._rule.behaviour, **kind)
        return [ReplicaGroup(self._rule, rows, state.take(self._among(rows)), loss) for rows in groups]

    def _among(self, rows: NDArray[np.int64]) -> list[int]:
        return [self._places[int(row)] for row in rows]

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self._rule.behaviour.random:
                stack.enter_context(forked_generator(self._rule.objective.model.initial.device))
            stack.enter_context(self._rule.objective.context())
            stack.enter_context(threads_inside(self._division.torch_threads))
            self._pool = stack.enter_context(ThreadPoolExecutor(self._division.workers))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def advance(self, first_step: int, n_steps: int) -> None:
        """Take ``n_steps`` steps, the first of them with the number ``first_step``."""

        def work(shift: list[ReplicaGroup]) -> None:
            for group in shift:
                group.advance(first_step, n_steps)

        futures = [self._pool.submit(work, shift) for shift in self._shifts]
        try:
            for future in futures:
                future.result()
        except BaseException:  # an interrupt too: the threads would go on to the end of these steps
            for group in (group for shift in self._shifts for group in shift):
                group.stopped = True
            raise
        self._step = first_step + n_steps

    def snapshot(self) -> Snapshot:
        """Return the present state of these replicas, in the order of ``rows``."""
        groups = [group for shift in self._shifts for group in shift]
        parts = [(self._among(group.rows), snapshot_of(group.state(self._step))) for group in groups]
        return joined(parts, len(self.rows))

    def recorded(self) -> list[tuple[NDArray[np.int64], xr.Dataset]]:
        """Return what was recorded of each group, with steps in place of times."""
        groups = [group for shift in self._shifts for group in shift]
        return [(group.rows, group.channels.result(1.0)) for group in groups if group.channels is not None]
