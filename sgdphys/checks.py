"""Checks that several doors share."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

__all__ = ["whole_number"]


def whole_number(name: str, value: Any, *, least: int = 1) -> int:
    """Return a number that must be whole as an int.

    Parameters
    ----------
    name
        What the message calls it.
    value
        An int or a float without a fraction, of Python or NumPy; True is none.
    least
        The smallest that is allowed, 0 or 1.

    Returns
    -------
    int
        The number.

    Raises
    ------
    ValueError
        It is no whole number, or too small.
    """
    if not (_is_whole(value) and value >= least):
        rule = "a positive integer" if least == 1 else "an integer, not negative"
        raise ValueError(f"{name} must be {rule}, got {value}")
    return int(value)


def _is_whole(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, Integral) or (isinstance(value, Real) and math.isfinite(value) and int(value) == value)
