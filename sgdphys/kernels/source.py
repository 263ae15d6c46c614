"""From plain Python functions to the text of a self-contained module that numba can compile and cache.

The text holds the function, every function of ours that it names, in the order of dependence, and the module-level
numbers they use as literals. A change anywhere in that chain changes the text, hence its hash, hence the cached file:
a stale kernel cannot be loaded.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

__all__ = ["FAST_MATH", "fast_math_flags", "helpers_text", "source_text"]

# without nnan and ninf: divergence must stay visible; without reassoc, which compilers do to scalars and to vectors in
# different ways: a block of a few lanes must add up like a wide one
FAST_MATH = ("afn", "arcp", "contract", "nsz")
POINTERS = ("field_at", "kick_at", "normals_at", "observer_at", "sample_at")  # imported by every generated module

Function = Callable[..., Any]


def fast_math_flags(function: Function) -> tuple[str, ...]:
    """Return the flags of a function: those of its module's ``FAST_MATH``, or the common ones."""
    return tuple(sorted(function.__globals__.get("FAST_MATH", FAST_MATH)))


def source_text(function: Function, bindings: Mapping[str, Function] | None = None) -> str:
    """Return the text of ``function``, undecorated and last, behind everything of ours that it names.

    Parameters
    ----------
    function
        A plain Python function; names it uses must be functions of ours, numbers or NumPy.
    bindings
        Functions that stand in for global names, e.g. the step of an integrator in the common loop.

    Returns
    -------
    str
        Body of a module; helpers carry the decorator ``@helper`` with their flags.
    """
    texts: dict[str, str] = {}
    _add(function, dict(bindings or {}), texts)
    texts[function.__name__] = textwrap.dedent(inspect.getsource(function))
    return _joined(texts)


def helpers_text(functions: Iterable[Function]) -> str:
    """Return the text of the functions as helpers, behind everything of ours that they name."""
    texts: dict[str, str] = {}
    for function in functions:
        _add(function, {}, texts)
    return _joined(texts)


def _joined(texts: dict[str, str]) -> str:
    return "\n\n".join(text.rstrip() for text in texts.values()) + "\n"


def _add(function: Function, bindings: dict[str, Function], texts: dict[str, str]) -> None:
    namespace = function.__globals__ | bindings
    for name in function.__code__.co_names:
        if name not in namespace or name in POINTERS:
            continue
        if name in texts:
            _check_same(name, namespace[name], texts[name])
        else:
            _add_name(name, namespace[name], bindings, texts)
    texts[function.__name__] = _helper(function)


def _helper(function: Function) -> str:
    flags = ", ".join(map(repr, fast_math_flags(function)))
    return f"@helper({flags})\n{textwrap.dedent(inspect.getsource(function))}"


def _check_same(name: str, value: Any, text: str) -> None:
    """Refuse one name with two meanings: all functions of a generated module share one namespace."""
    is_function = inspect.isfunction(value)
    meant = _helper(value) if is_function and value.__name__ == name else None if is_function else _literal(name, value)
    if meant is not None and meant != text:
        raise ValueError(f"{name!r} means {meant[:60]!r} here and {text[:60]!r} elsewhere in one kernel: rename one")


def _add_name(name: str, value: Any, bindings: dict[str, Function], texts: dict[str, str]) -> None:
    if inspect.isfunction(value):
        _add(value, bindings, texts)
        if value.__name__ != name:
            texts[name] = f"{name} = {value.__name__}"
    else:
        literal = _literal(name, value)
        if literal is not None:
            texts[name] = literal


def _literal(name: str, value: Any) -> str | None:
    """Return the line that gives a number its name; None for what is no number."""
    if isinstance(value, np.generic):
        return f"{name} = np.{type(value).__name__}({value.item()!r})"
    if isinstance(value, (bool, int, float)):
        return f"{name} = {value!r}" if np.isfinite(value) else f"{name} = np.{value!r}"
    return None
