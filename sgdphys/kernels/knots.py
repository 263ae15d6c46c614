"""Axes of equally spaced knots, checked and laid out as the kernels of tables take them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.checks import number_array

__all__ = ["MOST_AXES", "axis_numbers", "check_finite_table", "checked_axes", "knot_text"]

Array = NDArray[np.float64]
Axes = tuple[Array, ...]
MOST_AXES = 3
_UNEVEN = 1e-6  # of the spacing, what an axis may be off


def checked_axes(axes: Any, least: int) -> Axes:
    """Return axes of knots as read-only arrays of exactly equal spacing.

    Parameters
    ----------
    axes
        1 to 3 arrays of rising, equally spaced knots; a single array of numbers is one axis.
    least
        The least number of knots of an axis.

    Returns
    -------
    tuple
        The axes, each from its first to its last knot by ``numpy.linspace``.

    Raises
    ------
    ValueError
        There are none or too many, or one is too short, not rising or not equally spaced.
    """
    listed = [axes] if _is_one_axis(axes) else list(axes)
    if not 1 <= len(listed) <= MOST_AXES:
        raise ValueError(f"axes must be 1 to {MOST_AXES} arrays of knots, got {len(listed)}")
    return tuple(_checked_axis(number, axis, least) for number, axis in enumerate(listed))


def _is_one_axis(axes: Any) -> bool:
    return (isinstance(axes, np.ndarray) and axes.ndim == 1) or (len(axes) > 0 and np.ndim(axes[0]) == 0)


def _checked_axis(number: int, axis: ArrayLike, least: int) -> Array:
    knots = number_array(f"axis {number}", axis)
    if knots.ndim != 1 or len(knots) < least:
        raise ValueError(f"axis {number} must be an array of at least {least} knots, got the shape {knots.shape}")
    steps = np.diff(knots)
    if not np.all(np.isfinite(knots)) or not np.all(steps > 0):
        raise ValueError(f"axis {number} must be finite and rising, got {knots[0]:.6g} ... {knots[-1]:.6g}")
    even: Array = np.linspace(knots[0], knots[-1], len(knots))
    worst = int(np.argmax(np.abs(knots - even)))
    if abs(knots[worst] - even[worst]) > _UNEVEN * (even[1] - even[0]):
        raise ValueError(
            f"axis {number} must be equally spaced, but its knot {worst} is {knots[worst]:.8g} instead of "
            f"{even[worst]:.8g}; interpolate to numpy.linspace({knots[0]:.6g}, {knots[-1]:.6g}, {len(knots)})"
        )
    even.flags.writeable = False
    return even


def check_finite_table(name: str, table: Array, axes: Axes, advice: str) -> None:
    """Refuse a table with values that are not finite.

    Raises
    ------
    ValueError
        Naming how many knots have such a value, and the first.
    """
    wrong = ~np.isfinite(table.reshape(*map(len, axes), -1)).all(axis=-1)
    if np.any(wrong):
        first = knot_text(axes, np.argwhere(wrong)[0])
        raise ValueError(
            f"{name} must be finite at every knot: it is NaN or infinite at {np.count_nonzero(wrong)} of {wrong.size} "
            f"knots, first at {first}; {advice}"
        )


def knot_text(axes: Axes, index: Iterable[Any]) -> str:
    """Return the place of a knot for messages."""
    return f"({', '.join(f'{axis[k]:.6g}' for axis, k in zip(axes, index, strict=True))})"


def axis_numbers(axes: Axes) -> Array:
    """Return first knot, inverse spacing and number of knots of each axis, one after the other."""
    return np.array([[axis[0], (len(axis) - 1) / (axis[-1] - axis[0]), len(axis)] for axis in axes]).ravel()
