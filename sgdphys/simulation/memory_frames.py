"""Frames in memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sgdphys import schema
from sgdphys.observers.observation import Variables
from sgdphys.simulation.frames import Frames, described
from sgdphys.simulation.memory import refuse_above_memory
from sgdphys.simulation.request import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    from sgdphys.simulation.frames import Checkpoint

__all__ = ["MemoryFrames"]

Array = NDArray[np.float64]


class MemoryFrames(Frames):
    """All frames in one array; in double precision the engine writes into it directly."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        dtype = np.dtype(plan.request.storage)
        shape = (len(self.steps), *plan.state.shape)
        rows = shape[2] + ("potential" in self.names)
        refuse_above_memory(
            math.prod(shape[:2]) * rows * dtype.itemsize,
            f"{shape[0]} frames of {shape[1]} particles",
            "save fewer frames (save_at=), reduce while running (save_at=0, observers=[...]) or write to disk (store=)",
        )
        self.state = np.empty(shape, dtype)
        self.potential = np.empty(shape[:2] if "potential" in self.names else (0, 0), dtype)
        self.ending: Variables = {}

    @property
    def frame_bytes(self) -> int:
        """Nothing is held back in double precision; single precision and potentials take room beside the frames."""
        return 0 if self.state.dtype == np.float64 and "potential" not in self.names else super().frame_bytes

    def begin(self, ending: Variables) -> None:  # noqa: ARG002
        """Memory remembers nothing of an earlier run."""
        return

    def room(self, count: int) -> tuple[Array, int]:
        """Return the array of all frames, or a buffer in single precision."""
        return (self.state, 0) if self.state.dtype == np.float64 else super().room(count)

    def keep(self, out: Array, count: int, *, finite: bool, checkpoint: Callable[[], Checkpoint]) -> None:  # noqa: ARG002
        """Look after divergence and the potential of the new frames."""
        new = slice(self.n_kept, self.n_kept + count)
        parts = self.split(out[new] if out is self.state else out, finite=finite)
        if out is not self.state and count:
            self.state[new, :, : self.dim] = parts["position"]
            self.state[new, :, self.dim :] = parts.get("velocity", 0)
        if "potential" in parts:
            self.potential[new] = parts["potential"]
        self.n_kept = new.stop

    def finish(self, ending: Variables) -> None:
        """Take over the variables that are known at the end."""
        self.ending = ending

    def dataset(self) -> xr.Dataset:
        """Return the cloud."""
        arrays = {
            "position": self.state[..., : self.dim],
            "velocity": self.state[..., self.dim :],
            "potential": self.potential,
        }
        frames: Variables = {name: (schema.BY_NAME[name].dims, arrays[name]) for name in self.names}
        return self.fixed().assign(described({**frames, **self.ending}))
