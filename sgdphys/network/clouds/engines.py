"""Who computes the replicas: stacked groups, one after the other, or other processes."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import torch

from sgdphys.checks import whole_number
from sgdphys.network.clouds.devices import on_device
from sgdphys.network.clouds.processes import RemoteReplicas
from sgdphys.network.clouds.replicas import Replicas, Team
from sgdphys.network.clouds.stacking import obstacle_to_stacking
from sgdphys.network.tensors import usable_device
from sgdphys.simulation.engine import available_threads
from sgdphys.simulation.request import as_tuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sgdphys.network.clouds.plan import TrainingPlan
    from sgdphys.network.clouds.replica_group import State

__all__ = ["Engine", "Resources", "chosen_engine", "teams_of", "untimed_engine"]

Engine: TypeAlias = 'Literal["auto", "vectorised", "compiled", "loop", "processes"]'
_ENGINES = ("auto", "vectorised", "compiled", "loop", "processes")
_SMALL = 200_000  # bytes of activations of one replica's step below which stacking always wins
_SHORT = 200  # steps of a run of which timing would take a noticeable part
_SHORT_OF_CONVOLUTIONS = 2000  # the same where a first stacked step costs a second, and stacking hardly ever pays
_TIMED_STEPS = 3
_TIMED_LOOPS = 2  # replicas of the loop that are timed; the others take as long each
_MARGIN = 0.95  # of the stacked time that the loop must stay below

_SHARE_SAVED = 0.4  # of a stacked step, by compiling
_WORTH_COMPILING = 60.0  # seconds to save
_LONG = 10_000  # steps below which nobody asks whether to compile

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Resources:
    """Engine, most threads (or processes), and the devices that share the replicas."""

    engine: Engine = "auto"
    threads: int | None = None
    devices: Sequence[torch.device | str] | None = None
    compile: bool | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.engine, str) and self.engine in _ENGINES):
            raise ValueError(f"engine must be one of {', '.join(_ENGINES)}, got {self.engine!r}")
        if self.threads is not None:
            object.__setattr__(self, "threads", whole_number("threads", self.threads))
        if not (self.compile is None or isinstance(self.compile, bool)):
            raise ValueError(f"compile must be True, False or None, got {self.compile!r:.60}")
        if self.compile and self.engine in {"loop", "processes"}:
            raise ValueError(f"compile=True needs stacked replicas, got engine={self.engine!r}; leave one of them out")
        if self.compile is False and self.engine == "compiled":
            raise ValueError("engine='compiled' is what compile=False forbids; leave one of them out")
        if isinstance(self.devices, (str, torch.device)):
            raise ValueError(f"devices must be a list such as ['cuda:0', 'cuda:1'], got {str(self.devices)!r}")
        if self.devices is not None:
            object.__setattr__(self, "devices", tuple(map(usable_device, as_tuple("devices", self.devices))))
            if not self.devices or self.engine == "processes":
                raise ValueError(
                    f"devices must name at least one device, and no engine='processes' then, got {self.devices}"
                )

    @property
    def most_threads(self) -> int:
        """Threads to use at most."""
        return available_threads() if self.threads is None else self.threads


def chosen_engine(plan: TrainingPlan, state: State, resources: Resources) -> str:
    """Return the engine asked for; for ``"auto"`` the faster one of stacking and looping.

    What cannot be stacked is looped. Small networks are stacked; in short runs so are others, but convolutions on a
    processor, which are looped. Else three steps of both are timed, of the loop with two replicas, on copies of the
    state. Long stacked runs are compiled where that would save a minute.

    Parameters
    ----------
    plan
        The run.
    state
        Where all replicas are.
    resources
        What the user asked for.

    Returns
    -------
    str
        ``"vectorised"``, ``"compiled"``, ``"loop"`` or ``"processes"``.

    Raises
    ------
    ValueError
        The replicas cannot be stacked or compiled as asked.
    """
    if resources.engine in {"loop", "processes"}:
        return resources.engine
    undecided = resources.engine == "auto" and not resources.compile
    if undecided and _surely_looped(plan, plan.last - state.step):
        return "loop"
    obstacle = obstacle_to_stacking(plan.rule, state)
    if obstacle is None:
        return _stacked_engine(plan, state, resources)
    if resources.compile or resources.engine != "auto":
        raise ValueError(f"replicas of this model cannot be stacked ({obstacle}); use engine='loop'")
    _log.info("train: engine 'loop', since replicas cannot be stacked (%s)", obstacle)
    return "loop"


def untimed_engine(plan: TrainingPlan, state: State) -> Literal["vectorised", "loop"]:
    """Return the engine of ``"auto"`` for a short run: no clock is looked at, so that the same run has the same bits.

    Parameters
    ----------
    plan
        The run.
    state
        Where all replicas are.

    Returns
    -------
    str
        ``"vectorised"`` or ``"loop"``.
    """
    if _surely_looped(plan, 0) or obstacle_to_stacking(plan.rule, state) is not None:
        return "loop"
    return "vectorised"


def _surely_looped(plan: TrainingPlan, steps: int) -> bool:
    convolves = steps < _SHORT_OF_CONVOLUTIONS and not _is_small(plan) and _convolves_on_cpu(plan)
    return plan.count == 1 or convolves


def _stacked_engine(plan: TrainingPlan, state: State, resources: Resources) -> str:
    if resources.compile or resources.engine == "compiled":
        return _compiled(plan)
    if resources.engine == "vectorised":
        return resources.engine
    if _is_small(plan):
        return _perhaps_compiled(plan, state, resources, None)
    if plan.last - state.step < _SHORT:
        return "vectorised"
    rows = np.arange(plan.count)
    few = rows[:_TIMED_LOOPS]
    stacked = _seconds(Replicas(plan.rule, rows, state, resources.most_threads), state.step)
    loop = _seconds(Replicas(plan.rule, few, state.take(few), resources.most_threads, "loop"), state.step)
    loop *= plan.count / len(few)
    engine = "loop" if loop < _MARGIN * stacked else _perhaps_compiled(plan, state, resources, stacked)
    _log.info("train: engine %r, a step takes %.3g s stacked and %.3g s in a loop", engine, stacked, loop)
    return engine


def _convolves_on_cpu(plan: TrainingPlan) -> bool:
    model = plan.rule.objective.model
    module = model.module if model.initial.device.type == "cpu" else None
    kinds = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)
    return module is not None and any(isinstance(layer, kinds) for layer in module.modules())


def _compiled(plan: TrainingPlan) -> str:
    if not _compilable(plan):
        raise ValueError(
            "compile=True needs minibatches of a model without running statistics and dropout; leave it out"
        )
    return "compiled"


def _compilable(plan: TrainingPlan) -> bool:
    behaviour = plan.rule.behaviour
    return bool(plan.rule.dynamics.shares) and not (behaviour.buffers or behaviour.random)


def _perhaps_compiled(plan: TrainingPlan, state: State, resources: Resources, seconds: float | None) -> str:
    """Return the compiled engine where it saves a minute, given the time of a stacked step, if it is known."""
    steps = plan.last - state.step
    if resources.compile is False or not _compilable(plan) or steps < _LONG or len(plan.rule.settings.sizes) > 1:
        return "vectorised"
    if seconds is None:
        rows = np.arange(plan.count)
        seconds = _seconds(Replicas(plan.rule, rows, state, resources.most_threads), state.step)
    saved = _SHARE_SAVED * seconds * steps
    _log.info("train: compiling would save about %.3g s", saved)
    return "compiled" if saved > _WORTH_COMPILING else "vectorised"


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


def _is_small(plan: TrainingPlan) -> bool:
    objective = plan.rule.objective
    batch = plan.rule.settings.largest_batch if plan.rule.dynamics.shares else objective.n_samples
    return batch * objective.bytes_per_sample < _SMALL


def teams_of(plan: TrainingPlan, state: State, engine: str, resources: Resources) -> list[Team]:
    """Return the replicas, ready to be advanced: one team for each device or process.

    Parameters
    ----------
    plan
        The run.
    state
        Where all replicas are.
    engine
        As ``chosen_engine`` returns it.
    resources
        Threads and devices.

    Returns
    -------
    list
        Teams, each with its own replicas.
    """
    rows, threads = np.arange(plan.count), resources.most_threads
    if engine == "processes":
        stacked = _is_small(plan) and obstacle_to_stacking(plan.rule, state) is None
        inner = "vectorised" if stacked else "loop"
        parts = np.array_split(rows, min(threads, plan.count))
        return [RemoteReplicas(plan.rule, part, state.take(part), inner) for part in parts]
    if resources.devices is None:
        return [Replicas(plan.rule, rows, state, threads, engine)]
    parts = np.array_split(rows, min(len(resources.devices), plan.count))
    own = max(1, threads // len(parts))
    return [
        Replicas(on_device(plan.rule, device), part, state.take(part).to(device), own, engine)
        for part, device in zip(parts, map(torch.device, resources.devices), strict=False)
    ]
