"""Where the frames of a training run go: memory, or a store on disk that a killed run goes on from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import xarray as xr

import sgdphys
from sgdphys import schema
from sgdphys.network.clouds.continuation import refuse_another_run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.network.clouds.plan import TrainingPlan
    from sgdphys.network.clouds.snapshots import Snapshot

__all__ = ["CloudFrames", "MemoryFrames", "StoredFrames", "frames_for"]

_DIMS = {
    "position": (schema.TIME, schema.PARTICLE, schema.COORDINATE),
    "velocity": (schema.TIME, schema.PARTICLE, schema.COORDINATE),
    "buffer": (schema.TIME, schema.PARTICLE, "buffer_coordinate"),
    "potential": (schema.TIME, schema.PARTICLE),
}


class CloudFrames(Protocol):
    """Takes frames during a run and hands out the cloud at its end; a context that releases what it holds."""

    kept: int
    engine: str | None

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def begin(self, engine: str) -> tuple[Snapshot, int] | None:
        """Make room for the frames of this engine; return the snapshot and step of an interrupted run, if any."""

    def keep(self, snapshot: Snapshot, step: int) -> None:
        """Take over the state at a step that is saved."""

    def finish(self) -> xr.Dataset:
        """Return the cloud."""


def frames_for(plan: TrainingPlan, store: str | os.PathLike[str] | None, *, resume: bool, overwrite: bool) -> Any:
    """Return the place for the frames of a run.

    Parameters
    ----------
    plan
        The run.
    store
        Directory of a store; None for memory.
    resume, overwrite
        What to do with a store that is there.

    Returns
    -------
    CloudFrames
        To be used in a ``with`` block.

    Raises
    ------
    ValueError
        ``resume`` or ``overwrite`` without a store, or both; a store where a recording is kept in place of frames.
    StoreError
        The store belongs to another run.
    """
    if store is not None and plan.rule.recording is not None:
        raise ValueError(
            "record= keeps a recording in memory in place of frames: leave store= out, and keep its "
            "result by its to_netcdf()"
        )
    if store is None:
        if resume or overwrite:
            raise ValueError("resume= and overwrite= say what to do with a store that is there: give store=")
        return MemoryFrames(plan)
    if not isinstance(store, (str, os.PathLike)):
        raise ValueError(f"store must be a path, got {store!r:.60}")
    if resume and overwrite:
        raise ValueError("give one of resume= (go on with the store) and overwrite= (replace it)")
    return StoredFrames(plan, Path(store), resume=resume, overwrite=overwrite)


class MemoryFrames:
    """Frames in memory."""

    engine: str | None = None

    def __init__(self, plan: TrainingPlan) -> None:
        self._plan, self.kept = plan, 0
        self._arrays: dict[str, NDArray[Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def begin(self, engine: str) -> None:
        """Remember the engine; there is nothing to go on from."""
        self.engine = engine

    def keep(self, snapshot: Snapshot, step: int) -> None:
        """Copy the state at a step that is saved."""
        del step
        for name, values in _frame(self._plan, snapshot).items():
            if name not in self._arrays:
                self._arrays[name] = np.empty((len(self._plan.saved), *values.shape), values.dtype)
            self._arrays[name][self.kept] = values
        self.kept += 1

    def finish(self) -> xr.Dataset:
        """Return the cloud."""
        variables = {name: (_DIMS[name], array, schema.describe(name)) for name, array in self._arrays.items()}
        lost = np.isnan(self._arrays["position"][-1]).all(axis=1)
        own = {"diverged": (schema.PARTICLE, lost, schema.describe("diverged"))}
        assert self.engine is not None
        return _fixed(self._plan, self.engine).assign({**variables, **own})


class StoredFrames:
    """Frames in a store, with the state that exact continuation needs."""

    def __init__(self, plan: TrainingPlan, path: Path, *, resume: bool, overwrite: bool) -> None:
        from sgdphys.store import describe_store, refuse_other_random_numbers

        self._plan, self._path, self._overwrite = plan, path, overwrite
        self.kept, self.engine, self._writer, self._complete = 0, None, None, False
        self._exists = resume and path.expanduser().exists()
        if self._exists:
            summary = describe_store(path)
            refuse_another_run(path, summary.attributes.get("configuration"), plan.configuration)
            refuse_other_random_numbers(path, summary.attributes)
            self.engine, self._complete = summary.attributes.get("engine"), summary.complete

    kept: int
    engine: str | None
    _writer: Any

    @property
    def complete(self) -> bool:
        """Whether the cloud is there already."""
        return self._complete

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def begin(self, engine: str) -> tuple[Snapshot, int] | None:
        """Make the store, or open it and return what the interrupted run left."""
        from sgdphys.store import create_store, resume_store

        if self._exists:
            self._writer = resume_store(self._path)
            self.kept = self._writer.frames()
            state = self._writer.state()
            if state is None:
                return None
            return {name: values for name, values in state.items() if name != "step"}, int(state["step"])
        self.engine = engine
        fixed, sizes = _fixed(self._plan, engine), _sizes(self._plan)
        self._writer = create_store(self._path, fixed, self._planned(), sizes=sizes, overwrite=self._overwrite)
        return None

    def _planned(self) -> list[Any]:
        from sgdphys.store import PlannedArray

        types = {"buffer": "float64", "potential": "float64"}
        arrays = [
            PlannedArray.named(name, dims=_DIMS[name], dtype=types.get(name, self._plan.storage))
            for name in self._plan.names
        ]
        return [*arrays, PlannedArray.named("diverged")]

    def keep(self, snapshot: Snapshot, step: int) -> None:
        """Append the state at a step that is saved, with all that is needed to go on from it."""
        frame = {name: values[None] for name, values in _frame(self._plan, snapshot).items()}
        self._writer.append(frame, state={**snapshot, "step": np.array(step)})
        self.kept += 1

    def finish(self) -> xr.Dataset:
        """Mark the run as complete and return the cloud as the store has it."""
        from sgdphys.store import open_store

        if self._writer is not None:
            self._writer.commit()
            last = self._writer.committed("position")[-1]
            self._writer.finish({"diverged": np.isnan(last).all(axis=1)})
            self._writer.close()
            self._writer = None
        return open_store(self._path)


def _frame(plan: TrainingPlan, snapshot: Snapshot) -> Snapshot:
    """Return what a frame shows of a state: lost replicas are NaN."""
    lost = np.logical_not(np.isfinite(snapshot["position"]).all(axis=1))
    frame: Snapshot = {}
    for name in plan.names:
        if name == "potential":
            positions = np.where(lost[:, None], np.nan, snapshot["position"])
            frame[name] = np.asarray(plan.network.potential(positions), dtype=np.float64)
            continue
        kind = snapshot["buffer"].dtype if name == "buffer" else np.dtype(plan.storage)
        with np.errstate(over="ignore"):
            frame[name] = snapshot[name].astype(kind)
        frame[name][lost] = np.nan
    return frame


def _sizes(plan: TrainingPlan) -> dict[str, int]:
    buffers = plan.rule.objective.model.buffers
    numbers = sum(buffers[name].numel() for name in plan.rule.behaviour.buffers)
    return {"particle": plan.count, "coordinate": plan.network.dim, "buffer_coordinate": numbers}


def _fixed(plan: TrainingPlan, engine: str) -> xr.Dataset:
    """Return coordinates and attributes, known before the run."""
    settings = plan.rule.settings
    time_attributes = schema.describe("time")
    if not settings.same_lr:
        time_attributes = {"units": "1", "long_name": "number of steps; times lr(particle) the time of a replica"}
    coordinates: dict[str, Any] = {
        "time": (schema.TIME, np.asarray(plan.clock.time(plan.saved), dtype=np.float64), time_attributes),
        "step": (schema.TIME, plan.saved, schema.describe("step")),
    }
    if not settings.uniform:
        for name in ("lr", "batch_size", "momentum"):
            coordinates[name] = (schema.PARTICLE, settings.of_rows(name), schema.describe(name))
    attributes = {**schema.attributes_of(plan.configuration, sgdphys.__version__), "engine": engine}
    return xr.Dataset(coords=coordinates, attrs=attributes)
