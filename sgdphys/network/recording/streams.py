"""Rows of a recording on their way into a growing store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sgdphys.errors import StoreError
from sgdphys.network.recording.channels import AXES, SCALARS
from sgdphys.store import PlannedArray, create_growing_store, describe_store, open_store, resume_growing_store

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import xarray as xr
    from torch import Tensor

    from sgdphys.network.recording.channels import Channels, Rows
    from sgdphys.store import GrowingWriter

__all__ = ["RecordingStore"]

_LINES = 4096  # of a chunk
_FRAME_BYTES = 4 << 20  # of a chunk
_MOST_FRAMES = 256  # of a chunk


class RecordingStore:
    """The store of one recorder.

    Parameters
    ----------
    path
        Where it is or will be.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser()
        self.reached = (0, 0.0)
        self._writer: GrowingWriter | None = None

    @property
    def exists(self) -> bool:
        """Whether something is at the path."""
        return self.path.exists()

    def create(self, channels: Channels, attributes: Mapping[str, Any], *, overwrite: bool) -> None:
        """Make an empty store for what the channels will keep."""
        recording = channels.recording
        frame = {"sketch": ("bucket", recording.sketch), "position": ("coordinate", channels.n_directions)}
        kept = {name: (dim, size) for name, (dim, size) in frame.items() if size}
        named = {"line": SCALARS, "time": tuple(kept), "anchor_step": ("anchor",) if recording.anchors else ()}
        used = {axis: names for axis, names in named.items() if names}
        frame_bytes = 8 * channels.n_replicas * sum(size for _dim, size in kept.values())
        n_frames = min(max(_FRAME_BYTES // max(frame_bytes, 1), 1), _MOST_FRAMES)
        rows = {"line": _LINES, "time": n_frames, "anchor_step": 1}
        clocks = [name for axis in used for name in AXES[axis]]
        own = dict.fromkeys(("sketch", "anchor"), channels.dtype)
        names = [*clocks, *(name for names in used.values() for name in names)]
        self._writer = create_growing_store(
            self.path,
            channels.fixed().assign_attrs(attributes),
            [PlannedArray.named(name, dtype=own.get(name)) for name in names],
            rows={axis: rows[axis] for axis in used},
            sizes={"particle": channels.n_replicas, "parameter": channels.dim, **dict(kept.values())},
            coordinates=clocks,
            overwrite=overwrite,
        )

    def resumed(self, attributes: Mapping[str, Any]) -> Tensor:
        """Open the store to go on with it.

        Parameters
        ----------
        attributes
            Of the recorder, which must ask for what the store was made for.

        Returns
        -------
        Tensor
            The start of the recording, (1, d).

        Raises
        ------
        ValueError
            The store was made by a recorder with other settings or another model, or holds no start.
        """
        own = describe_store(self.path).attributes
        stored, wanted = (_configuration(told) for told in (own, attributes))
        for name in ("verb", "recording", "parameters", "shapes", "time_unit"):
            if stored.get(name) != wanted[name]:
                raise ValueError(
                    f"{self.path} was recorded with {name}={stored.get(name)!r:.80}, now it is {wanted[name]!r:.80}; "
                    "give the same, or choose another path"
                )
        if not wanted["recording"]["anchors"]:
            raise ValueError(f"{self.path} holds no anchor, so no start to go on from; record with anchors=1 or more")
        start = torch.as_tensor(open_store(self.path)["anchor"].values[0])
        self._writer = resume_growing_store(self.path)
        reached = [self._last(*AXES[axis]) for axis in self._writer.lengths]
        self.reached = max(reached)
        return start

    def refuse_other(self, channels: Channels) -> None:
        """Refuse channels that count from another origin or along other directions than the store that goes on.

        Raises
        ------
        ValueError
            Origin or basis differ.
        """
        assert self._writer is not None
        stored, wanted = self._writer.fixed(), channels.fixed()
        for name in ("origin", "basis"):
            if (name in stored) != (name in wanted) or (name in stored and not _same(stored[name], wanted[name])):
                self.close()
                raise ValueError(f"{self.path} was recorded with another {name}; give the same, or choose another path")

    def _last(self, step_name: str, time_name: str) -> tuple[int, float]:
        assert self._writer is not None
        step, time = self._writer.last(step_name), self._writer.last(time_name)
        return (0, 0.0) if step is None or time is None else (int(step), float(time))

    def write(self, taken: Mapping[str, Rows], times: Mapping[int, float], *, finished: bool) -> None:
        """Append rows, with the times of their steps, and let them count."""
        if self._writer is None:
            raise StoreError(f"the recording {self.path} was closed")
        for axis, rows in taken.items():
            steps = rows.pop("step")
            step_name, time_name = AXES[axis]
            own = np.array([times[int(step)] for step in steps])
            self._writer.append(axis, {**rows, step_name: steps, time_name: own})
        self._writer.commit(finished=finished)

    def close(self) -> None:
        """Give the store back."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _configuration(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"time_unit": attributes.get("time_unit"), **json.loads(attributes.get("configuration", "{}"))}


def _same(first: xr.DataArray, second: xr.DataArray) -> bool:
    return first.shape == second.shape and bool(np.allclose(first.values, second.values, rtol=1e-6, atol=1e-7))
