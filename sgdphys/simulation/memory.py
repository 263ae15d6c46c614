"""How much memory is free, and refusals before it is too much."""

from __future__ import annotations

import os
from pathlib import Path

from sgdphys.errors import MemoryLimitError

__all__ = ["available_memory", "readable", "refuse_above_memory"]

UNKNOWN = 2**62
CONTAINER = Path("/sys/fs/cgroup")  # version 2 of Linux control groups


def available_memory() -> int:
    """Return the bytes that can be allocated without swapping, as far as the system and its container tell."""
    return min(_of_the_system(), _of_the_container())


def _of_the_system() -> int:
    information = Path("/proc/meminfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return UNKNOWN


def _of_the_container() -> int:
    try:
        limit, used = (int((CONTAINER / name).read_text()) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # no container, or no limit ("max")
        return UNKNOWN
    return max(limit - used, 0)


def readable(size: float) -> str:
    """Return a number of bytes as text, 1.5 GB say."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def refuse_above_memory(size: int, what: str, way_out: str) -> None:
    """Refuse what would take more than nine tenths of the memory that is free.

    Parameters
    ----------
    size
        Its bytes.
    what
        What it is, the beginning of the message.
    way_out
        What to do instead, the end of the message.

    Raises
    ------
    MemoryLimitError
        It does not fit.
    """
    free = available_memory()
    if size > 0.9 * free:
        raise MemoryLimitError(f"{what}: {readable(size)} are needed, {readable(free)} are free; {way_out}")
