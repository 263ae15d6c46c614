"""Frames in a store on disk, with the state that exact continuation needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sgdphys import schema
from sgdphys.errors import StoreError
from sgdphys.observers.observation import Variables
from sgdphys.simulation.frames import Frames, described
from sgdphys.simulation.request import Plan
from sgdphys.simulation.starts import is_told

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    from sgdphys.simulation.frames import Checkpoint
    from sgdphys.store import PlannedArray, Writer

__all__ = ["StoreFrames"]

Array = NDArray[np.float64]


class StoreFrames(Frames):
    """Frames go to a store as the run goes on; a resumed run continues after the last committed one."""

    def __init__(self, plan: Plan, path: Path) -> None:
        super().__init__(plan)
        from sgdphys.store import describe_store, refuse_other_random_numbers

        self.path = path
        self.writer: Writer | None = None
        self.exists = plan.request.resume and path.expanduser().exists()
        if self.exists:
            summary = describe_store(path)
            if summary.attributes.get("configuration") != plan.configuration:
                raise StoreError(f"{path} belongs to another run; choose another store=, or overwrite=True")
            refuse_other_random_numbers(path, summary.attributes)
            self.complete = summary.complete

    def begin(self, ending: Variables) -> Checkpoint | None:
        """Make the store, or open it and return the checkpoint of its last committed frame."""
        from sgdphys.store import create_store, resume_store

        if self.exists:
            self.writer = resume_store(self.path)
            self.n_kept = self.writer.frames()
            return self.writer.state()
        sizes = {"particle": len(self.plan.state)}
        for dims, values in ending.values():
            sizes |= dict(zip(dims, np.shape(values), strict=True))
        overwrite = self.plan.request.overwrite
        fixed = self.fixed().assign(described(self._start()))
        self.writer = create_store(self.path, fixed, self._planned(ending), sizes=sizes, overwrite=overwrite)
        return None

    def _planned(self, ending: Variables) -> list[PlannedArray]:
        from sgdphys.store import PlannedArray

        frames = [PlannedArray.named(name, dtype=self.plan.request.storage) for name in self.names]
        return frames + [
            PlannedArray(name, tuple(dims), str(np.asarray(values).dtype), tuple(schema.describe(name).items()))
            for name, (dims, values) in ending.items()
        ]

    def _start(self) -> Variables:
        """Return the starting state where neither the configuration nor the first frame holds it."""
        if is_told(self.plan.request.start) or (len(self.steps) and self.steps[0] == self.plan.first):
            return {}
        axes = ("particle", "coordinate")
        state = self.plan.state
        variables: Variables = {"start_position": (axes, state[:, : self.dim])}
        if state.shape[1] > self.dim:
            variables["start_velocity"] = (axes, state[:, self.dim :])
        return variables

    def keep(self, out: Array, count: int, *, finite: bool, checkpoint: Callable[[], Checkpoint]) -> None:
        """Append the frames, with the state to go on from."""
        if count and self.writer is not None:
            self.writer.append(self.split(out, finite=finite), state=checkpoint())
            self.n_kept += count

    def finish(self, ending: Variables) -> None:
        """Write what is known at the end and mark the run as complete."""
        if self.writer is not None:
            self.writer.finish({name: np.asarray(values) for name, (_dims, values) in ending.items()})

    def __exit__(self, *_: object) -> None:
        if self.writer is not None:
            self.writer.close()

    def dataset(self) -> xr.Dataset:
        """Return the cloud as the store has it."""
        from sgdphys.store import open_store

        return open_store(self.path)
