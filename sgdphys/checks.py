"""Checks that several doors share."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["finite_number", "number_array", "whole_number"]

_RULES = {"any": "finite", "positive": "positive and finite", "not negative": "finite and not negative"}


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


def finite_number(name: str, value: Any, *, sign: Literal["any", "positive", "not negative"] = "any") -> float:
    """Return a number that must be real and finite as a float.

    Parameters
    ----------
    name
        What the message calls it.
    value
        A real number of Python, or of NumPy or torch without dimensions; True is none.
    sign
        Which signs are allowed.

    Returns
    -------
    float
        The number.

    Raises
    ------
    ValueError
        It is no real number, not finite, too large for a float, or of the wrong sign.
    """
    number = _as_float(value)
    allowed = {"any": True, "positive": number > 0, "not negative": number >= 0}[sign]
    if not (math.isfinite(number) and allowed):
        raise ValueError(f"{name} must be {_RULES[sign]}, got {value!s:.60}")
    return number


def number_array(name: str, values: Any) -> NDArray[np.float64]:
    """Return a new float64 array of numbers.

    Parameters
    ----------
    name
        What the message calls them.
    values
        A number, nested lists or an array of real numbers.

    Returns
    -------
    NDArray
        The copy.

    Raises
    ------
    ValueError
        They are no real numbers, or rows of unequal length.
    """
    try:
        if not np.iscomplexobj(values):
            return np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        pass
    shown = " ".join(repr(values).split())
    raise ValueError(f"{name} must be real numbers, in rows of equal length, got {shown:.60}")


def _as_float(value: Any) -> float:
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _is_whole(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, Integral) or (
        isinstance(value, Real) and math.isfinite(value) and value == math.floor(value)
    )
