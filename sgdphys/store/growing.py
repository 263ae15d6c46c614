"""Stores whose length is not known beforehand: rows are appended along several dimensions, then the marker counts them.

Arrays are longer than what was written and double when they are full. Readers end at the committed lengths, so that a
writer killed while it enlarges or fills arrays leaves a store that opens.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.errors import StoreError
from sgdphys.store.chunks import open_array, refuse_missing
from sgdphys.store.commit import Commit, read_commit, write_commit
from sgdphys.store.creation import lay_out, publish
from sgdphys.store.directory import existing_store, make_way, resolve
from sgdphys.store.lock import LockHolder, lock_store
from sgdphys.store.reading import open_fixed

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from sgdphys.store.creation import PlannedArray

__all__ = ["GrowingWriter", "create_growing_store", "resume_growing_store"]


def create_growing_store(
    path: str | os.PathLike[str],
    fixed: xr.Dataset,
    planned: Sequence[PlannedArray],
    *,
    rows: Mapping[str, int],
    sizes: Mapping[str, int],
    coordinates: Sequence[str] = (),
    overwrite: bool = False,
) -> GrowingWriter:
    """Make an empty store that grows; it appears at ``path`` as a whole or not at all.

    Parameters
    ----------
    path
        Directory of the new store.
    fixed
        Coordinates, arrays known beforehand, and the attributes (``schema.attributes_of``); written at once.
    planned
        Arrays that will be appended to, each with one growing dimension, the first.
    rows
        Rows of a chunk along each growing dimension.
    sizes
        Lengths of the other dimensions.
    coordinates
        Which of the planned arrays are coordinates.
    overwrite
        Replace a store that is there.

    Returns
    -------
    GrowingWriter
        To append rows with.

    Raises
    ------
    StoreError
        Something is at ``path`` already, or the directory above is missing.
    """
    target = resolve(path)
    beside = target.absolute().parent
    if not beside.is_dir():
        raise StoreError(f"the folder {beside} does not exist; make it first or choose another path")
    make_way(target, overwrite=overwrite)
    lengths = {**{str(dim): length for dim, length in fixed.sizes.items()}, **sizes, **rows}
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", suffix=".partial", dir=beside) as folder:
        fresh = Path(folder) / "store"
        lay_out(fresh, fixed, planned, lengths, (), chunk_rows=rows, coordinates=coordinates)
        empty = Commit.empty(())
        empty.lengths = dict.fromkeys(rows, 0)
        write_commit(fresh, empty)
        publish(fresh, target)
    return GrowingWriter(target)


def resume_growing_store(path: str | os.PathLike[str]) -> GrowingWriter:
    """Return a writer that goes on after the last committed rows; refused as by ``open_store``, or if it cannot grow.

    Parameters
    ----------
    path
        Directory of the store.

    Returns
    -------
    GrowingWriter
        Rows after the committed ones are written over.

    Raises
    ------
    StoreError
        There is no store, it is damaged, or it has a planned length.
    """
    target = resolve(path)
    attributes = existing_store(target)
    commit = read_commit(target, attributes)
    if not commit.lengths:
        raise StoreError(f"{target} has a planned length and cannot grow; choose another path")
    refuse_missing(target, attributes, commit)
    writer = GrowingWriter(target)
    for leftover in target.rglob("*.partial"):
        leftover.unlink()
    return writer


class GrowingWriter(LockHolder):
    """The one writer of a store that grows.

    Parameters
    ----------
    path
        Directory of an existing store; use ``create_growing_store`` or ``resume_growing_store`` to get here.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = lock_store(path)
        attributes = existing_store(path)
        self._arrays: dict[str, Any] = {name: open_array(path, name, "r+") for name in attributes["planned"]}
        self._commit = read_commit(path, attributes)
        self._written = dict(self._commit.lengths)

    @property
    def lengths(self) -> dict[str, int]:
        """Committed rows along each growing dimension."""
        return dict(self._commit.lengths)

    def fixed(self) -> xr.Dataset:
        """Return the coordinates and the arrays that were known when the store was made."""
        return open_fixed(self.path)

    def last(self, name: str) -> NDArray[Any] | None:
        """Return the last committed row of an array, or None without one."""
        array = self._arrays[name]
        count = self._commit.lengths[array.metadata.dimension_names[0]]
        return np.asarray(array[count - 1]) if count else None

    def append(self, dim: str, rows: Mapping[str, NDArray[Any]]) -> None:
        """Write further rows of every array that grows along ``dim``; they count from the next ``commit`` on.

        Parameters
        ----------
        dim
            Growing dimension.
        rows
            For each of its arrays the rows, ``dim`` leading.

        Raises
        ------
        StoreError
            An array is missing or unknown, or they have different numbers of rows.
        """
        expected = {name for name, array in self._arrays.items() if array.metadata.dimension_names[0] == dim}
        if set(rows) != expected:
            raise StoreError(f"rows of {sorted(expected)} are expected, got {sorted(rows)}")
        lengths = {name: len(values) for name, values in rows.items()}
        if len(set(lengths.values())) != 1:
            raise StoreError(f"arrays along {dim} need the same number of rows, got {lengths}")
        first = self._written[dim]
        last = first + next(iter(lengths.values()))
        for name, values in rows.items():
            array = self._arrays[name]
            if last > array.shape[0]:
                array.resize((max(2 * array.shape[0], last), *array.shape[1:]))
            array[slice(first, last)] = values
        self._written[dim] = last

    def commit(self, *, finished: bool = False) -> None:
        """Replace the marker, from when on the rows written so far count; ``finished`` says that no more will come."""
        self._commit.lengths = dict(self._written)
        self._commit.finished[()] = finished
        write_commit(self.path, self._commit)
