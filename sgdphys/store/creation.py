"""Laying out a new store: which arrays, how long, in which chunks."""

from __future__ import annotations

import json
import math
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from sgdphys import schema
from sgdphys.errors import StoreError
from sgdphys.store.commit import Commit, write_commit
from sgdphys.store.directory import make_way, resolve
from sgdphys.store.writing import Writer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    Shape = tuple[int, ...]

__all__ = ["PlannedArray", "create_store", "lay_out", "publish", "save_dataset"]

CHUNK_BYTES = 8 << 20  # of one chunk
BUFFER_BYTES = 16 << 20  # of the frames that a writer holds before it writes them
PARTICLE_ALIGNMENT = 4096  # particles of a chunk come in multiples of the engine's granule
MAX_FRAMES_PER_CHUNK = 64


@dataclass(frozen=True)
class PlannedArray:
    """An array to preallocate: its name, dimensions (points first), element type, and attributes."""

    name: str
    dims: tuple[str, ...]
    dtype: str
    attributes: tuple[tuple[str, str], ...] = ()

    @classmethod
    def named(
        cls, name: str, *, points: Sequence[str] = (), dims: Sequence[str] | None = None, dtype: str | None = None
    ) -> PlannedArray:
        """Return the schema's array of this name.

        Parameters
        ----------
        name
            A variable of :mod:`sgdphys.schema`.
        points
            Leading dimensions of a sweep.
        dims
            Dimensions after the points, where they are others than the schema's (it leaves the axes of a grid open).
        dtype
            Another element type than the schema's, ``"float32"`` say.

        Returns
        -------
        PlannedArray
            Name, dimensions, type and units as the schema has them.

        Raises
        ------
        ValueError
            The schema has no such variable.
        """
        if name not in schema.BY_NAME:
            raise ValueError(f"{name!r} is not in sgdphys.schema; what reaches the disk needs an entry there")
        variable = schema.BY_NAME[name]
        own = variable.dims if dims is None else dims
        full = (*points, *(dim for dim in own if dim not in points))
        return cls(name, full, dtype or variable.dtype, tuple(schema.describe(name).items()))


def create_store(
    path: str | os.PathLike[str],
    fixed: xr.Dataset,
    planned: Sequence[PlannedArray],
    *,
    sizes: Mapping[str, int] | None = None,
    points: Sequence[str] = (),
    overwrite: bool = False,
) -> Writer:
    """Make an empty store and return its writer; the store appears at ``path`` as a whole or not at all.

    Parameters
    ----------
    path
        Directory of the new store.
    fixed
        Coordinates, arrays known beforehand, and the attributes (``schema.attributes_of``); written at once.
        Where arrays over time are planned it must hold the coordinate ``time`` with all planned times.
    planned
        Arrays that the run will fill.
    sizes
        Lengths of dimensions that ``fixed`` does not have, such as ``particle``.
    points
        Leading dimensions of a sweep, in order; each point is committed separately.
    overwrite
        Replace a store that is there. Anything that is no sgdphys store is never removed.

    Returns
    -------
    Writer
        To append frames with.

    Raises
    ------
    StoreError
        Something is at ``path`` already, or the directory above is missing.
    """
    target = resolve(path)
    beside = target.absolute().parent
    if not beside.is_dir():
        raise StoreError(f"the folder {beside} does not exist; make it first or choose another path")
    lengths = {**{str(dim): length for dim, length in fixed.sizes.items()}, **(sizes or {})}
    make_way(target, overwrite=overwrite)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", suffix=".partial", dir=beside) as folder:
        fresh = Path(folder) / "store"
        lay_out(fresh, fixed, planned, lengths, tuple(points))
        write_commit(fresh, Commit.empty(tuple(lengths[dim] for dim in points)))
        publish(fresh, target)
    return Writer(target)


def publish(fresh: Path, target: Path) -> None:
    """Move a finished store to its place; refused with StoreError if something appeared there."""
    try:
        fresh.rename(target)
    except OSError as error:
        raise StoreError(f"{target} appeared in the meantime ({error.strerror}); choose another path") from error


def lay_out(
    store: Path,
    fixed: xr.Dataset,
    planned: Sequence[PlannedArray],
    lengths: dict[str, int],
    points: tuple[str, ...],
    *,
    chunk_rows: Mapping[str, int] | None = None,
    coordinates: Sequence[str] = (),
) -> None:
    """Make group and arrays; ``chunk_rows`` are the rows of a chunk along growing dimensions.

    Parameters
    ----------
    store
        Directory that does not exist yet.
    fixed
        Coordinates, arrays and attributes that are known.
    planned
        Arrays to allocate.
    lengths
        Length of every dimension.
    points
        Leading dimensions of a sweep.
    chunk_rows
        Rows of a chunk along each growing dimension; None for a store of planned length.
    coordinates
        Which of the planned arrays are coordinates.
    """
    labels = {
        str(name): {"dims": list(map(str, variable.dims)), "values": variable.values.tolist()}
        for name, variable in fixed.variables.items()
        if variable.dtype.kind in "UO"  # zarr's format 3 has no settled encoding of text, JSON has
    }
    attributes = {
        **{str(name): value for name, value in fixed.attrs.items()},
        "points": list(points),
        "frames": lengths.get(schema.TIME, 0) if chunk_rows is None else 0,
        "coordinates": [*(str(name) for name in fixed.coords if name not in labels), *coordinates],
        "labels": labels,
        "planned": [array.name for array in planned],
        "fixed": [str(name) for name in fixed.variables if str(name) not in labels],
    }
    group = zarr.create_group(str(store), zarr_format=3, attributes=_plain(attributes))
    for name, variable in fixed.variables.items():
        if str(name) not in labels:
            values = np.asarray(variable.values)
            dims = tuple(map(str, variable.dims))
            array = _allocate(group, str(name), dims, values.shape, values.shape, values.dtype, _plain(variable.attrs))
            array[...] = values
    frames = _frames_per_chunk(planned, lengths, points)
    for plan in planned:
        shape = tuple(lengths[dim] for dim in plan.dims)
        if chunk_rows is None:
            chunks = _chunks(plan, lengths, points, frames)
        else:
            chunks = tuple(chunk_rows.get(dim, lengths[dim]) for dim in plan.dims)
        _allocate(group, plan.name, plan.dims, shape, chunks, np.dtype(plan.dtype), dict(plan.attributes))


def _allocate(
    group: Any, name: str, dims: tuple[str, ...], shape: Shape, chunks: Shape, dtype: np.dtype[Any], attributes: Any
) -> Any:
    # write_empty_chunks: a chunk equal to the fill value must exist, or verify could not tell it from a lost one
    return group.create_array(
        name,
        shape=shape,
        chunks=tuple(max(length, 1) for length in chunks),
        dtype=dtype,
        fill_value=np.nan if dtype.kind == "f" else 0,
        dimension_names=dims,
        attributes=attributes,
        compressors=ZstdCodec(level=1, checksum=True),
        config={"write_empty_chunks": True},
    )


def _plain(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes as JSON has them (numpy numbers become plain ones)."""
    return dict(json.loads(json.dumps(dict(values), default=lambda value: value.item())))


def _row_bytes(plan: PlannedArray, lengths: dict[str, int], points: tuple[str, ...]) -> int:
    lengths_of_frame = (lengths[dim] for dim in plan.dims if dim not in points and dim != schema.TIME)
    return math.prod(lengths_of_frame) * np.dtype(plan.dtype).itemsize


def _frames_per_chunk(planned: Sequence[PlannedArray], lengths: dict[str, int], points: tuple[str, ...]) -> int:
    """Return one number of frames for all arrays, so that a write of whole frames is aligned in each of them."""
    frame_bytes = sum(_row_bytes(plan, lengths, points) for plan in planned if schema.TIME in plan.dims)
    most = min(MAX_FRAMES_PER_CHUNK, lengths.get(schema.TIME, 1))
    return max(1, min(most, BUFFER_BYTES // max(frame_bytes, 1)))


def _chunks(plan: PlannedArray, lengths: dict[str, int], points: tuple[str, ...], frames: int) -> tuple[int, ...]:
    in_chunk = dict.fromkeys(points, 1)
    if schema.TIME in plan.dims:
        in_chunk[schema.TIME] = frames
    if schema.PARTICLE in plan.dims:
        per_particle = _row_bytes(plan, lengths, points) // max(lengths[schema.PARTICLE], 1)
        granule_bytes = per_particle * in_chunk.get(schema.TIME, 1) * PARTICLE_ALIGNMENT
        granules = max(1, CHUNK_BYTES // max(granule_bytes, 1))
        in_chunk[schema.PARTICLE] = min(lengths[schema.PARTICLE], granules * PARTICLE_ALIGNMENT)
    return tuple(in_chunk.get(dim, lengths[dim]) for dim in plan.dims)


def save_dataset(path: str | os.PathLike[str], dataset: xr.Dataset, *, overwrite: bool = False) -> None:
    """Write a finished Dataset as a store; refused as by ``create_store``."""
    with create_store(path, dataset, [], overwrite=overwrite) as writer:
        writer.finish()
