"""The only door to zarr: stores that survive being killed.

A store is a Zarr group of format 3. Every array is preallocated; whole frames are written into it chunk by chunk; then
``commit.json`` is replaced atomically and says how many frames count. Readers cut there, so a killed writer leaves a
store that opens and holds no fill values. A sweep has leading dimensions (temperature and seed, say) and commits each
of its points separately. A recording, whose length nobody knows beforehand, grows along several dimensions.

To write: ``create_store`` or ``resume_store`` give a ``Writer``; ``PlannedArray.named`` takes an array from the schema;
``save_dataset`` writes a finished Dataset; ``create_growing_store`` gives a ``GrowingWriter``.
To read: ``open_store``; ``describe_store`` says how much is there; ``verify`` checks every chunk.
Names load on first use, so that importing this package does not import zarr.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sgdphys.store.creation import PlannedArray, create_store, save_dataset
    from sgdphys.store.directory import refuse_other_random_numbers
    from sgdphys.store.growing import GrowingWriter, create_growing_store, resume_growing_store
    from sgdphys.store.reading import StoreSummary, describe_store, open_store
    from sgdphys.store.verification import Verification, verify
    from sgdphys.store.writing import Writer, resume_store

_NAMES = {
    "PlannedArray": "creation",
    "create_store": "creation",
    "save_dataset": "creation",
    "refuse_other_random_numbers": "directory",
    "GrowingWriter": "growing",
    "create_growing_store": "growing",
    "resume_growing_store": "growing",
    "StoreSummary": "reading",
    "describe_store": "reading",
    "open_store": "reading",
    "Verification": "verification",
    "verify": "verification",
    "Writer": "writing",
    "resume_store": "writing",
}

__all__ = [
    "GrowingWriter", "PlannedArray", "StoreSummary", "Verification", "Writer", "create_growing_store", "create_store",
    "describe_store", "open_store", "refuse_other_random_numbers", "resume_growing_store", "resume_store",
    "save_dataset", "verify",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'sgdphys.store' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"sgdphys.store.{_NAMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
