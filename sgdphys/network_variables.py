"""The part of the schema that real networks bring: name, dimensions, unit, meaning, type where it is no float."""

from __future__ import annotations

__all__ = ["MEASURED"]

_Line = tuple[str, tuple[str, ...], str, str] | tuple[str, tuple[str, ...], str, str, str]

_ESTIMATES: tuple[_Line, ...] = ()  # with a standard error each
_NUMBERS: tuple[_Line, ...] = ()  # without one

MEASURED = (
    *_ESTIMATES,
    *((f"{name}_standard_error", dims, unit, f"standard error of {name}") for name, dims, unit, *_ in _ESTIMATES),
    *_NUMBERS,
)
