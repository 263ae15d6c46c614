"""Which arrays and chunks a store must hold by its commit marker, and which of them are not there."""

from __future__ import annotations

import itertools
import math
import os
from typing import TYPE_CHECKING, Any

import zarr

from sgdphys import schema
from sgdphys.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sgdphys.store.commit import Commit

__all__ = ["array_names", "chunk_key", "committed_chunks", "open_array", "refuse_missing"]

NOT_ARRAYS = ("checkpoint",)


def array_names(path: Path, attributes: dict[str, Any]) -> list[str]:
    """Return the names of the arrays written at once and then of those that the run fills."""
    planned: list[str] = attributes["planned"]
    if "fixed" in attributes:
        return [*attributes["fixed"], *planned]
    folders = (entry.name for entry in path.iterdir() if entry.is_dir())
    return [*sorted(name for name in folders if name not in planned and name not in NOT_ARRAYS), *planned]


def open_array(path: Path, name: str, mode: Any = "r") -> Any:
    """Return an array of the store.

    Returns
    -------
    zarr.Array
        The array; none of its chunks was looked at.

    Raises
    ------
    StoreError
        Its metadata is missing or cannot be read.
    """
    try:
        # a chunk equal to the fill value must be written, or it could not be told from a lost one
        with zarr.config.set({"array.write_empty_chunks": True}):
            return zarr.open_array(str(path / name), mode=mode, zarr_format=3)
    except Exception as error:  # zarr and json raise many kinds
        there = (path / name / "zarr.json").exists()
        state = "cannot be read" if there else "is missing"
        raise StoreError(
            f"{path}: {name}/zarr.json {state}; write the store again with overwrite=True (--overwrite)"
        ) from error


def chunk_key(name: str, chunk: tuple[int, ...]) -> str:
    """Return the path of a chunk inside its store, ``position/c/3/0/0`` say."""
    return "/".join([name, "c", *map(str, chunk)])


def committed_chunks(name: str, array: Any, commit: Commit, attributes: dict[str, Any]) -> Iterator[tuple[int, ...]]:
    """Yield the chunks of an array that hold committed values; the arrays written at once count as a whole."""
    counts = [math.ceil(length / chunk) for length, chunk in zip(array.shape, array.chunks, strict=True)]
    dimensions = array.metadata.dimension_names or ()
    n_points = len(attributes["points"])
    for chunk in itertools.product(*map(range, counts)):
        if name not in attributes["planned"]:
            committed = True
        elif commit.lengths:
            committed = all(
                i * length < commit.lengths.get(dim, i * length + 1)
                for i, length, dim in zip(chunk, array.chunks, dimensions, strict=True)
            )
        elif schema.TIME in dimensions:
            axis = dimensions.index(schema.TIME)
            committed = chunk[axis] * array.chunks[axis] < commit.frames[chunk[:n_points]]
        else:
            committed = bool(commit.finished[chunk[:n_points]])
        if committed:
            yield chunk


def refuse_missing(path: Path, attributes: dict[str, Any], commit: Commit) -> None:
    """Refuse a store of which committed chunks are gone; zarr would read them as fill values in silence.

    Only the directory is asked, nothing is read.

    Raises
    ------
    StoreError
        Chunks or the metadata of an array are missing.
    """
    missing = [
        key
        for name in array_names(path, attributes)
        for chunk in committed_chunks(name, open_array(path, name), commit, attributes)
        if not os.path.exists(f"{path}/{(key := chunk_key(name, chunk))}")
    ]
    if missing:
        plural = "chunk is" if len(missing) == 1 else "chunks are"
        raise StoreError(
            f"{path}: {len(missing)} committed {plural} missing ({missing[0]}); `sgdphys verify {path}` lists them, "
            "overwrite=True (--overwrite) writes the store again"
        )
