"""Temperatures and protocols as functions of time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sgdphys.checks import finite_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["Constant", "Cosine", "Curve", "Cyclic", "Exponential", "Linear", "Steps"]

Shape = Literal["triangle", "sine", "square"]
_SHAPES = ("triangle", "sine", "square")
_ROUNDING = 1e-12  # relative: a step whose time falls short of a jump by rounding alone lies at the jump


class Curve(ABC):
    """A function of time, given by a few numbers."""

    def __call__(self, times: ArrayLike) -> Array:
        """Return the values at ``times`` (any shape), float64 of the same shape."""
        points = np.asarray(times, dtype=np.float64)
        # in one row: NumPy's powers and cosines of a single number differ in their last bit from those of an array
        return self._values(points.ravel()).reshape(points.shape)

    @abstractmethod
    def _values(self, times: Array) -> Array: ...

    def configuration(self) -> dict[str, Any]:
        """Return class name and fields, as plain values."""
        return {"schedule": type(self).__name__, **asdict(self)}  # type: ignore[call-overload]


@dataclass(frozen=True)
class Constant(Curve):
    """The same value at all times.

    Parameters
    ----------
    value
        Any finite number.
    """

    value: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", finite_number("value", self.value))

    def _values(self, times: Array) -> Array:
        return np.full_like(times, self.value)


@dataclass(frozen=True)
class _Passage(Curve):
    """From ``first`` to ``last`` between the times ``begin`` and ``end``; constant outside."""

    first: float
    last: float
    begin: float
    end: float

    def __post_init__(self) -> None:
        for name in ("first", "last", "begin", "end"):
            object.__setattr__(self, name, finite_number(name, getattr(self, name)))
        if not self.begin < self.end:
            raise ValueError(f"end must lie after begin, got begin={self.begin} and end={self.end}; Steps can jump")

    def _done(self, times: Array) -> Array:
        """Return the part of the passage that is over, from 0 to 1."""
        return np.clip((times - self.begin) / (self.end - self.begin), 0.0, 1.0)


@dataclass(frozen=True)
class Linear(_Passage):
    r"""A straight line: :math:`(1 - s)\,\mathrm{first} + s\,\mathrm{last}` with s = (t - begin)/(end - begin).

    Parameters
    ----------
    first, last
        Values up to ``begin`` and from ``end`` on.
    begin, end
        Times, begin < end.

    Raises
    ------
    ValueError
        A number is not finite, or ``end`` does not lie after ``begin``.
    """

    def _values(self, times: Array) -> Array:
        done = self._done(times)
        return (1 - done) * self.first + done * self.last


@dataclass(frozen=True)
class Exponential(_Passage):
    r"""A constant rate of change: :math:`\mathrm{first}^{1 - s}\,\mathrm{last}^{s}` with s = (t - begin)/(end - begin).

    Parameters
    ----------
    first, last
        Values up to ``begin`` and from ``end`` on; positive.
    begin, end
        Times, begin < end.

    Raises
    ------
    ValueError
        A value is not positive, a time is not finite, or ``end`` does not lie after ``begin``.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("first", "last"):
            finite_number(f"{name} of an exponential", getattr(self, name), sign="positive")

    def _values(self, times: Array) -> Array:
        done = self._done(times)
        return self.first ** (1 - done) * self.last**done


@dataclass(frozen=True)
class Cosine(_Passage):
    r"""Cosine annealing: :math:`\mathrm{last} + (\mathrm{first} - \mathrm{last})(1 + \cos \pi s)/2`.

    s = (t - begin)/(end - begin) runs from 0 to 1; the curve leaves and arrives with slope zero.

    Parameters
    ----------
    first, last
        Values up to ``begin`` and from ``end`` on.
    begin, end
        Times, begin < end.

    Raises
    ------
    ValueError
        A number is not finite, or ``end`` does not lie after ``begin``.

    References
    ----------
    Loshchilov & Hutter 2017 (arXiv 1608.03983), equation 5, without restarts.
    """

    def _values(self, times: Array) -> Array:
        left = (1 + np.cos(np.pi * self._done(times))) / 2
        return left * self.first + (1 - left) * self.last


@dataclass(frozen=True)
class Cyclic(Curve):
    r"""Up and down between two values for ever; at ``low`` at time 0, with phase p = t/period mod 1.

    ``"triangle"``: low + (high - low)(1 - \|2p - 1\|). ``"sine"``: low + (high - low)(1 - cos 2 pi p)/2.
    ``"square"``: ``low`` in the first half of the period, ``high`` in the second.

    Parameters
    ----------
    low, high
        The two values, low <= high.
    period
        Duration of a cycle; positive.
    shape
        ``"triangle"``, ``"sine"`` or ``"square"``.

    Raises
    ------
    ValueError
        A number is not finite, ``high`` is below ``low``, the period is not positive, or the shape is unknown.

    References
    ----------
    Smith 2017 (arXiv 1506.01186), section 3.1 (triangle).
    """

    low: float
    high: float
    period: float
    shape: Shape = "triangle"

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            object.__setattr__(self, name, finite_number(name, getattr(self, name)))
        object.__setattr__(self, "period", finite_number("period", self.period, sign="positive"))
        if self.low > self.high:
            raise ValueError(f"high must not be below low, got low={self.low} and high={self.high}")
        if not (isinstance(self.shape, str) and self.shape in _SHAPES):
            raise ValueError(f"shape must be one of {', '.join(_SHAPES)}, got {self.shape!r:.60}")

    def _values(self, times: Array) -> Array:
        cycles = np.where(np.isfinite(times), times, 0.0) / self.period
        if self.shape == "square":
            up = np.where(np.mod(cycles + _ROUNDING * np.abs(cycles), 1.0) >= 0.5, 1.0, 0.0)
        elif self.shape == "sine":
            up = np.sin(np.pi * np.mod(cycles, 1.0)) ** 2
        else:
            up = 1 - np.abs(2 * np.mod(cycles, 1.0) - 1)
        return np.where(np.isfinite(times), (1 - up) * self.low + up * self.high, np.nan)


@dataclass(frozen=True)
class Steps(Curve):
    """Piecewise constant: ``values[k]`` from ``times[k]`` (included) until ``times[k + 1]``; the first before it too.

    Parameters
    ----------
    times
        Rising times of the jumps, the first of them that of the first value.
    values
        As many values.

    Raises
    ------
    ValueError
        The lengths differ or are 0, the times do not rise, or a number is not finite.
    """

    times: Sequence[float]
    values: Sequence[float]

    def __post_init__(self) -> None:
        for name in ("times", "values"):
            numbers = getattr(self, name)
            if np.ndim(numbers) != 1:
                raise ValueError(f"{name} must be a list of numbers, got {numbers!r:.60}")
            object.__setattr__(self, name, tuple(finite_number(name, number) for number in numbers))
        if not len(self.times) == len(self.values) > 0:
            raise ValueError(f"give as many values as times, got {len(self.values)} and {len(self.times)}")
        if any(later <= earlier for earlier, later in zip(self.times, self.times[1:], strict=False)):
            raise ValueError(f"times must rise, got {list(self.times)!s:.60}")

    def _values(self, times: Array) -> Array:
        piece = np.searchsorted(self.times, times + _ROUNDING * np.abs(times), side="right") - 1
        return np.where(np.isnan(times), np.nan, np.asarray(self.values)[np.maximum(piece, 0)])
