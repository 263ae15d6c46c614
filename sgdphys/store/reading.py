"""Reading a store: what was committed, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.errors import StoreError
from sgdphys.store.chunks import refuse_missing
from sgdphys.store.commit import Commit, read_commit
from sgdphys.store.directory import existing_store, progress_line, resolve
from sgdphys.store.lazy_arrays import StoreBackend

if TYPE_CHECKING:
    import os
    from pathlib import Path

__all__ = ["StoreSummary", "describe_store", "open_fixed", "open_store"]

_BOOKKEEPING = ("points", "frames", "coordinates", "labels", "planned", "fixed")


@dataclass(frozen=True)
class StoreSummary:
    """How much of a store is there: ``line`` in words, whether it is complete or still empty, and its attributes."""

    line: str
    complete: bool
    empty: bool
    attributes: dict[str, Any]


def describe_store(path: str | os.PathLike[str]) -> StoreSummary:
    """Return how much of the store is there, without reading its arrays; refused as by ``open_store``."""
    target = resolve(path)
    attributes = existing_store(target)
    commit = read_commit(target, attributes)
    user = {name: value for name, value in attributes.items() if name not in _BOOKKEEPING}
    line = progress_line(target, commit, int(attributes["frames"]))
    return StoreSummary(line, commit.complete, commit.empty_so_far, user)


def open_store(path: str | os.PathLike[str]) -> xr.Dataset:
    """Return the committed part of a store.

    A complete store is read lazily: values leave the disk when they are used. The frames of an unfinished run are cut
    at the last committed one. An unfinished sweep keeps its shape, has NaN where nothing is committed, and says in
    ``committed_frames`` how far each point is.

    Parameters
    ----------
    path
        Directory of the store.

    Returns
    -------
    xr.Dataset
        The arrays with their coordinates and attributes; the attribute ``complete`` is 1 or 0.

    Raises
    ------
    StoreError
        There is no store, it has another format, nothing in it was committed yet, or committed chunks are missing.
        A chunk that cannot be decoded is refused when its values are used.
    """
    target = resolve(path)
    attributes = existing_store(target)
    commit = read_commit(target, attributes)
    planned_frames = int(attributes["frames"])
    if commit.empty_so_far:
        raise StoreError(
            f"{target} holds no committed frame yet (0 of {planned_frames}); "
            "run it again with --resume to continue or --overwrite to replace it"
        )
    refuse_missing(target, attributes, commit)
    dataset = _labelled(_arrays(target), attributes)
    points = tuple(attributes["points"])
    if commit.lengths:
        return dataset.assign_attrs(complete=int(commit.complete))
    timeless = [name for name in attributes["planned"] if schema.TIME not in dataset[name].dims]
    if points:
        dataset = _cut_sweep(dataset, attributes["planned"], commit, points)
    else:
        dataset = _cut_run(dataset, timeless, commit)
    return dataset.assign_attrs(complete=int(commit.complete))


def open_fixed(path: Path) -> xr.Dataset:
    """Return the coordinates and the arrays that were known when the store was made."""
    attributes = existing_store(path)
    return _labelled(_arrays(path), attributes).drop_vars(attributes["planned"])


def _arrays(path: Path) -> xr.Dataset:
    dataset: xr.Dataset = xr.open_dataset(path, engine=StoreBackend, chunks=None)
    return dataset


def _labelled(dataset: xr.Dataset, attributes: dict[str, Any]) -> xr.Dataset:
    labels = {name: (label["dims"], label["values"]) for name, label in attributes["labels"].items()}
    dataset = dataset.set_coords(attributes["coordinates"]).assign_coords(labels)
    dataset.attrs = {name: value for name, value in attributes.items() if name not in _BOOKKEEPING}
    return dataset


def _cut_run(dataset: xr.Dataset, timeless: list[str], commit: Commit) -> xr.Dataset:
    if not commit.complete:
        dataset = dataset.drop_vars(timeless)
    return dataset.isel({schema.TIME: slice(0, int(commit.frames))}) if schema.TIME in dataset.dims else dataset


def _cut_sweep(dataset: xr.Dataset, planned: list[str], commit: Commit, points: tuple[str, ...]) -> xr.Dataset:
    if commit.complete:
        return dataset
    frames = xr.DataArray(commit.frames, dims=points, attrs=schema.describe("committed_frames"))
    finished = xr.DataArray(commit.finished, dims=points)
    for name in planned:
        array = dataset[name]
        inside = finished
        if schema.TIME in array.dims:
            inside = frames > xr.DataArray(np.arange(array.sizes[schema.TIME]), dims=schema.TIME)
        blank = np.nan if array.dtype.kind == "f" else array.dtype.type(0)
        dataset[name] = array.where(inside, other=blank).transpose(*array.dims).assign_attrs(array.attrs)
    return dataset.assign(committed_frames=frames)
