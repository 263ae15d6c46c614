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
_FURTHER = 2.0 ** np.arange(-3, 10)  # half widths, in widths of the box, in which other wells are looked for
_FURTHER_SCAN = {1: 2001, 2: 101}  # points a side of each
_CLOSER = 1.5 ** -np.arange(1.0, 60.0)  # distances from a well, in widths of the box, that look for its sides
_LOWEST = 100  # most wells that are looked at more closely
_WIDENINGS = 3  # each reaches 500 times as far
_ZOOMS = 12
_ZOOM_POINTS = {1: 21, 2: 9}
_LOCAL_ENERGY = 5.0  # temperatures above the bottom within which the curvature counts
_STEP_TIMES_CURVATURE = 0.05


def gibbs_grid(
    landscape: Landscape,
    temperature: float,
    *,
    start: Any = None,
    cells: int | tuple[int, int] | None = None,
    hold_start: bool = False,
) -> Grid | None:
    """Return a grid that holds the Gibbs state exp(-f/T) of a landscape of one or two coordinates.

    A box around the known minima and ``start`` is doubled until f at its walls is 40 temperatures above the lowest f
    found, and widened to wells beyond them: those within 40 temperatures of the lowest that are seen from an eighth to
    500 times the width of the box. Then it is shrunk to where f is less.

    Parameters
    ----------
    landscape
        Anything with ``dim`` and ``potential(x)``.
    temperature
        T times the constant D, in loss.
    start
        A point (coordinate,) that the search begins at, besides the landscape's ``minima``.
    cells
        Cells of each axis, or fewest and most of them; default as many as put three into the narrowest spread
        sqrt(T/curvature), between 2000 and 40000 for one coordinate, 300 and 600 for two.
    hold_start
        Hold ``start`` and all that lies less than 40 temperatures above it too, as paths that begin there need.

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
    known = _known_points(landscape, start)
    floor = float(_potential(landscape, known[-1:])[0]) if hold_start and start is not None else -math.inf
    found = _closed_box(landscape, _TAIL * temperature, known, floor)
    if found is None:
        return None
    walls, wells = found
    if not isinstance(cells, int):
        bottoms = np.concatenate([_minima(landscape), wells])
        cells = _enough_cells(landscape, temperature, walls, bottoms if len(bottoms) else known, cells)
    return Grid([(*wall, cells) for wall in walls])


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


def _minima(landscape: Landscape) -> Array:
    minima = np.asarray(getattr(landscape, "minima", np.empty((0, landscape.dim))), dtype=np.float64)
    return minima.reshape(-1, landscape.dim)


def _known_points(landscape: Landscape, start: Any) -> Array:
    known = [_minima(landscape)]
    if start is not None or not len(known[0]):
        known.append(np.broadcast_to(np.asarray(0.0 if start is None else start, dtype=np.float64), (1, landscape.dim)))
    return np.concatenate(known)


def _closed_box(
    landscape: Landscape, depth: float, known: Array, floor: float
) -> tuple[list[tuple[float, float]], Array] | None:
    """Return the walls that hold all less than ``depth`` above the lowest f, or ``floor`` if higher, and the wells."""
    low, high = known.min(axis=0) - 1.0, known.max(axis=0) + 1.0
    wells, widenings = known, 0
    for _ in range(_DOUBLINGS):
        axes, values = _scan(landscape, low, high, wells)
        if not np.isfinite(values).any() or np.isneginf(values).any():
            return None
        level = max(float(np.nanmin(values)), floor) + depth
        open_low, open_high = _touched_walls(values <= level)
        width = high - low
        if open_low.any() or open_high.any():
            low, high = low - open_low * width, high + open_high * width
            continue
        wells = _wells_below(landscape, level, low, high)
        if np.all((wells > low) & (wells < high)):
            axes, values = _scan(landscape, low, high, wells)
            return _shrunk(axes, values <= max(float(np.nanmin(values)), floor) + depth), wells
        widenings += 1
        if widenings > _WIDENINGS:
            return None  # more wells at every distance
        low, high = np.minimum(low, wells.min(axis=0) - width), np.maximum(high, wells.max(axis=0) + width)
    return None


def _scan(landscape: Landscape, low: Array, high: Array, wells: Array) -> tuple[list[Array], Array]:
    """Return axes that are finer around the outermost wells, and f on them."""
    axes = []
    for axis, (a, b) in enumerate(zip(low, high, strict=True)):
        offsets = (b - a) * _CLOSER
        outermost = wells[:, axis].min(initial=b), wells[:, axis].max(initial=a)
        finer = [place + sign * offsets for place in outermost for sign in (-1, 1)]
        along = np.unique(np.concatenate([np.linspace(a, b, _SCAN[landscape.dim]), outermost, *finer]))
        axes.append(along[(along >= a) & (along <= b)])
    return axes, _values(landscape, axes)


def _values(landscape: Landscape, axes: list[Array]) -> Array:
    points = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
    return _potential(landscape, points).reshape([len(axis) for axis in axes])


def _potential(landscape: Landscape, points: Array) -> Array:
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        values = np.asarray(landscape.potential(points), dtype=np.float64)
    return np.where(np.isnan(values), np.inf, values)


def _wells_below(landscape: Landscape, level: float, low: Array, high: Array) -> Array:
    """Return the minima (well, coordinate) below a level that are seen from the middle of a box at many scales."""
    centre, width, count = (low + high) / 2, high - low, _FURTHER_SCAN[landscape.dim]
    places, depths, spacings = [], [], []
    for size in _FURTHER:
        half = size * width
        axes = [np.linspace(a, b, count) for a, b in zip(centre - half, centre + half, strict=True)]
        values = _values(landscape, axes)
        lower = np.isfinite(values)
        for axis in range(landscape.dim):
            before, after = (np.roll(values, shift, axis) for shift in (1, -1))
            lower &= (values <= before) & (values <= after) & ((values < before) | (values < after))
        cells = np.nonzero(lower)
        places.append(np.stack([along[k] for along, k in zip(axes, cells, strict=True)], axis=1))
        depths.append(values[cells])
        spacings.append(np.broadcast_to(2 * half / (count - 1), places[-1].shape))
    chosen = np.argsort(np.concatenate(depths), kind="stable")[:_LOWEST]
    points = _zoomed(landscape, np.concatenate(places)[chosen], np.concatenate(spacings)[chosen])
    return points[_potential(landscape, points) <= level]


def _zoomed(landscape: Landscape, points: Array, spacings: Array) -> Array:
    """Return the lowest points within a spacing of some points, by ever closer scans."""
    ticks = np.linspace(-1.0, 1.0, _ZOOM_POINTS[landscape.dim])
    offsets = np.stack([axis.ravel() for axis in np.meshgrid(*[ticks] * landscape.dim, indexing="ij")], axis=1)
    for _ in range(_ZOOMS if len(points) else 0):
        around = points[:, np.newaxis] + spacings[:, np.newaxis] * offsets
        values = _potential(landscape, around.reshape(-1, landscape.dim)).reshape(around.shape[:2])
        points = around[np.arange(len(points)), values.argmin(axis=1)]
        spacings = spacings * (ticks[1] - ticks[0])
    return points


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


def _enough_cells(
    landscape: Landscape,
    temperature: float,
    walls: list[tuple[float, float]],
    points: Array,
    limits: tuple[int, int] | None,
) -> int:
    curvature = float(np.abs(np.linalg.eigvalsh(_hessians(landscape, points))).max())
    width = max(high - low for low, high in walls)
    fewest, most = limits or _CELLS[landscape.dim]
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
