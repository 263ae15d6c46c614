"""What a configuration says of a user's functions and of arrays too long for it: names and hashes."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["digest", "qualified_name", "source_hash"]


def qualified_name(function: Callable[..., Any]) -> str:
    """Return module and name of a function, or of the class of another callable."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', '')}.{name}"


def source_hash(function: Callable[..., Any]) -> str | None:
    """Return a hash of a function's source, or None where Python does not have it."""
    try:
        return hashlib.blake2b(inspect.getsource(function).encode(), digest_size=16).hexdigest()
    except (TypeError, OSError):
        return None


def digest(values: ArrayLike) -> str:
    """Return a hash of numbers, read as float64."""
    return hashlib.blake2b(np.ascontiguousarray(values, dtype=np.float64).data, digest_size=16).hexdigest()
