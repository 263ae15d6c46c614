"""Arrays of a store as xarray reads them: when they are used, and with one clear line where a chunk is damaged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing

from sgdphys.errors import StoreError
from sgdphys.store.chunks import array_names, open_array
from sgdphys.store.commit import read_commit
from sgdphys.store.directory import existing_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["StoreBackend"]


class StoredArray(BackendArray):
    """One array of a store, read when it is indexed; growing dimensions end at the committed length."""

    def __init__(self, path: Path, name: str, lengths: Mapping[str, int]) -> None:
        self.path = path
        self.name = name
        self.array = open_array(path, name)
        self.dims: tuple[str, ...] = self.array.metadata.dimension_names or ()
        whole = zip(self.dims, self.array.shape, strict=True)
        self.shape = tuple(lengths.get(dim, length) for dim, length in whole)
        self.dtype: np.dtype[Any] = self.array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        try:
            values: NDArray[Any] = self.array.oindex[self._inside(key)]
        except Exception as error:  # each codec raises its own kind
            raise StoreError(
                f"{self.path}: a chunk of {self.name!r} cannot be decoded; `sgdphys verify {self.path}` lists what is "
                "damaged, overwrite=True (--overwrite) writes the store again"
            ) from error
        return values

    def _inside(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the key with open ends of slices at the committed length."""
        return tuple(
            slice(part.start, length, part.step) if isinstance(part, slice) and part.stop is None else part
            for part, length in zip(key, self.shape, strict=True)
        )


class StoreBackend(BackendEntrypoint):
    """Lets ``xarray.open_dataset`` read a store."""

    open_dataset_parameters = ("filename_or_obj", "drop_variables")

    def open_dataset(self, filename_or_obj: Any, *, drop_variables: Any = None) -> xr.Dataset:
        """Return all arrays of the store, lazy; ``drop_variables`` are left out."""
        path = Path(filename_or_obj)
        attributes = existing_store(path)
        lengths = read_commit(path, attributes).lengths
        variables = {}
        for name in array_names(path, attributes):
            if name not in (drop_variables or ()):
                stored = StoredArray(path, name, lengths)
                lazy = indexing.LazilyIndexedArray(stored)
                variables[name] = xr.Variable(stored.dims, lazy, dict(stored.array.attrs))
        return xr.Dataset(variables)
