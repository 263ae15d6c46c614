"""Which replicas go together, on how many threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sgdphys.network.memory import WORKING_BYTES
from sgdphys.network.threads import BYTES_PER_THREAD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.network.clouds.replica_group import Rule

__all__ = ["Division", "divided"]

_BYTES_PER_THREAD = 400_000  # activations of one step below which another thread costs more than it gives


@dataclass(frozen=True)
class Division:
    """Groups of replicas by their numbers, threads that advance groups, and threads of torch inside each."""

    groups: tuple[NDArray[np.int64], ...]
    workers: int
    torch_threads: int


def divided(rule: Rule, rows: NDArray[np.int64], threads: int, engine: str) -> Division:
    """Divide some replicas into groups.

    Stacked replicas share the form of momentum, and batch sizes within a factor of two (the same one, where the
    samples of a batch see each other), so that padding at most doubles the work. One thread serves a model that draws
    from torch's generator, of which there is one, and torch's compiler.

    Parameters
    ----------
    rule
        How the replicas move.
    rows
        Their numbers in the cloud.
    threads
        Most threads.
    engine
        In a ``"loop"`` every replica is a group; else groups are stacked.

    Returns
    -------
    Division
        Every replica is in one group.
    """
    useful = _useful_threads(rule, rows, threads)
    alone = rule.behaviour.random or engine == "compiled"
    if engine == "loop":
        workers = 1 if rule.behaviour.random else min(useful, len(rows))
        inside = _threads_inside(rule, rows[:1], useful // workers)
        return Division(tuple(rows[i : i + 1] for i in range(len(rows))), workers, inside)
    groups: list[NDArray[np.int64]] = []
    for kind in _kinds(rule, rows):
        groups += _pieces(rule, kind, 1 if alone else useful)
    workers = 1 if alone else min(useful, len(groups))
    return Division(tuple(groups), workers, _threads_inside(rule, max(groups, key=len), useful // workers))


def _threads_inside(rule: Rule, rows: NDArray[np.int64], most: int) -> int:
    """Return the threads of torch that one group keeps busy; where it does not, they wait for each other at length."""
    return int(max(1, min(most, _work(rule, rows) // BYTES_PER_THREAD)))


def _useful_threads(rule: Rule, rows: NDArray[np.int64], threads: int) -> int:
    on_cpu = rule.objective.model.initial.device.type == "cpu"
    return int(min(threads, max(1, _work(rule, rows) // _BYTES_PER_THREAD))) if on_cpu else 1


def _work(rule: Rule, rows: NDArray[np.int64]) -> int:
    """Return the bytes of the activations of one step."""
    shares, n_samples = rule.dynamics.shares, rule.objective.n_samples
    batch = len(shares) * rule.settings.largest_batch if shares else n_samples
    return len(rows) * batch * rule.objective.bytes_per_sample


def _pieces(rule: Rule, rows: NDArray[np.int64], useful: int) -> list[NDArray[np.int64]]:
    parts = 1
    if not rule.behaviour.random:
        parts = max(useful, _work(rule, rows) // (4 * WORKING_BYTES))
    size = -(-len(rows) // min(len(rows), parts))
    return [rows[first : first + size] for first in range(0, len(rows), size)]


def _kinds(rule: Rule, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    if rule.settings.uniform:
        return [rows]
    own = rule.settings.take(rows)
    nesterov, sizes = own.of_rows("nesterov"), own.of_rows("batch_size")
    kinds: list[NDArray[np.int64]] = []
    for form in np.unique(nesterov):
        left = np.flatnonzero(nesterov == form)
        while len(left):
            smallest = sizes[left].min()
            most = smallest if rule.behaviour.mixes else 2 * smallest
            kinds.append(rows[left[sizes[left] <= most]])
            left = left[sizes[left] > most]
    return kinds
