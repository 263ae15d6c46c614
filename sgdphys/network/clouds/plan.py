"""A training run worked out: who moves how from where, at which steps it is looked at, what it is called."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from sgdphys.checks import whole_number
from sgdphys.kernels.philox import check_counters
from sgdphys.network.clouds.beginning import agreed_count, beginning_of, keys_of
from sgdphys.network.clouds.behaviour import behaviour_of
from sgdphys.network.clouds.continuation import check_continuation
from sgdphys.network.clouds.dynamics import Descent, MinibatchDescent
from sgdphys.network.clouds.recorded_clouds import recorded_bytes
from sgdphys.network.clouds.replica_group import Rule
from sgdphys.network.clouds.settings import settings_of
from sgdphys.network.recording.settings import Recording
from sgdphys.network.tensors import to_numpy
from sgdphys.provenance import digest
from sgdphys.simulation.memory import refuse_above_memory
from sgdphys.simulation.request import as_tuple
from sgdphys.simulation.starts import describe_start
from sgdphys.simulation.times import Clock, ScheduledClock, last_step, saved_steps

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.network.clouds.beginning import Beginning
    from sgdphys.network.clouds.settings import ReplicaSettings
    from sgdphys.network.problem import Network

__all__ = ["TrainingPlan", "plan_of"]

_COPIES_OF_STATE = 3  # weights, their gradient, a snapshot


@dataclass(frozen=True)
class TrainingPlan:
    """What a run will do.

    Parameters
    ----------
    network
        The network.
    rule
        How its replicas move.
    beginning
        Where they start.
    last
        Absolute last step.
    saved
        Absolute steps of the frames.
    clock
        Tells the time of a step.
    storage
        Floating type of the frames.
    record_potential
        Whether frames hold the loss.
    configuration
        What repeats the run, as JSON text.
    """

    network: Network
    rule: Rule
    beginning: Beginning
    last: int
    saved: NDArray[np.int64]
    clock: Clock | ScheduledClock
    storage: str
    record_potential: bool
    configuration: str = ""

    @property
    def count(self) -> int:
        """Number of replicas."""
        return len(self.beginning.positions)

    def described(self, *, start: Any, save_at: Any, seed: Any, point: tuple[int, ...]) -> str:
        """Return the configuration, with what the user gave for start, frames and random numbers."""
        network, rule = self.network, self.rule
        own = {"network": digest(network.parameters)} if start is None else _described(start)
        recording = {} if rule.recording is None else {"recording": rule.recording.configuration()}
        configuration = {
            "verb": "train",
            "network": network.configuration(),
            "sgd": rule.settings.configuration(),
            **rule.dynamics.configuration(),
            "n_particles": self.count,
            "seed": [int(each) for each in seed] if np.ndim(seed) else int(seed),
            "point": list(point),
            "first_step": self.beginning.step,
            "last_step": self.last,
            "time_offset": self.clock.offset,
            "start": own,
            "save_at": _described(save_at),
            "record_potential": bool(self.record_potential),
            "storage": self.storage,
            "torch": torch.__version__,
            **recording,
        }
        return json.dumps(configuration)

    @property
    def names(self) -> tuple[str, ...]:
        """Variables of a frame."""
        own = (("velocity", self.rule.settings.momentum), ("buffer", bool(self.rule.behaviour.buffers)))
        wanted = tuple(name for name, there in (*own, ("potential", self.record_potential)) if there)
        return ("position", *wanted)


def plan_of(
    network: Network,
    sgd: Any,
    dynamics: Descent | None = None,
    *,
    n_replicas: int | None,
    n_steps: int | None,
    start: Any = None,
    save_at: int | ArrayLike,
    seed: Any = 0,
    point: tuple[int, ...] = (),
    storage: Literal["float64", "float32"] = "float64",
    record_potential: bool = False,
    record: Recording | None = None,
    stored: bool = False,
) -> TrainingPlan:
    """Check the arguments of ``train`` and work out what follows from them; they are explained there.

    Returns
    -------
    TrainingPlan
        Nothing of the size of the cloud is allocated yet.

    Raises
    ------
    ValueError
        A value breaks its rule.
    MemoryLimitError
        The cloud does not fit into memory.
    """
    _check_kinds(network, record_potential)
    dynamics = _checked(dynamics)
    point = as_tuple("point", point)
    count = agreed_count(n_replicas, sgd, seed)
    check_counters(particles=count or 0, steps=0 if n_steps is None else whole_number("n_steps", n_steps), groups=0)
    settings = settings_of(sgd, network.objective, dynamics)
    key = keys_of(seed, point)
    beginning = beginning_of(network, start, count, momentum=settings.momentum)
    settings = settings.for_count(len(beginning.positions))
    check_continuation(start, network, settings)
    clock = _clock(settings, dynamics, beginning)
    first, dt = beginning.step, clock.time(1) - clock.time(0)
    if isinstance(clock, ScheduledClock):
        last = clock.last_step(first, None, n_steps)
    else:
        last = last_step(first, dt, None, whole_number("n_steps", n_steps))
    saved = saved_steps(save_at if record is None else 0, first, last, dt, offset=clock.offset, clock=clock)
    if record is not None:
        record = _anchored(record, beginning.positions[0], record_potential=record_potential)
    rule = Rule(network.objective, settings, dynamics, key, behaviour_of(network.objective), record)
    plan = TrainingPlan(network, rule, beginning, last, saved, clock, storage, record_potential)
    _check_model(plan)
    _check_size(plan, stored=stored)
    return replace(plan, configuration=plan.described(start=start, save_at=save_at, seed=seed, point=point))


def _check_kinds(network: Any, record_potential: Any) -> None:
    from sgdphys.network.problem import Network

    if not isinstance(network, Network):
        raise ValueError(f"network must be sp.Network(model, loss, data), got {' '.join(repr(network).split()):.60}")
    if not isinstance(record_potential, (bool, np.bool_)):
        raise ValueError(f"record_potential must be True or False, got {record_potential!r:.60}")


def _check_model(plan: TrainingPlan) -> None:
    """Refuse what has no meaning for a model with side effects."""
    behaviour, dynamics = plan.rule.behaviour, plan.rule.dynamics
    if behaviour.mixes and len(dynamics.shares) > 1:
        raise ValueError(f"{dynamics.name} puts two minibatches into one call; {plan.network.objective.obstacle}")
    if plan.record_potential and behaviour.random:
        raise ValueError("record_potential needs a loss, and the model draws random numbers; call model.eval() first")


def _anchored(record: Any, start: torch.Tensor, *, record_potential: bool) -> Recording:
    """Return the recording with the origin that all groups of replicas share."""
    if not isinstance(record, Recording):
        raise ValueError(f"record must be settings such as network.Recording(every=10), got {record!r:.60}")
    if record_potential:
        raise ValueError("record= keeps a recording in place of frames: leave record_potential= out")
    return record if record.origin is not None else replace(record, origin=to_numpy(start))


def _checked(dynamics: Any) -> Descent:
    if dynamics is None:
        return MinibatchDescent()
    if not isinstance(dynamics, Descent):
        raise ValueError(f"dynamics must be an object such as LangevinDescent(temperature=0.1), got {dynamics!r:.60}")
    return dynamics


def _clock(settings: ReplicaSettings, dynamics: Descent, beginning: Beginning) -> Clock | ScheduledClock:
    """Return the clock of the run, going on from an earlier cloud's time; one that counts steps if rates differ."""
    if not settings.same_lr:
        return Clock(1.0)
    clock: Clock | ScheduledClock = Clock(settings.sgd.lr / dynamics.substeps)
    if settings.scheduled:
        clock = ScheduledClock(settings.schedules[0])
    if beginning.time is None:
        return clock
    offset = beginning.time - clock.time(beginning.step)
    unnoticed = 1e-6 * settings.sgd.lr / dynamics.substeps + 1e-15 * abs(beginning.time)
    if abs(offset) <= unnoticed:
        return clock
    return Clock(clock.dt, offset) if isinstance(clock, Clock) else ScheduledClock(clock.schedule, offset)


def _described(value: Any) -> Any:
    return describe_start(to_numpy(value) if isinstance(value, torch.Tensor) else value)


def _check_size(plan: TrainingPlan, *, stored: bool) -> None:
    if not len(plan.saved) and plan.rule.recording is None:
        raise ValueError("save_at would keep nothing of the trained cloud; use save_at=1 for the final state alone")
    if not (isinstance(plan.storage, str) and plan.storage in {"float64", "float32"}):
        raise ValueError(f"storage must be 'float64' or 'float32', got {plan.storage!r}")
    channels = max(plan.network.n_samples, plan.rule.dynamics.normals(plan.network.dim))
    check_counters(particles=plan.count, steps=plan.last, groups=-(-channels // 4))
    state = (2 if plan.rule.settings.momentum else 1) * plan.count * plan.network.dim
    item = np.dtype(plan.storage).itemsize
    refuse_above_memory(_COPIES_OF_STATE * 8 * state, f"the state of {plan.count} replicas", "train fewer replicas")
    recording = plan.rule.recording
    if recording is not None:
        what = f"a recording of {plan.count} replicas over {plan.last - plan.beginning.step} steps"
        way_out = "keep fewer lines and frames (Recording(every=, frames=)), a shorter sketch= or fewer anchors="
        refuse_above_memory(recorded_bytes(plan, recording), what, way_out)
        return
    what = f"a cloud of {len(plan.saved)} frames, {plan.count} replicas and {plan.network.dim} parameters"
    way_out = "save fewer frames (save_at=), or use storage='float32' or store="
    refuse_above_memory(0 if stored else item * state * len(plan.saved), what, way_out)
