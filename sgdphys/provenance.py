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


def source_hash(*functions: Callable[..., Any]) -> str | None:
    """Return a hash of functions: their source or byte code, default values, and the values they close over.

    Returns
    -------
    str or None
        The hash; None where one of them is no Python function.
    """
    texts = [_source(function) for function in functions]
    known = [text for text in texts if text is not None]
    if len(known) < len(texts):
        return None
    return hashlib.blake2b("\n".join(known).encode(), digest_size=16).hexdigest()


def _source(function: Any) -> str | None:
    try:
        text = inspect.getsource(function)
    except TypeError:
        return None
    except OSError:
        code = getattr(function, "__code__", None)
        if code is None:
            return None
        text = repr((code.co_code, code.co_consts, code.co_names))
    cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or () if cell != type(cell)()]
    values = [_told(value) for value in (*(getattr(function, "__defaults__", None) or ()), *cells)]
    return "\n".join([text, *values])


def _told(value: Any) -> str:
    """Return numbers, texts and arrays by value, anything else by its type."""
    if isinstance(value, (bool, int, float, complex, str, bytes, type(None), np.generic)):
        return repr(value)
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}{hashlib.blake2b(value.tobytes(), digest_size=16).hexdigest()}"
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__}({', '.join(map(_told, value))})"
    code = getattr(value, "__code__", None)  # not its own closure, which may hold the value itself
    return type(value).__qualname__ if code is None else repr((code.co_code, code.co_consts, code.co_names))


def digest(values: ArrayLike) -> str:
    """Return a hash of numbers, read as float64."""
    return hashlib.blake2b(np.ascontiguousarray(values, dtype=np.float64).data, digest_size=16).hexdigest()
