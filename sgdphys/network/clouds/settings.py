"""The settings of SGD of each replica: one for all, a schedule, or one for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sgdphys.kernels.philox import STEP_LIMIT
from sgdphys.schedules import SGDSchedule
from sgdphys.sgd import SGD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sgdphys.network.clouds.dynamics import Descent
    from sgdphys.network.objective import Objective

__all__ = ["ReplicaSettings", "Stretch", "fitted", "settings_of", "settings_told"]


class Stretch(NamedTuple):
    """Steps in which nothing changes: the settings of each kind of replica, and the place of each step in its data."""

    steps: range
    sgds: tuple[SGD, ...]
    places: tuple[tuple[tuple[int, int], ...] | None, ...]


@dataclass(frozen=True)
class ReplicaSettings:
    """Distinct settings, each as a schedule, and which of them each replica has.

    Parameters
    ----------
    schedules
        The distinct settings; a constant one is a schedule of one long stage.
    of_replica
        Number of the settings of each replica, (replica,).
    scheduled
        Whether the one setting was given as a schedule.
    """

    schedules: tuple[SGDSchedule, ...]
    of_replica: NDArray[np.int64]
    scheduled: bool = False

    @property
    def sgd(self) -> SGD:
        """The settings of the first replica, in the first stage."""
        return self.schedules[0].sgd

    @property
    def uniform(self) -> bool:
        """Whether all replicas have the same settings."""
        return len(self.schedules) == 1

    @property
    def momentum(self) -> bool:
        """Whether any replica has momentum."""
        return any(schedule.sgd.momentum > 0 for schedule in self.schedules)

    @property
    def same_lr(self) -> bool:
        """Whether one clock tells the time of all replicas."""
        return self.uniform or len({schedule.sgd.lr for schedule in self.schedules}) == 1

    @property
    def sizes(self) -> set[int]:
        """All batch sizes of any replica and stage."""
        return {sgd.batch_size for schedule in self.schedules for sgd, _ in schedule.stages}

    @property
    def largest_batch(self) -> int:
        """The largest batch size of any replica and stage."""
        return max(self.sizes)

    def of_rows(self, name: str) -> NDArray[Any]:
        """Return one setting of all replicas, (replica,), in the first stage."""
        return np.array([getattr(schedule.sgd, name) for schedule in self.schedules])[self.of_replica]

    def for_count(self, count: int) -> ReplicaSettings:
        """Return the settings of so many replicas, where all have the same."""
        return replace(self, of_replica=np.broadcast_to(np.int64(0), (count,))) if self.uniform else self

    def take(self, rows: NDArray[np.int64]) -> ReplicaSettings:
        """Return the settings of some replicas."""
        kinds, of_replica = np.unique(self.of_replica[rows], return_inverse=True)
        return replace(self, schedules=tuple(self.schedules[kind] for kind in kinds), of_replica=of_replica)

    def stretches(self, first: int, last: int, most: int) -> Iterator[Stretch]:
        """Yield the steps from ``first`` up to ``last`` in pieces of at most ``most`` in which nothing changes."""
        ends = np.unique(np.concatenate([np.cumsum([n for _, n in schedule.stages]) for schedule in self.schedules]))
        while first < last:
            stop = min(last, first + most, int(ends[np.searchsorted(ends, first, side="right")]))
            yield self._stretch(range(first, stop))
            first = stop

    def _stretch(self, steps: range) -> Stretch:
        sgds, places = [], []
        for schedule in self.schedules:
            ends = np.cumsum([n for _, n in schedule.stages])
            sgd = schedule.stages[int(np.searchsorted(ends, steps.start, side="right"))][0]
            sgds.append(sgd)
            shuffled = sgd.sampling == "shuffle"
            places.append(_places(schedule, steps) if shuffled else None)
        return Stretch(steps, tuple(sgds), tuple(places))

    def configuration(self) -> Any:
        """Return the settings as plain values: of the one, of the schedule, or of each kind of replica."""
        if self.scheduled:
            return self.schedules[0].configuration()
        if self.uniform:
            return asdict(self.sgd)
        return {
            "settings": [asdict(schedule.sgd) for schedule in self.schedules],
            "of_replica": self.of_replica.tolist(),
        }


def _places(schedule: SGDSchedule, steps: range) -> tuple[tuple[int, int], ...]:
    epochs, offsets = schedule.epoch_and_offset(np.arange(steps.start, steps.stop))
    return tuple(zip(epochs.tolist(), offsets.tolist(), strict=True))


def settings_of(sgd: Any, objective: Objective, dynamics: Descent) -> ReplicaSettings:
    """Return the settings of a run, checked against the data and the dynamics.

    Parameters
    ----------
    sgd
        ``SGD``, ``SGDSchedule``, or a sequence of ``SGD``, one for each replica.
    objective
        Gives number of samples and weight decay.
    dynamics
        How replicas move.

    Returns
    -------
    ReplicaSettings
        With the number of samples and the weight decay of the network filled in.

    Raises
    ------
    ValueError
        They are no settings, or do not fit the data or the dynamics.
    """
    if isinstance(sgd, SGDSchedule):
        if dynamics.substeps != 1:
            raise ValueError(f"{dynamics.name} cuts a step of SGD into {dynamics.substeps}: give one SGD, no schedule")
        stages = [(fitted(each, objective, dynamics), steps) for each, steps in sgd.stages]
        return ReplicaSettings((replace(sgd, stages=stages),), np.zeros(1, dtype=np.int64), scheduled=True)
    if isinstance(sgd, SGD):
        return ReplicaSettings((_lasting(sgd, objective, dynamics),), np.zeros(1, dtype=np.int64))
    if not isinstance(sgd, Sequence) or isinstance(sgd, str) or not all(isinstance(each, SGD) for each in sgd):
        raise ValueError(f"sgd must be settings such as SGD(lr=0.1, batch_size=8), got {sgd!r:.60}")
    kinds = list(dict.fromkeys(sgd))
    numbers = np.array([kinds.index(each) for each in sgd], dtype=np.int64)
    return ReplicaSettings(tuple(_lasting(each, objective, dynamics) for each in kinds), numbers)


def settings_told(told: dict[str, Any]) -> SGD | SGDSchedule | list[SGD] | None:
    """Return the settings that a configuration holds, as ``ReplicaSettings.configuration`` wrote them.

    Parameters
    ----------
    told
        Plain values, as read back from JSON.

    Returns
    -------
    SGD, SGDSchedule, list of SGD, or None
        As they were given to ``train``; None where there is a hash of many stages only.
    """
    if "settings" in told:
        return [SGD(**told["settings"][kind]) for kind in told["of_replica"]]
    if "schedule" not in told:
        return SGD(**told)
    if not isinstance(told["stages"], list):
        return None
    return SGDSchedule([(SGD(lr=lr, batch_size=size, **told["sgd"]), steps) for lr, size, steps in told["stages"]])


def _lasting(sgd: SGD, objective: Objective, dynamics: Descent) -> SGDSchedule:
    return SGDSchedule([(fitted(sgd, objective, dynamics), STEP_LIMIT)])


def fitted(sgd: SGD, objective: Objective, dynamics: Descent) -> SGD:
    """Return settings with number of samples and weight decay of the network.

    Parameters
    ----------
    sgd
        What the user gave.
    objective, dynamics
        What it must fit.

    Returns
    -------
    SGD
        Complete settings.

    Raises
    ------
    ValueError
        The settings contradict the network or the dynamics.
    """
    n_samples, decay = objective.n_samples, objective.weight_decay
    if sgd.batch_size > n_samples:
        raise ValueError(f"batch_size must not exceed the number of samples, got {sgd.batch_size} > {n_samples}")
    if sgd.n_samples not in {None, n_samples}:
        raise ValueError(f"sgd.n_samples={sgd.n_samples} is not the size of the data set, {n_samples}; leave it out")
    if sgd.weight_decay not in {0.0, decay}:
        raise ValueError(
            f"sgd.weight_decay={sgd.weight_decay} is not that of the network, {decay}; "
            "give it to Network, whose minimum and curvature include it"
        )
    full = replace(sgd, n_samples=n_samples, weight_decay=decay)
    dynamics.check(full, objective)
    return full
