"""Where saved frames go: into memory or into a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sgdphys import schema
from sgdphys.errors import MemoryLimitError, StoreError
from sgdphys.protocols import Landscape
from sgdphys.simulation.engine import Ensemble
from sgdphys.simulation.memory import available_memory, readable
from sgdphys.simulation.request import Plan

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Frames", "open_frames"]

Array = NDArray[np.float64]


def open_frames(plan: Plan) -> Frames:
    """Return the place for the frames of a run."""
    return MemoryFrames(plan) if plan.request.store is None else StoreFrames(plan)


class Frames:
    """What memory and store have in common: names, the potential, and the fixed part of the Dataset."""

    complete = False

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.dim = plan.request.dynamics.dim
        self.steps = plan.timetable.saved
        self.names = ["position"]
        if plan.request.dynamics.rows == 2 * self.dim:
            self.names.append("velocity")
        if plan.request.record_potential:
            self.names.append("potential")
        if not len(self.steps):
            self.names = []
        self.n_kept = 0
        self._written = 0

    @property
    def frame_bytes(self) -> int:
        """Size of one frame of the state."""
        return int(self.plan.state.nbytes)

    def __enter__(self) -> Frames:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def recover(self, ensemble: Ensemble, first: int) -> tuple[int, bool]:  # noqa: ARG002
        """Return the step to go on from and whether that step is still to be noted."""
        return first, True

    def room(self, steps: NDArray[np.int64]) -> tuple[Array, int]:
        """Return an array (frame, particle, row) for the saved frames among ``steps`` and the number of its first frame."""
        count = int(np.isin(self.steps, steps).sum())
        self._written = count
        return np.empty((count, *self.plan.state.shape)), self.n_kept

    def keep(self, out: Array, ensemble: Ensemble, step: int) -> None:
        """Take over the frames that a stretch wrote to ``room``'s array."""
        raise TypeError("a place for frames says how it keeps them")  # pragma: no cover

    def finish(self, variables: dict[str, Any]) -> None:
        """Take over the variables that are known at the end."""
        raise TypeError("a place for frames says how it ends")  # pragma: no cover

    def dataset(self) -> xr.Dataset:
        """Return the cloud."""
        raise TypeError("a place for frames says what it holds")  # pragma: no cover

    def split(self, out: Array) -> dict[str, Array]:
        """Return the named arrays of frames (frame, particle, row); whatever is not finite becomes NaN."""
        if not np.isfinite(out).all():
            out[~np.isfinite(out).all(axis=2)] = np.nan
        parts = {"position": out[..., : self.dim], "velocity": out[..., self.dim :]}
        if "potential" in self.names:
            parts["potential"] = loss_at(self.plan, parts["position"])
        return {name: parts[name] for name in self.names}

    def fixed(self) -> xr.Dataset:
        """Return coordinates, the landscape's own variables, and the attributes."""
        import xarray as xr

        from sgdphys import __version__

        dynamics = self.plan.request.dynamics
        coordinates: dict[str, Any] = {"coordinate": ("coordinate", np.array(dynamics.coordinate_names, dtype=str))}
        if len(self.steps):
            coordinates["time"] = ("time", self.steps * dynamics.dt, schema.describe("time"))
            coordinates["step"] = ("time", self.steps, schema.describe("step"))
        own = getattr(dynamics.landscape, "variables", dict)()
        variables = {name: (dims, values, schema.describe(name)) for name, (dims, values) in own.items()}
        return xr.Dataset(variables, coordinates, schema.attributes_of(self.plan.configuration, __version__))


class MemoryFrames(Frames):
    """All frames in one array per variable."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.dtype = np.dtype(plan.request.storage)
        shape = (len(self.steps), *plan.state.shape)
        size = int(np.prod(shape)) * self.dtype.itemsize
        if size > 0.9 * available_memory():
            raise MemoryLimitError(
                f"the {shape[0]} frames need {readable(size)}, {readable(available_memory())} are free; "
                "save fewer frames (save_at=), reduce while running (save_at=0, observers=[...]) or write to disk (store=)"
            )
        self.state = np.empty(shape, self.dtype)
        self.potential = np.empty(shape[:2], self.dtype)
        self.variables: dict[str, Any] = {}

    @property
    def frame_bytes(self) -> int:
        """Nothing is held back in double precision; in single precision one stretch is."""
        return 0 if self.dtype == np.float64 else super().frame_bytes

    def room(self, steps: NDArray[np.int64]) -> tuple[Array, int]:
        """Return the array itself, or a buffer in single precision."""
        if self.dtype != np.float64:
            return super().room(steps)
        self._written = int(np.isin(self.steps, steps).sum())
        return self.state, 0

    def keep(self, out: Array, ensemble: Ensemble, step: int) -> None:  # noqa: ARG002
        """Look after divergence and the potential of the new frames."""
        new = slice(self.n_kept, self.n_kept + self._written)
        parts = self.split(out[new] if out is self.state else out)
        if out is not self.state:
            self.state[new] = out
        if "potential" in parts:
            self.potential[new] = parts["potential"]
        self.n_kept = new.stop

    def finish(self, variables: dict[str, Any]) -> None:
        """Take over the variables that are known at the end."""
        self.variables = variables

    def dataset(self) -> xr.Dataset:
        """Return the cloud."""
        arrays = {
            "position": self.state[..., : self.dim],
            "velocity": self.state[..., self.dim :],
            "potential": self.potential,
        }
        named = {name: (schema.BY_NAME[name].dims, arrays[name]) for name in self.names}
        return self.fixed().assign(
            {
                name: (dims, values, schema.describe(name))
                for name, (dims, values) in {**named, **self.variables}.items()
            }
        )


class StoreFrames(Frames):
    """Frames in a store on disk, with the state that exact continuation needs."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        from sgdphys.store import describe_store

        self.path = plan.request.store
        self.exists = plan.request.resume and _is_there(self.path)
        if self.exists:
            summary = describe_store(self.path)
            if summary.attributes.get("configuration") != plan.configuration:
                raise StoreError(f"{self.path} belongs to another run; choose another store=, or overwrite=True")
            self.complete = summary.complete
        self.writer: Any = None

    def recover(self, ensemble: Ensemble, first: int) -> tuple[int, bool]:
        """Open or make the store; take the state of its last committed frame."""
        from sgdphys.store import PlannedArray, create_store, resume_store

        if self.exists:
            self.writer = resume_store(self.path)
            return self._restore(ensemble, first)
        planned = [PlannedArray.named(name, dtype=self.plan.request.storage) for name in self.names]
        ending = {"diverged": (("particle",), np.zeros(ensemble.n_particles, bool)), **_template(ensemble, self.plan)}
        sizes = {"particle": ensemble.n_particles}
        for name, (dims, values) in ending.items():
            planned.append(
                PlannedArray(name, tuple(dims), str(np.asarray(values).dtype), tuple(schema.describe(name).items()))
            )
            sizes |= dict(zip(dims, np.shape(values), strict=True))
        self.writer = create_store(self.path, self.fixed(), planned, sizes=sizes, overwrite=self.plan.request.overwrite)
        return first, True

    def _restore(self, ensemble: Ensemble, first: int) -> tuple[int, bool]:
        state = self.writer.state()
        if state is None:
            return first, True
        ensemble.load(state["state"], state["memory"])
        self.n_kept = self.writer.frames()
        return int(state["step"]), False

    def keep(self, out: Array, ensemble: Ensemble, step: int) -> None:
        """Append the frames, with the state to go on from."""
        if not len(out):
            return
        state = {"state": ensemble.state(), "memory": ensemble.memory.values, "step": np.array(step)}
        self.writer.append(self.split(out), state=state)
        self.n_kept += len(out)

    def finish(self, variables: dict[str, Any]) -> None:
        """Write what is known at the end and mark the run as complete."""
        self.writer.finish({name: np.asarray(values) for name, (_dims, values) in variables.items()})

    def __exit__(self, *_: object) -> None:
        if self.writer is not None:
            self.writer.close()

    def dataset(self) -> xr.Dataset:
        """Return the cloud as the store has it."""
        from sgdphys.store import open_store

        return open_store(self.path)


def _is_there(path: Any) -> bool:
    from pathlib import Path

    return Path(path).expanduser().exists()


def _template(ensemble: Ensemble, plan: Plan) -> dict[str, Any]:
    from sgdphys.simulation.engine import results

    return results(ensemble, plan.request.dynamics.dt)


def loss_at(plan: Plan, positions: Array) -> Array:
    """Return f at positions (frame, particle, coordinate), with the weight decay of the SGD settings."""
    landscape: Landscape = plan.request.dynamics.landscape
    values = landscape.potential(positions.reshape(-1, landscape.dim)).reshape(positions.shape[:2])
    sgd = plan.request.dynamics.sgd
    if sgd is not None and sgd.weight_decay:
        values = values + 0.5 * sgd.weight_decay * np.einsum("fpc,fpc->fp", positions, positions)
    return values
