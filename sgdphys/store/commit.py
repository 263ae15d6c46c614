"""The commit marker: which frames of which points count, replaced as a whole or not at all."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["COMMIT_FILE", "Commit", "read_commit", "write_commit"]

COMMIT_FILE = "commit.json"
WAY_OUT = "write the store again with overwrite=True (--overwrite)"


@dataclass
class Commit:
    """What of a store counts.

    Parameters
    ----------
    frames
        Committed frames of each point, shape of the points; a zero-dimensional array for a single run.
    finished
        Whether a point ran to its end and its arrays without time were written, same shape.
    slot
        Which of the two checkpoint slots is valid; None when there is no checkpoint.
    state_point
        The point that the checkpoint belongs to.
    lengths
        Committed rows along each growing dimension; empty for a store of planned length.
    """

    frames: NDArray[np.int64]
    finished: NDArray[np.bool_]
    slot: int | None = None
    state_point: tuple[int, ...] = ()
    lengths: dict[str, int] = field(default_factory=dict)

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Commit:
        """Return the marker of a store that nothing was written to."""
        return cls(np.zeros(shape, np.int64), np.zeros(shape, np.bool_))

    @property
    def empty_so_far(self) -> bool:
        """Whether nothing was committed yet."""
        return not (self.finished.any() or self.frames.any() or any(self.lengths.values()))

    @property
    def complete(self) -> bool:
        """Whether every point ran to its end."""
        return bool(self.finished.all())


def write_commit(store: Path, commit: Commit) -> None:
    """Replace the marker atomically: a temporary file, flushed to the disk, then one rename."""
    content: dict[str, Any] = {
        "shape": list(commit.frames.shape),
        "frames": commit.frames.ravel().tolist(),
        "finished": commit.finished.ravel().astype(int).tolist(),
        "slot": commit.slot,
        "state_point": list(commit.state_point),
    }
    if commit.lengths:
        content["lengths"] = commit.lengths
    temporary = store / f"{COMMIT_FILE}.{os.getpid()}.partial"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, store / COMMIT_FILE)


def read_commit(store: Path, attributes: Mapping[str, Any] | None = None) -> Commit:
    """Return the marker of the store.

    Parameters
    ----------
    store
        Directory of the store.
    attributes
        The store's attributes, with which the marker is compared if they are given.

    Returns
    -------
    Commit
        As it was last written.

    Raises
    ------
    StoreError
        The marker is missing, cannot be read, or does not fit the store; sgdphys never leaves a store so.
    """
    try:
        content: dict[str, Any] = json.loads((store / COMMIT_FILE).read_text(encoding="utf-8"))
        shape = tuple(content["shape"])
        frames = np.array(content["frames"], np.int64).reshape(shape)
        finished = np.array(content["finished"], np.bool_).reshape(shape)
        lengths = {str(dim): int(length) for dim, length in content.get("lengths", {}).items()}
        commit = Commit(frames, finished, content["slot"], tuple(content["state_point"]), lengths)
    except FileNotFoundError as error:
        raise StoreError(f"{store} has lost {COMMIT_FILE}, so nothing in it counts; {WAY_OUT}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{store}: {COMMIT_FILE} cannot be read ({error}); {WAY_OUT}") from error
    if attributes is not None:
        _refuse_impossible(store, commit, attributes)
    return commit


def _refuse_impossible(store: Path, commit: Commit, attributes: Mapping[str, Any]) -> None:
    planned, points = int(attributes["frames"]), len(attributes["points"])
    if commit.frames.ndim != points:
        raise StoreError(
            f"{store}: {COMMIT_FILE} counts over {commit.frames.ndim} dimensions, the store has {points}; {WAY_OUT}"
        )
    outside = commit.frames[(commit.frames < 0) | (commit.frames > planned)]
    if outside.size:
        raise StoreError(f"{store}: {COMMIT_FILE} tells of {outside[0]} frames of {planned}; {WAY_OUT}")
    if commit.slot not in {None, 0, 1}:
        raise StoreError(f"{store}: {COMMIT_FILE} names checkpoint {commit.slot!r}, there are 0 and 1; {WAY_OUT}")
