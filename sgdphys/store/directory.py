"""What lies at a path: nothing, a store of ours, or something that must not be touched."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sgdphys import schema
from sgdphys.errors import StoreError
from sgdphys.store.commit import COMMIT_FILE, WAY_OUT, Commit, read_commit

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "existing_store", "make_way", "progress_line", "read_attributes", "refuse_other_random_numbers", "remove_store",
    "resolve",
]  # fmt: skip

_NEEDED = ("points", "frames", "coordinates", "labels", "planned")


def resolve(path: str | os.PathLike[str]) -> Path:
    """Return the path with ``~`` expanded.

    Returns
    -------
    Path
        Not necessarily existing.

    Raises
    ------
    StoreError
        The path is empty.
    """
    if not str(path):
        raise StoreError("the path of a store must not be empty")
    return Path(path).expanduser()


def read_attributes(path: Path) -> dict[str, Any] | None:
    """Return the attributes of the store at ``path``, or None where there is no sgdphys store."""
    try:
        content = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
        attributes = content["attributes"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return attributes if isinstance(attributes, dict) and "sgdphys_format" in attributes else None


def existing_store(path: Path) -> dict[str, Any]:
    """Look at the store at ``path``.

    Returns
    -------
    dict
        Its attributes.

    Raises
    ------
    StoreError
        There is nothing, no store, or a store of another format.
    """
    if not path.exists():
        raise StoreError(f"there is no store at {path}")
    attributes = read_attributes(path)
    if attributes is None:
        raise StoreError(f"{path} is not a sgdphys store{_damage(path)}")
    lost = [name for name in _NEEDED if name not in attributes]
    if lost:
        raise StoreError(f"{path}: zarr.json has lost {', '.join(lost)}; {WAY_OUT}")
    version = attributes["sgdphys_format"]
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise StoreError(f"{path} has format {version!r}, which no sgdphys ever wrote; {WAY_OUT}")
    if version > schema.FORMAT_VERSION:
        raise StoreError(
            f"{path} has format {version}, newer than {schema.FORMAT_VERSION}, the newest this sgdphys reads; "
            "install a newer sgdphys to open it"
        )
    return attributes


def _damage(path: Path) -> str:
    # a folder with our marker was a store of ours once
    if not (path / COMMIT_FILE).exists():
        return ""
    return ": it has commit.json but no zarr.json that can be read; remove the folder and write the store again"


def refuse_other_random_numbers(path: Path, attributes: Mapping[str, object]) -> None:
    """Refuse to go on with a store whose first part was made with other random numbers.

    Raises
    ------
    StoreError
        Its ``rng_version`` is not the one of this sgdphys.
    """
    version = attributes.get("rng_version")
    if version != schema.RNG_VERSION:
        raise StoreError(
            f"{path} was made with random numbers of version {version}, this sgdphys makes version "
            f"{schema.RNG_VERSION}; overwrite=True (--overwrite) replaces it"
        )


def progress_line(path: Path, commit: Commit, planned_frames: int) -> str:
    """Return in words how much of a store is there."""
    if commit.lengths:
        state = "complete" if commit.complete else "unfinished"
        rows = ", ".join(f"{length} along {dim}" for dim, length in commit.lengths.items())
        return f"{path}: {state}, {rows}"
    if commit.frames.ndim == 0:
        state = "complete" if commit.complete else "unfinished"
        return f"{path}: {state}, {int(commit.frames)} of {planned_frames} frames"
    points = int(commit.finished.sum())
    state = "complete" if commit.complete else "unfinished"
    return f"{path}: {state}, {points} of {commit.finished.size} points"


def make_way(path: Path, *, overwrite: bool) -> None:
    """Clear the way for a new store at ``path``.

    Raises
    ------
    StoreError
        A store is there and ``overwrite`` was not given, or what is there is no store of ours and is left alone.
    """
    if not path.exists() and not path.is_symlink():
        return
    attributes = read_attributes(path)
    if attributes is None or path.is_symlink():
        raise StoreError(f"{path} exists and is not a sgdphys store; it is left as it is, choose another path")
    if not overwrite:
        planned = int(attributes.get("frames", 0))
        raise StoreError(
            f"a store exists already ({progress_line(path, read_commit(path), planned)}); "
            "overwrite=True (--overwrite) replaces it, resume=True (--resume) continues it, or choose another path"
        )
    remove_store(path)


def remove_store(path: Path) -> None:
    """Remove a store; it first moves out of sight, so that a kill in between leaves no half of a store."""
    grave = path.with_name(f".{path.name}.removed-{os.getpid()}")
    path.rename(grave)
    shutil.rmtree(grave)
