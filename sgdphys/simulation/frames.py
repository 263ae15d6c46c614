"""What a place for saved frames must do, and what memory and store have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from sgdphys import schema
from sgdphys.observers.observation import Variables
from sgdphys.simulation.engine import is_lost
from sgdphys.simulation.lines import epochs
from sgdphys.simulation.request import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    Checkpoint = dict[str, NDArray[Any]]

__all__ = ["Frames"]

Array = NDArray[np.float64]


class Frames(ABC):
    """Takes the frames of a run, and hands out the cloud at its end."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.dim = plan.request.dynamics.dim
        self.steps = plan.timetable.saved
        self.names = _names(plan)
        self.n_kept = 0

    complete = False  # whether the cloud is there already

    @property
    def frame_bytes(self) -> int:
        """Size of one frame of the state that is held back before it is kept."""
        return int(self.plan.state.nbytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @abstractmethod
    def begin(self, ending: Variables) -> Checkpoint | None:
        """Make room, and return what an interrupted run left to go on from.

        Parameters
        ----------
        ending
            Variables as ``finish`` will bring them.

        Returns
        -------
        Checkpoint or None
            Arrays by name; None where there is nothing.
        """

    def room(self, count: int) -> tuple[Array, int]:
        """Return an array (frame, particle, row) for the next ``count`` frames and the number of its first frame."""
        return np.empty((count, *self.plan.state.shape)), self.n_kept

    @abstractmethod
    def keep(self, out: Array, count: int, *, finite: bool, checkpoint: Callable[[], Checkpoint]) -> None:
        """Take over the ``count`` frames that a stretch wrote to ``room``'s array; ``finite``: none is lost."""

    @abstractmethod
    def finish(self, ending: Variables) -> None:
        """Take over the variables that are known at the end."""

    @abstractmethod
    def dataset(self) -> xr.Dataset:
        """Return the cloud."""

    def split(self, out: Array, *, finite: bool) -> dict[str, NDArray[Any]]:
        """Return the named arrays of frames (frame, particle, row), as they are stored; what is lost is NaN."""
        if not finite:
            out[is_lost(out, self.dim, self.plan.bound, axis=2)] = np.nan
        parts = {"position": out[..., : self.dim], "velocity": out[..., self.dim :]}
        if "potential" in self.names:
            steps = self.steps[self.n_kept : self.n_kept + len(out)]
            parts["potential"] = _loss_at(self.plan, parts["position"], self.plan.clock.time(steps))
        return {name: _stored(parts[name], self.plan.request.storage) for name in self.names}

    def fixed(self) -> xr.Dataset:
        """Return coordinates, what is known before the run, and the attributes."""
        import xarray as xr

        from sgdphys import __version__

        dynamics = self.plan.request.dynamics
        coordinates: dict[str, Any] = {"coordinate": ("coordinate", np.array(dynamics.coordinate_names, dtype=str))}
        if len(self.steps):
            coordinates["time"] = ("time", self.plan.clock.time(self.steps), schema.describe("time"))
            coordinates["step"] = ("time", self.steps, schema.describe("step"))
            coordinates |= self._place_in_data()
        known = described(getattr(dynamics.landscape, "variables", dict)())
        return xr.Dataset(known, coordinates, schema.attributes_of(self.plan.configuration, __version__))

    def _place_in_data(self) -> dict[str, Any]:
        """Return epoch and share of the epoch that is past at each frame, for real minibatches."""
        dynamics = self.plan.request.dynamics
        if not hasattr(dynamics.noise, "is_minibatch"):
            return {}
        assert dynamics.sgd is not None and dynamics.sgd.n_samples is not None
        epoch, offset = epochs(dynamics, self.steps)
        phase = offset / dynamics.sgd.n_samples
        return {
            "epoch": ("time", epoch, schema.describe("epoch")),
            "epoch_phase": ("time", phase, schema.describe("epoch_phase")),
        }


def described(variables: Variables) -> dict[str, tuple[tuple[str, ...], Any, dict[str, str]]]:
    """Return variables with the units and meanings of the schema, as xarray takes them."""
    return {name: (dims, values, schema.describe(name)) for name, (dims, values) in variables.items()}


def _names(plan: Plan) -> list[str]:
    if not len(plan.timetable.saved):
        return []
    velocity = ["velocity"] if plan.request.dynamics.rows == 2 * plan.request.dynamics.dim else []
    return ["position", *velocity, *(["potential"] if plan.request.record_potential else [])]


def _stored(values: Array, storage: str) -> NDArray[Any]:
    if storage == "float64":
        return values
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _loss_at(plan: Plan, positions: Array, times: Array) -> Array:
    """Return f at positions (frame, particle, coordinate), at their times, with the weight decay of the SGD."""
    landscape: Any = plan.request.dynamics.landscape
    sgd = plan.request.dynamics.sgd
    if hasattr(landscape, "protocol"):
        values = np.array([landscape.at(time).potential(x) for time, x in zip(times, positions, strict=True)])
        values = values.reshape(positions.shape[:2])
    else:
        values = landscape.potential(positions.reshape(-1, landscape.dim)).reshape(positions.shape[:2])
    if sgd is not None and sgd.weight_decay:
        values = values + 0.5 * sgd.weight_decay * np.einsum("fpc,fpc->fp", positions, positions)
    return values
