"""One writer at a time: a lock that the operating system drops when its process dies."""

from __future__ import annotations

import contextlib
from typing import IO, TYPE_CHECKING, Self

from sgdphys.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

try:
    import fcntl
except ImportError:  # not a POSIX system: the rule of one writer is then the user's to keep
    fcntl = None  # type: ignore[assignment]

__all__ = ["LockHolder", "lock_store"]

LOCK_FILE = "writer.lock"


def lock_store(path: Path) -> IO[str]:
    """Lock the store for this process.

    Returns
    -------
    IO
        The open lock file; closing it gives the lock back.

    Raises
    ------
    StoreError
        Another process is writing to the store.
    """
    handle = (path / LOCK_FILE).open("w", encoding="utf-8")
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.close()
            raise StoreError(f"another process is writing to {path}; wait for it or choose another path") from error
    return handle


class LockHolder:
    """A writer that holds the lock of its store until it is closed, left as a context, or forgotten."""

    _lock: IO[str]

    def close(self) -> None:
        """Give the lock back."""
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # of a writer that was never made in full
            self._lock.close()
