"""What happens when a sweep meets the store that it would write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sgdphys.errors import StoreError
from sgdphys.store import describe_store, refuse_other_random_numbers, resume_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sgdphys.store import Writer

__all__ = ["open_writer"]


def open_writer(
    path: Path, configuration: str, create: Callable[[], Writer], *, overwrite: bool, resume: bool
) -> Writer | None:
    """Return the writer of a sweep's store.

    Parameters
    ----------
    path
        Directory of the store.
    configuration
        JSON text of the sweep.
    create
        Makes the store anew; it refuses or replaces what is there.
    overwrite, resume
        Replace a store that is there, or go on with it.

    Returns
    -------
    Writer or None
        None when the store holds this very sweep, complete.

    Raises
    ------
    StoreError
        The store holds another sweep or other random numbers, or is unfinished and ``resume`` was not given.
    ValueError
        Both ``overwrite`` and ``resume`` were given.
    """
    if overwrite and resume:
        raise ValueError("overwrite replaces a store and resume goes on with it; give one of them, got both")
    if overwrite or not path.exists():
        return create()
    found = describe_store(path)
    _refuse_another(path, found.attributes, configuration)
    if found.complete:
        return None
    if not (resume or found.empty):
        raise StoreError(
            f"{found.line}; resume=True (--resume) goes on with it, overwrite=True (--overwrite) starts it anew"
        )
    return resume_store(path)


def _refuse_another(path: Path, attributes: dict[str, object], configuration: str) -> None:
    there, wanted = json.loads(str(attributes.get("configuration", "{}"))), json.loads(configuration)
    if "digests" not in there.get("network", {}):  # of a store that was written before there were any
        wanted.get("network", {}).pop("digests", None)
    different = sorted(name for name in {*there, *wanted} if there.get(name) != wanted.get(name))
    if different:
        raise StoreError(
            f"{path} holds another run, with other {', '.join(different[:4])}; "
            "overwrite=True (--overwrite) replaces it, or choose another path"
        )
    refuse_other_random_numbers(path, attributes)
