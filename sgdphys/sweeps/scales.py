"""The scales of a landscape at a temperature: the box that holds its Gibbs state, and a time step that resolves it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.fokker_planck import Grid

if TYPE_CHECKING:
    from sgdphys.protocols import Array, Landscape

__all__ = ["gibbs_grid", "suggested_time_step"]

_TAIL = 40.0  # the box reaches to exp(-40) of the highest density
_CELLS = {1: (2000, 40_000), 2: (300, 600)}  # fewest and most of each axis
_CELLS_IN_SPREAD = 3.0
_SCAN = {1: 4001, 2: 201}  # points a side that look for the box
_DOUBLINGS = 24
_LOCAL_ENERGY = 5.0  # temperatures above the bottom within which the curvature counts
_STEP_TIMES_CURVATURE = 0.05


def gibbs_grid(landscape: Landscape, temperature: float, *, start: Any = None, cells: int | None = None) -> Grid | None:
    """Return a grid that holds the Gibbs state exp(-f/T) of a landscape of one or two coordinates.

    A box around the known minima and ``start`` is doubled until f at its walls is 40 temperatures above the lowest f
    found, then shrunk to where it is less.

    Parameters
    ----------
    landscape
        Anything with ``dim`` and ``potential(x)``.
    temperature
        T times the constant D, in loss.
    start
        A point (coordinate,) that the search begins at, besides the landscape's ``minima``.
    cells
        Cells of each axis; default as many as put three into the narrowest spread sqrt(T/curvature), between 2000 and
        40000 for one coordinate, 300 and 600 for two.

    Returns
    -------
    Grid or None
        None for more coordinates, or where the landscape does not rise on all sides.

    Raises
    ------
    ValueError
        The temperature is not positive.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be positive and finite, got {temperature}")
    if landscape.dim not in _CELLS:
        return None
    points = _known_points(landscape, start)
    low, high = points.min(axis=0) - 1.0, points.max(axis=0) + 1.0
    for _ in range(_DOUBLINGS):
        axes, values = _scan(landscape, low, high)
        if not np.isfinite(values).any() or np.isneginf(values).any():
            return None
        inside = values <= np.nanmin(values) + _TAIL * temperature
        open_low, open_high = _touched_walls(inside)
        if not (open_low.any() or open_high.any()):
            walls = _shrunk(axes, inside)
            return Grid([(*wall, cells or _enough_cells(landscape, temperature, walls, points)) for wall in walls])
        width = high - low
        low, high = low - open_low * width, high + open_high * width
    return None


def suggested_time_step(landscape: Landscape, temperature: float, *, start: Any = None) -> float:
    """Return a time step that resolves the curvature where particles of this temperature spend their time.

    dt = 0.05 / (largest eigenvalue of the Hessian) over the cells within 5 temperatures of the bottom (one or two
    coordinates) or at the known minima and the start (more), rounded down to 1, 2 or 5 times a power of ten.

    Parameters
    ----------
    landscape
        Anything with ``dim``, ``potential(x)`` and ``gradient(x)``.
    temperature
        The highest T times D, in loss; 0 for the bottom alone.
    start
        A point (coordinate,).

    Returns
    -------
    float
        dt, in x^2/loss.

    Raises
    ------
    ValueError
        The landscape is flat there, so that it sets no time scale, or the temperature is negative.
    """
    if not (math.isfinite(temperature) and temperature >= 0):
        raise ValueError(f"temperature must be finite and not negative, got {temperature}")
    grid = gibbs_grid(landscape, temperature, start=start, cells=60) if temperature > 0 else None
    points = _known_points(landscape, start)
    if grid is not None:
        cells = grid.points()
        values = landscape.potential(cells)
        points = np.concatenate([points, cells[values < values.min() + _LOCAL_ENERGY * temperature]])
    curvature = float(np.abs(np.linalg.eigvalsh(_hessians(landscape, points))).max())
    if not (math.isfinite(curvature) and curvature > 0):
        searched = temperature > 0 and landscape.dim in _CELLS
        where = "does not rise on all sides and " if searched and grid is None else ""
        raise ValueError(
            f"the loss {where}has curvature {curvature:g} where it was looked at, so nothing sets a time step; "
            "give dt= (--dt)"
        )
    return _rounded_down(_STEP_TIMES_CURVATURE / curvature)


def _known_points(landscape: Landscape, start: Any) -> Array:
    minima = np.asarray(getattr(landscape, "minima", np.empty((0, landscape.dim))), dtype=np.float64)
    known = [minima.reshape(-1, landscape.dim)]
    if start is not None or not len(minima):
        known.append(np.broadcast_to(np.asarray(0.0 if start is None else start, dtype=np.float64), (1, landscape.dim)))
    return np.concatenate(known)


def _scan(landscape: Landscape, low: Array, high: Array) -> tuple[list[Array], Array]:
    axes = [np.linspace(a, b, _SCAN[landscape.dim]) for a, b in zip(low, high, strict=True)]
    points = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.asarray(landscape.potential(points), dtype=np.float64)
    return axes, np.where(np.isnan(values), np.inf, values).reshape([len(axis) for axis in axes])


def _touched_walls(inside: Any) -> tuple[Any, Any]:
    axes = range(inside.ndim)
    first = np.array([inside.take(0, axis).any() for axis in axes])
    last = np.array([inside.take(-1, axis).any() for axis in axes])
    return first, last


def _shrunk(axes: list[Array], inside: Any) -> list[tuple[float, float]]:
    walls = []
    for axis, values in enumerate(axes):
        others = tuple(other for other in range(inside.ndim) if other != axis)
        reached = np.flatnonzero(inside.any(axis=others))
        walls.append((float(values[reached[0] - 1]), float(values[reached[-1] + 1])))
    return walls


def _enough_cells(landscape: Landscape, temperature: float, walls: list[tuple[float, float]], points: Array) -> int:
    curvature = float(np.abs(np.linalg.eigvalsh(_hessians(landscape, points))).max())
    width = max(high - low for low, high in walls)
    fewest, most = _CELLS[landscape.dim]
    wanted = _CELLS_IN_SPREAD * width * math.sqrt(max(curvature, 0.0) / temperature)
    return int(np.clip(wanted if math.isfinite(wanted) else most, fewest, most))


def _hessians(landscape: Landscape, points: Array) -> Array:
    if hasattr(landscape, "hessian"):
        return np.asarray(landscape.hessian(points))
    step = 1e-5 * (1.0 + float(np.abs(points).max()))
    shifts = step * np.eye(landscape.dim)
    columns = [(landscape.gradient(points + e) - landscape.gradient(points - e)) / (2 * step) for e in shifts]
    matrices = np.stack(columns, axis=2)
    return np.asarray((matrices + matrices.transpose(0, 2, 1)) / 2)


def _rounded_down(value: float) -> float:
    decade = 10.0 ** math.floor(math.log10(value))
    return float(f"{max(digit * decade for digit in (1, 2, 5) if digit * decade <= value * (1 + 1e-12)):.3g}")
