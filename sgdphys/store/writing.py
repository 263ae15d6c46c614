"""Filling a store: whole frames into their chunks, the resume state into a free slot, then the commit marker."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from sgdphys import schema
from sgdphys.errors import StoreError
from sgdphys.store.chunks import open_array, refuse_missing
from sgdphys.store.commit import Commit, read_commit, write_commit
from sgdphys.store.directory import existing_store, resolve
from sgdphys.store.lock import LockHolder, lock_store
from sgdphys.store.reading import open_fixed

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from pathlib import Path

    import xarray as xr
    from numpy.typing import NDArray

    Point = tuple[int, ...]

__all__ = ["CHECKPOINT", "Writer", "resume_store"]

CHECKPOINT = "checkpoint"


def resume_store(path: str | os.PathLike[str]) -> Writer:
    """Return a writer that goes on after the last committed frame of each point; refused as by ``open_store``."""
    target = resolve(path)
    attributes = existing_store(target)
    refuse_missing(target, attributes, read_commit(target, attributes))
    writer = Writer(target)
    for leftover in target.rglob("*.partial"):  # of a killed writer; the lock says that there is no other one
        leftover.unlink()
    return writer


class Writer(LockHolder):
    """The one writer of a store.

    Frames are held back until a chunk of them is full or ``commit_seconds`` have passed, are then written, and count
    from the moment when the commit marker is replaced. Leaving the ``with`` block commits what is held back, also when
    it is left by Ctrl-C.

    Parameters
    ----------
    path
        Directory of an existing store; use ``create_store`` or ``resume_store`` to get here.
    commit_seconds
        Longest time that appended frames wait for their commit, looked at on every append.
    """

    def __init__(self, path: Path, *, commit_seconds: float = 5.0) -> None:
        self.path = path
        self.commit_seconds = commit_seconds
        self._lock = lock_store(path)
        attributes = existing_store(path)
        self.planned_frames = int(attributes["frames"])
        self._arrays: dict[str, Any] = {name: open_array(path, name, "r+") for name in attributes["planned"]}
        self._commit = read_commit(path, attributes)
        named = {name: array.metadata.dimension_names or () for name, array in self._arrays.items()}
        self._timed = [name for name, dims in named.items() if schema.TIME in dims]
        self._frames_per_chunk = self._chunk_frames(len(attributes["points"]))
        self._held: list[Mapping[str, NDArray[Any]]] = []
        self._held_frames = 0
        self._held_point: Point = ()
        self._state: Mapping[str, Any] | None = None
        self._last_commit = time.monotonic()

    def _chunk_frames(self, n_points: int) -> int:
        return int(self._arrays[self._timed[0]].chunks[n_points]) if self._timed else 1

    def frames(self, point: Point = ()) -> int:
        """Return how many frames of the point are committed."""
        return int(self._commit.frames[point])

    def finished(self, point: Point = ()) -> bool:
        """Return whether the point ran to its end."""
        return bool(self._commit.finished[point])

    def state(self, point: Point = ()) -> dict[str, NDArray[Any]] | None:
        """Return the state that was appended with the last committed frame of the point, or None without one."""
        if self._commit.slot is None or self._commit.state_point != point or self.finished(point):
            return None
        group = zarr.open_group(str(self.path / CHECKPOINT / str(self._commit.slot)), mode="r")
        names: Any = group.attrs["names"]
        return {name: np.asarray(group[name][...]) for name in names}  # type: ignore[index]

    def committed(self, name: str, point: Point = ()) -> NDArray[Any]:
        """Return the committed frames of an array over time, time leading."""
        return np.asarray(self._arrays[name][(*point, slice(0, self.frames(point)))])

    def fixed(self) -> xr.Dataset:
        """Return the coordinates and the arrays that were known when the store was made."""
        return open_fixed(self.path)

    def append(
        self, frames: Mapping[str, NDArray[Any]], *, point: Point = (), state: Mapping[str, NDArray[Any]] | None = None
    ) -> None:
        """Add frames of every array over time.

        Parameters
        ----------
        frames
            For each planned array over time its next frames, time leading.
        point
            The point of a sweep.
        state
            What is needed to go on after the last of these frames; see ``state``.

        Raises
        ------
        StoreError
            An array is missing or unknown, or more frames come than were planned.
        """
        if set(frames) != set(self._timed):
            raise StoreError(f"frames of {sorted(self._timed)} are expected, got {sorted(frames)}")
        if self._held_frames and point != self._held_point:
            self.commit()
        count = len(frames[self._timed[0]])
        before = self.frames(point) + self._held_frames
        if before + count > self.planned_frames:
            raise StoreError(f"{self.path} is planned for {self.planned_frames} frames, got {before + count}")
        self._held.append(frames)
        self._held_frames += count
        self._held_point = point
        self._state = state
        chunk_is_full = (before + count) // self._frames_per_chunk > self.frames(point) // self._frames_per_chunk
        if chunk_is_full or time.monotonic() - self._last_commit > self.commit_seconds:
            self.commit()
        else:  # the caller may go on in the same memory
            self._held[-1] = {name: np.array(values, self._arrays[name].dtype) for name, values in frames.items()}
            self._state = None if state is None else {name: np.array(values) for name, values in state.items()}

    def finish(self, values: Mapping[str, NDArray[Any]] | None = None, *, point: Point = ()) -> None:
        """Commit what is held back, write the arrays without time, and mark the point as run to its end.

        Parameters
        ----------
        values
            For each planned array without time its value at this point.
        point
            The point of a sweep.

        Raises
        ------
        StoreError
            An array is missing or unknown.
        """
        self.commit()
        expected = set(self._arrays) - set(self._timed)
        if set(values or {}) != expected:
            raise StoreError(f"values of {sorted(expected)} are expected, got {sorted(values or {})}")
        if not self._timed:
            self._commit.frames[point] = self.planned_frames
        for name, value in (values or {}).items():
            self._arrays[name][(*point, ...)] = value
        self._commit.finished[point] = True
        if self._commit.state_point == point:
            self._commit.slot = None
        self._write_marker()

    def commit(self) -> None:
        """Write the frames held back and replace the commit marker."""
        if not self._held_frames:
            return
        point, first = self._held_point, self.frames(self._held_point)
        last = first + self._held_frames
        for name in self._timed:
            block = np.concatenate([np.asarray(frames[name]) for frames in self._held])
            self._arrays[name][(*point, slice(first, last))] = block
        if self._state is not None:
            self._write_state(self._state)
        self._commit.frames[point] = last
        self._write_marker()
        self._held, self._held_frames, self._state = [], 0, None

    def _write_state(self, state: Mapping[str, Any]) -> None:
        # two slots in turn: the one that the marker names stays whole until the marker names the other
        slot = 1 if self._commit.slot == 0 else 0
        folder = self.path / CHECKPOINT / str(slot)
        shutil.rmtree(folder, ignore_errors=True)
        group = zarr.create_group(str(folder), zarr_format=3, attributes={"names": sorted(state)})
        for name, values in state.items():
            group.create_array(name, data=np.asarray(values))
        self._commit.slot, self._commit.state_point = slot, self._held_point

    def _write_marker(self) -> None:
        write_commit(self.path, self._commit)
        self._last_commit = time.monotonic()

    @property
    def progress(self) -> Commit:
        """The commit marker as it stands."""
        return self._commit

    def close(self) -> None:
        """Commit what is held back and give the lock back."""
        try:
            self.commit()
        finally:
            super().close()
