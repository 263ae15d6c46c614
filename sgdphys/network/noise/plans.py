"""What a measurement of gradient noise will take, said before it runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from sgdphys.simulation.memory import available_memory, readable

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["NoisePlan", "Work", "free_bytes", "memory_limit"]

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SHARE = 4  # part of the free memory that is used when nothing is said


@dataclass(frozen=True)
class Work:
    """One measurement before it runs: the route, the most bytes at once, and the cost in passes over the data.

    A pass is one forward and one backward pass of every sample.
    """

    route: str
    n_bytes: int
    passes: float

    def __str__(self) -> str:
        return f"{self.route}, {readable(self.n_bytes)}, {self.passes:.3g} passes"


@dataclass(frozen=True)
class NoisePlan:
    """What products, Gram matrix and spectrum will take; ``print`` it."""

    matvec: Work
    gram: Work
    spectrum: Work
    max_bytes: int

    def __repr__(self) -> str:
        lines = [f"  {name:9s} {getattr(self, name)}" for name in ("matvec", "gram", "spectrum")]
        return "\n".join([f"NoisePlan (at most {readable(self.max_bytes)})", *lines])


def memory_limit(max_memory: Any, like: Tensor) -> int:
    """Return a number of bytes from a number or a text as "2GB"; None is a quarter of the memory that is free.

    Parameters
    ----------
    max_memory
        Bytes, text or None.
    like
        A tensor on the device in question.

    Returns
    -------
    int
        Bytes.

    Raises
    ------
    ValueError
        It is none of them, or not positive.
    """
    if max_memory is None:
        return free_bytes(like) // _SHARE
    found = re.fullmatch(r"\s*([0-9.]+(?:e[0-9]+)?)\s*([KMGT]?)i?B?\s*", str(max_memory), re.IGNORECASE)
    try:
        size = int(float(found.group(1)) * _UNITS[found.group(2).upper()]) if found else 0
    except ValueError:
        size = 0
    if size <= 0:
        raise ValueError(f"max_memory must be a positive number of bytes or a text as '2GB', got {max_memory!r}")
    return size


def free_bytes(like: Tensor) -> int:
    """Return the bytes that are free where a tensor lies."""
    if like.device.type == "cuda":
        return int(torch.cuda.mem_get_info(like.device)[0])
    return available_memory()
