"""From what a user gives, a number, a schedule or a function, to a schedule whose values are checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np

from sgdphys.checks import finite_number
from sgdphys.provenance import qualified_name, source_hash
from sgdphys.schedules.curves import Constant

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["CheckedSchedule", "Schedule", "as_schedule", "describe", "evaluate"]

Sign = Literal["any", "positive", "not negative"]


@runtime_checkable
class Schedule(Protocol):
    """A function of arrays of times that a configuration can hold."""

    def __call__(self, times: ArrayLike) -> Array:
        """Return the values at ``times``, float64 of the same shape."""
        ...

    def configuration(self) -> dict[str, Any]:
        """Return what names the schedule, as plain values."""
        ...


@dataclass(frozen=True)
class CheckedSchedule:
    """A schedule that refuses values that its quantity cannot have; made by :func:`as_schedule`.

    Parameters
    ----------
    name
        What messages call the quantity.
    curve
        The function of time, of arrays or of single numbers.
    sign
        Which values are allowed: ``"any"`` finite one, ``"positive"``, ``"not negative"``.
    """

    name: str
    curve: Callable[[Any], Any]
    sign: Sign = "not negative"

    def __call__(self, times: ArrayLike) -> Array:
        """Return the values at ``times``, float64 of their shape; ValueError names the first value that is refused."""
        return evaluate(self.name, self.curve, np.asarray(times, dtype=np.float64), self.sign, "time")

    @property
    def constant(self) -> float | None:
        """The value when it is the same at all times by construction, else None."""
        return self.curve.value if isinstance(self.curve, Constant) else None

    def configuration(self) -> dict[str, Any]:
        """Return the schedule's own configuration, or name and source hash of a user's function."""
        return describe(self.curve)


def as_schedule(name: str, value: Any, sign: Sign = "not negative") -> CheckedSchedule:
    """Return a number, a schedule or a function of time as a schedule that checks its values.

    Parameters
    ----------
    name
        What messages call the quantity.
    value
        A number; an object of :mod:`sgdphys.schedules`; or a function that takes an array of times or one time, and
        whose value at a time depends on that time alone.
    sign
        Which values are allowed: ``"any"`` finite one, ``"positive"``, ``"not negative"``.

    Returns
    -------
    CheckedSchedule
        Callable on arrays of times, with ``configuration()``, and ``constant`` where it was a number.

    Raises
    ------
    ValueError
        The value is none of these, or a constant that breaks the rule.
    """
    if isinstance(value, CheckedSchedule):
        value = value.curve
    if isinstance(value, Constant):
        value = value.value
    if callable(value) and not isinstance(value, type):
        return CheckedSchedule(name, value, sign)
    if isinstance(value, (str, bytes, type)) or np.ndim(value) != 0 or not hasattr(value, "__float__"):
        raise ValueError(
            f"{name} must be a number, a schedule such as schedules.Linear(0.2, 0.1, begin=0, end=10), "
            f"or a function of time, got {value!r:.60}"
        )
    return CheckedSchedule(name, Constant(finite_number(name, value, sign=sign)), sign)


def describe(function: Callable[..., Any]) -> dict[str, Any]:
    """Return a schedule's configuration, or the qualified name of a user's function and a hash of its source."""
    if isinstance(function, Schedule):
        return function.configuration()
    return {"callable": qualified_name(function), "source_hash": source_hash(function)}


def evaluate(name: str, function: Callable[[Any], Any], points: NDArray[Any], sign: Sign, axis: str) -> Array:
    """Return a function's values at an array of points, checked; a function of single numbers is called in a loop.

    Parameters
    ----------
    name
        What messages call the quantity.
    function
        Of an array, or of one number.
    points
        Where, any shape.
    sign
        Which values are allowed.
    axis
        What messages call the points: ``"time"`` or ``"step"``.

    Returns
    -------
    Array
        Values, float64 of the shape of ``points``.

    Raises
    ------
    ValueError
        A value is not finite or has the wrong sign.
    """
    flat = np.ascontiguousarray(points).ravel()
    values = _together(function, flat)
    if values is None:
        numbers = (finite_number(f"{name} at {axis} {point:g}", function(point), sign=sign) for point in flat.tolist())
        values = np.fromiter(numbers, dtype=np.float64, count=len(flat))
    allowed = {"any": np.isfinite(values), "positive": values > 0, "not negative": values >= 0}[sign]
    for k in np.flatnonzero(~(np.isfinite(values) & allowed))[:1]:
        finite_number(f"{name} at {axis} {flat[k]:g}", float(values[k]), sign=sign)
    return values.reshape(points.shape)


def _together(function: Callable[[Any], Any], flat: NDArray[Any]) -> Array | None:
    """Return the values of one call with the whole array, or None for a function of single numbers."""
    if not len(flat):
        return np.empty(0)
    # two points at least: NumPy passes an array of one off as a number, and the way taken must not depend on the length
    padded = np.append(flat, flat[-1:])
    try:
        values = np.array(function(padded), dtype=np.float64)
    except Exception:  # a function of single numbers may fail in any way; called in a loop it shows its own error
        return None
    return values[:-1] if values.shape == padded.shape else None
