"""Where the particles of a command start: the point that was given, a known minimum, or one found by descent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sgdphys.landscapes import BlockLandscape

    Array = NDArray[np.float64]

__all__ = ["Start", "choose_start", "minimum_near"]

_OFFSET = 0.01  # of the descent from the origin, which may be a saddle; growing a little with the coordinate's number
_DIGITS = 6  # of a minimum found, so that the same command finds the same store on every machine
_PROBES = (0.01, 0.1)  # relative distances at which f must lie above a minimum
_GRADIENT = 1e-6


@dataclass(frozen=True)
class Start:
    """A starting point: ``value``, a number or a list of coordinates, and in words where it comes from."""

    value: float | list[float]
    source: str

    @property
    def line(self) -> str:
        """The start in words."""
        coordinates = self.value if isinstance(self.value, list) else [self.value]
        return f"start {','.join(f'{number:.6g}' for number in coordinates)} ({self.source})"


def choose_start(landscape: BlockLandscape, given: Sequence[float] | None) -> Start:
    """Return where particles start.

    Parameters
    ----------
    landscape
        The landscape.
    given
        Coordinates from the command line; None for the first known minimum, else the minimum that descent from the
        origin reaches, else the origin.

    Returns
    -------
    Start
        The point and its source.

    Raises
    ------
    ValueError
        The point has another number of coordinates than the landscape, or is not finite.
    """
    if given is not None:
        return Start(_checked(landscape, given), "as given")
    if len(landscape.minima):
        return Start(_plain(landscape.minima[0]), "first known minimum")
    if _is_minimum(landscape, np.zeros(landscape.dim)):
        return Start(_plain(np.zeros(landscape.dim)), "the origin, a minimum")
    found = _descended(landscape)
    if found is None:
        return Start(_plain(np.zeros(landscape.dim)), "the origin: descent from there found no minimum")
    return Start(_plain(found), "minimum found by descent from the origin")


def minimum_near(landscape: BlockLandscape, point: Array) -> Start | None:
    """Return the minimum that descent from a point (coordinate,) reaches; None where it reaches none."""
    found = _descended(landscape, point)
    return None if found is None else Start(_plain(found), "minimum found outside the target")


def _checked(landscape: BlockLandscape, given: Sequence[float]) -> float | list[float]:
    text = ",".join(f"{number:g}" for number in given)
    if not np.isfinite(given).all():
        raise ValueError(f"start must be finite, got {text}")
    if len(given) not in (1, landscape.dim):
        names = ", ".join(map(str, getattr(landscape, "coordinate_names", range(landscape.dim))))
        raise ValueError(f"start must be {landscape.dim} numbers, one for each coordinate ({names}), got {text}")
    return float(given[0]) if len(given) == 1 else [float(number) for number in given]


def _plain(point: Array) -> float | list[float]:
    return float(point[0]) if len(point) == 1 else [float(number) for number in point]


def _descended(landscape: BlockLandscape, origin: Array | None = None) -> Array | None:
    from scipy.optimize import minimize

    def value_and_slope(x: Array) -> tuple[float, Array]:
        point = x[np.newaxis]
        return float(landscape.potential(point)[0]), np.asarray(landscape.gradient(point)[0], dtype=np.float64)

    offset = _OFFSET * (1.0 + 0.1 * np.arange(landscape.dim))
    with np.errstate(all="ignore"):
        begin = offset if origin is None else origin
        end = np.asarray(minimize(value_and_slope, begin, jac=True, method="BFGS", options={"gtol": 1e-9}).x)
    rounded = np.round(end, _DIGITS) + 0.0
    return rounded if _is_minimum(landscape, end) else None


def _is_minimum(landscape: BlockLandscape, point: Array) -> bool:
    """Return whether f is level at the point, bends upwards in no direction less than not at all, and rises around."""
    if not np.isfinite(point).all():
        return False
    with np.errstate(all="ignore"):
        bottom, slope = landscape.potential(point[np.newaxis])[0], landscape.gradient(point[np.newaxis])[0]
        distances = (1.0 + np.abs(point).max()) * np.array(_PROBES)
        shifts = np.concatenate([sign * size * np.eye(landscape.dim) for sign in (-1, 1) for size in distances])
        around = landscape.potential(point + shifts)
        scale = float(np.ptp(around)) + 1.0
        curvatures = np.linalg.eigvalsh(_hessian(landscape, point))
    return bool((around > bottom).all() and np.abs(slope).max() < _GRADIENT * scale and curvatures.min() > -_GRADIENT)


def _hessian(landscape: BlockLandscape, point: Array) -> Array:
    step = 1e-5 * (1.0 + float(np.abs(point).max()))
    shifts = step * np.eye(landscape.dim)
    rows = (landscape.gradient(point + shifts) - landscape.gradient(point - shifts)) / (2 * step)
    return np.nan_to_num((rows + rows.T) / 2, nan=-1.0)
