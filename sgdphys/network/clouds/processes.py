"""Replicas in another process, which has an interpreter of its own."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, Self

from sgdphys.network.clouds.replicas import Replicas
from sgdphys.network.clouds.snapshots import snapshot_of, state_of

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

    from sgdphys.network.clouds.replica_group import Rule, State
    from sgdphys.network.clouds.snapshots import Snapshot

__all__ = ["RemoteReplicas"]

_here: list[Replicas] = []  # in the other process: the replicas that it computes


class RemoteReplicas:
    """Some replicas of a run in a process of their own, as ``Replicas`` on one thread.

    Parameters
    ----------
    rule
        How they move.
    rows
        Their numbers in the cloud.
    state
        Where they start.
    engine
        Engine there, ``"vectorised"`` or ``"loop"``.

    Raises
    ------
    ValueError
        Model or loss cannot be sent to another process.
    """

    def __init__(self, rule: Rule, rows: NDArray[np.int64], state: State, engine: str) -> None:
        self.rows = rows
        try:
            self._sent = pickle.dumps((rule, rows, snapshot_of(state), state.step, engine))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ValueError(
                f"engine='processes' sends model, loss and data to other processes, and one of them cannot be pickled "
                f"({error}): define it at the top of a module, or use engine='loop'"
            ) from error

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(self._sent,))
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def advance(self, first_step: int, n_steps: int) -> None:
        """Take steps there."""
        self._result(_advance, first_step, n_steps)

    def snapshot(self) -> Snapshot:
        """Return the present state."""
        found: Snapshot = self._result(_snapshot)
        return found

    def recorded(self) -> list[tuple[NDArray[np.int64], xr.Dataset]]:
        """Return what was recorded there."""
        found: list[tuple[NDArray[np.int64], xr.Dataset]] = self._result(_recorded)
        return found

    def _result(self, function: Any, *arguments: int) -> Any:
        try:
            return self._pool.submit(function, *arguments).result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                "engine='processes' could not start Python anew, or a process was killed: put the run under "
                "if __name__ == '__main__':, define model and loss in a module, or use engine='loop'"
            ) from error


def _begin(sent: bytes) -> None:
    rule, rows, snapshot, step, engine = pickle.loads(sent)
    replicas = Replicas(rule, rows, state_of(snapshot, step, rule.objective, rule.behaviour), 1, engine)
    _here.append(replicas.__enter__())


def _advance(first_step: int, n_steps: int) -> None:
    _here[0].advance(first_step, n_steps)


def _snapshot() -> Snapshot:
    return _here[0].snapshot()


def _recorded() -> list[tuple[NDArray[np.int64], xr.Dataset]]:
    return _here[0].recorded()
