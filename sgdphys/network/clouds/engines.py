"""Who computes the replicas: stacked groups, one after the other, or other processes."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import torch

from sgdphys.checks import whole_number
from sgdphys.network.clouds.replicas import Replicas, Team
from sgdphys.simulation.engine import available_threads

if TYPE_CHECKING:
    from sgdphys.network.clouds.plan import TrainingPlan
    from sgdphys.network.clouds.replica_group import State

__all__ = ["Engine", "Resources", "chosen_engine", "teams_of"]

Engine: TypeAlias = 'Literal["auto", "vectorised", "loop", "processes"]'
_ENGINES = ("auto", "vectorised", "loop", "processes")
_SMALL = 200_000  # bytes of activations of one replica's step below which stacking always wins
_TIMED_STEPS = 3
_TIMED_LOOPS = 8  # replicas of the loop that are timed; the others take as long each
_MARGIN = 0.95  # of the stacked time that the loop must stay below

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Resources:
    """Engine and most threads."""

    engine: Engine = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.engine, str) and self.engine in _ENGINES):
            raise ValueError(f"engine must be one of {', '.join(_ENGINES)}, got {self.engine!r}")
        if self.threads is not None:
            object.__setattr__(self, "threads", whole_number("threads", self.threads))

    @property
    def most_threads(self) -> int:
        """Threads to use at most."""
        return available_threads() if self.threads is None else self.threads


def chosen_engine(plan: TrainingPlan, state: State, resources: Resources) -> str:
    """Return the engine asked for; for ``"auto"`` the faster one of stacking and looping.

    Small networks are stacked without a question. For others three steps of both are timed, of the loop with few
    replicas, on copies of the state.

    Returns
    -------
    str
        ``"vectorised"``, ``"loop"`` or ``"processes"``.
    """
    if resources.engine != "auto":
        return resources.engine
    shares, objective = plan.rule.dynamics.shares, plan.rule.objective
    batch = plan.rule.settings.largest_batch if shares else objective.n_samples
    if plan.count > 1 and batch * objective.bytes_per_sample < _SMALL:
        return "vectorised"
    if plan.count == 1:
        return "loop"
    rows = np.arange(plan.count)
    few = rows[:_TIMED_LOOPS]
    stacked = _seconds(Replicas(plan.rule, rows, state, resources.most_threads), state.step)
    loop = (
        _seconds(Replicas(plan.rule, few, state.take(few), resources.most_threads, stacked=False), state.step)
        * plan.count
        / len(few)
    )
    engine = "loop" if loop < _MARGIN * stacked else "vectorised"
    _log.info("train: engine %r, a step takes %.3g s stacked and %.3g s in a loop", engine, stacked, loop)
    return engine


def _seconds(team: Team, step: int) -> float:
    """Return the time of a step, after a first one that is not counted."""
    with team:
        team.advance(step, 1)
        _wait()
        begin = time.perf_counter()
        team.advance(step + 1, _TIMED_STEPS)
        _wait()
        return (time.perf_counter() - begin) / _TIMED_STEPS


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def teams_of(plan: TrainingPlan, state: State, engine: str, resources: Resources) -> list[Team]:
    """Return the replicas, ready to be advanced."""
    rows = np.arange(plan.count)
    return [Replicas(plan.rule, rows, state, resources.most_threads, stacked=engine == "vectorised")]
