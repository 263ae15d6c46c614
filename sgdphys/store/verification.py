"""Checking a store chunk by chunk: zarr reads a lost chunk as fill values in silence, so sgdphys looks itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sgdphys.errors import StoreError
from sgdphys.store.chunks import array_names, chunk_key, committed_chunks, open_array
from sgdphys.store.commit import read_commit
from sgdphys.store.directory import existing_store, progress_line, resolve

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["Verification", "verify"]


@dataclass(frozen=True)
class Verification:
    """What ``verify`` found.

    Parameters
    ----------
    line
        How much of the store is there.
    n_chunks
        Number of chunks that hold committed values.
    missing, corrupt
        Keys of those that are absent or cannot be decoded.
    own_code
        Names of the user's own functions in the configuration: the run cannot be repeated without them.
    """

    line: str
    n_chunks: int
    missing: tuple[str, ...]
    corrupt: tuple[str, ...]
    own_code: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether every committed chunk is there and can be decoded."""
        return not self.missing and not self.corrupt


def verify(path: str | os.PathLike[str]) -> Verification:
    """Read every chunk that holds committed values and list those that are missing or cannot be decoded.

    Chunks carry a checksum, so that a changed bit is found too.

    Parameters
    ----------
    path
        Directory of the store.

    Returns
    -------
    Verification
        Counts and keys, ``position/c/3/0/0`` say.
    """
    target = resolve(path)
    attributes = existing_store(target)
    commit = read_commit(target, attributes)
    missing, corrupt, n_chunks = [], [], 0
    for name in array_names(target, attributes):
        metadata = target / name / "zarr.json"
        if not metadata.exists():
            missing.append(f"{name}/zarr.json")
            continue
        try:
            array = open_array(target, name)
        except StoreError:
            corrupt.append(f"{name}/zarr.json")
            continue
        for chunk in committed_chunks(name, array, commit, attributes):
            n_chunks += 1
            key = chunk_key(name, chunk)
            if not (target / key).exists():
                missing.append(key)
            elif not _decodes(array, chunk):
                corrupt.append(key)
    line = progress_line(target, commit, int(attributes["frames"]))
    own_code = tuple(_own_code(json.loads(attributes.get("configuration", "{}"))))
    return Verification(line, n_chunks, tuple(missing), tuple(corrupt), own_code)


def _own_code(configuration: Any) -> Iterator[str]:
    # what holds the user's code also holds a hash of its source; the names beside it say where that code was
    if isinstance(configuration, list):
        for part in configuration:
            yield from _own_code(part)
    if isinstance(configuration, dict):
        if "source_hash" in configuration:
            yield from (text for text in configuration.values() if isinstance(text, str) and "." in text)
        for part in configuration.values():
            yield from _own_code(part)


def _decodes(array: Any, chunk: tuple[int, ...]) -> bool:
    region = tuple(slice(i * length, (i + 1) * length) for i, length in zip(chunk, array.chunks, strict=True))
    try:
        array[region]
    except Exception:  # each codec raises its own kind
        return False
    return True
