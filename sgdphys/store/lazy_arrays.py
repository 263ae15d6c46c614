"""Arrays of a store as xarray reads them: when they are used, and with one clear line where a chunk is damaged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing

from sgdphys.errors import StoreError
from sgdphys.store.chunks import array_names, open_array
from sgdphys.store.directory import existing_store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["StoreBackend"]


class StoredArray(BackendArray):
    """One array of a store, read when it is indexed."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self.array = open_array(path, name)
        self.shape: tuple[int, ...] = self.array.shape
        self.dtype: np.dtype[Any] = self.array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        try:
            values: NDArray[Any] = self.array.oindex[key]
        except Exception as error:  # each codec raises its own kind
            raise StoreError(
                f"{self.path}: a chunk of {self.name!r} cannot be decoded; `sgdphys verify {self.path}` lists what is "
                "damaged, overwrite=True (--overwrite) writes the store again"
            ) from error
        return values


class StoreBackend(BackendEntrypoint):
    """Lets ``xarray.open_dataset`` read a store."""

    open_dataset_parameters = ("filename_or_obj", "drop_variables")

    def open_dataset(self, filename_or_obj: Any, *, drop_variables: Any = None) -> xr.Dataset:
        """Return all arrays of the store, lazy; ``drop_variables`` are left out."""
        path = Path(filename_or_obj)
        attributes = existing_store(path)
        variables = {}
        for name in array_names(path, attributes):
            if name not in (drop_variables or ()):
                stored = StoredArray(path, name)
                dims = stored.array.metadata.dimension_names or ()
                lazy = indexing.LazilyIndexedArray(stored)
                variables[name] = xr.Variable(dims, lazy, dict(stored.array.attrs))
        return xr.Dataset(variables)
