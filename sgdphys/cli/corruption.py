"""What a command says when a store has chunks that cannot be decoded."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["naming_corrupt_chunks"]


@contextlib.contextmanager
def naming_corrupt_chunks(path: str) -> Iterator[None]:
    """Name the corrupt chunks of the store, where reading it fails because of them.

    Parameters
    ----------
    path
        Directory of the store that is read inside.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    StoreError
        Something failed inside, and the store holds corrupt chunks.
    """
    try:
        yield
    except Exception:  # each codec raises its own kind
        from sgdphys.errors import StoreError
        from sgdphys.store import verify

        corrupt = verify(path).corrupt
        if not corrupt:
            raise
        others = f" and {len(corrupt) - 1} more" * (len(corrupt) > 1)
        raise StoreError(f"corrupt chunk {corrupt[0]}{others} in {path}; run sgdphys verify {path}") from None
