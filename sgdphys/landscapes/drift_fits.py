"""The potential of a measured drift, and what circulates beside it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels.knots import checked_axes
from sgdphys.landscapes.spline_tables import LEAST_KNOTS, SplineTable

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["fit"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Axes = tuple[Array, ...]
Stencil = dict[tuple[int, ...], float]  # weights by moves: axis, step, and so on
_WIDE = np.array([-1, 13, 13, -1]) / 24  # integral over the middle one of three intervals, exact for cubics
_NARROW = np.array([0, 1, 1, 0]) / 2  # the trapezoidal rule
_RIDGE = 1e-6  # weight of first differences beside second ones, so that cells in a row have a solution too


def fit(dataset: xr.Dataset) -> tuple[Axes, Array, Array | None, tuple[str, ...]]:
    """Fit a potential to a measured drift; :meth:`sgdphys.landscapes.Tabulated.from_drift` tells how.

    Parameters
    ----------
    dataset
        With ``drift(x, ..., coordinate)``, NaN in cells that were not visited.

    Returns
    -------
    tuple
        Axes, the potential in loss at the cell centres with its least visited value at 0, the circulating part in
        loss/x (None in one dimension), and the names of the axes.

    Raises
    ------
    ValueError
        There is no drift, its axes are no table, or no two neighbouring cells were visited.
    """
    names = _axis_names(dataset)
    axes = checked_axes([dataset[name].values for name in names], LEAST_KNOTS)
    drift = dataset["drift"].values
    visited = np.isfinite(drift).all(axis=-1)
    potential = _extended(_fitted(drift, _weights(dataset, visited), visited, axes), visited, axes)
    potential += _confinement(potential, visited, axes)
    potential -= potential[visited].min()
    slopes = SplineTable(axes, potential[np.newaxis], linear=True).gradients(_points(axes))[:, 0]
    slopes = slopes.reshape(drift.shape)
    _warn_of_open_edges(slopes, axes)
    remainder = np.where(visited[..., np.newaxis], drift + slopes, 0.0)
    return axes, potential, remainder if len(axes) > 1 else None, names


def _axis_names(dataset: xr.Dataset) -> tuple[str, ...]:
    if "drift" not in dataset or dataset["drift"].ndim < 2 or dataset["drift"].dims[-1] != "coordinate":
        raise ValueError("measured drift is a Dataset with drift(x, ..., coordinate), see analysis.drift_and_diffusion")
    names = tuple(map(str, dataset["drift"].dims[:-1]))
    if len(names) != dataset.sizes["coordinate"]:
        raise ValueError(f"drift has {dataset.sizes['coordinate']} components on a grid of {len(names)} coordinates")
    missing = [name for name in names if name not in dataset.coords]
    if missing:
        raise ValueError(f"drift needs the cell centres of {', '.join(missing)} as coordinates of the Dataset")
    return names


def _weights(dataset: xr.Dataset, visited: Mask) -> Array:
    """Return the inverse variances of the drift, shape (cells, coordinate), or numbers that go with them."""
    shape = dataset["drift"].shape
    if "drift_standard_error" in dataset:
        errors = dataset["drift_standard_error"].values
        known = np.isfinite(errors) & (errors > 0) & visited[..., np.newaxis]
        if np.any(known):
            return np.asarray(1 / np.where(known, errors, errors[known].max()) ** 2)
    if "visits" in dataset:
        visits = np.maximum(dataset["visits"].values.astype(np.float64), 1.0)
        return np.broadcast_to(visits[..., np.newaxis], shape)
    return np.ones(shape)


def _fitted(drift: Array, weights: Array, visited: Mask, axes: Axes) -> Array:
    """Return the potential of visited cells by weighted least squares; each connected part has its mean at 0."""
    from scipy.sparse import csr_array, diags_array
    from scipy.sparse.csgraph import connected_components
    from scipy.sparse.linalg import spsolve

    differences = [_differences(drift, weights, visited, axis, axes[axis]) for axis in range(len(axes))]
    low, high, rise, weight = (np.concatenate(parts) for parts in zip(*differences, strict=True))
    if not len(low):
        raise ValueError("no two neighbouring cells of the drift were visited: make cells larger, or the run longer")
    rows = np.arange(len(low))
    ones = np.ones(len(low))
    index = (np.tile(rows, 2), np.concatenate([high, low]))
    incidence = csr_array((np.concatenate([ones, -ones]), index), shape=(len(low), visited.size))
    normal = incidence.T @ diags_array(weight) @ incidence
    _, part = connected_components(normal, directed=False)
    grounded = np.zeros(visited.size)
    grounded[np.unique(part, return_index=True)[1]] = weight.max()
    solved = spsolve((normal + diags_array(grounded)).tocsc(), incidence.T @ (weight * rise))
    means = np.bincount(part, solved) / np.bincount(part)
    return np.asarray((solved - means[part]).reshape(visited.shape))


def _differences(
    drift: Array, weights: Array, visited: Mask, axis: int, knots: Array
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array, Array]:
    """Return, for pairs of visited neighbours along an axis, their numbers, the rise of f between, and its weight."""
    own = np.moveaxis(-np.nan_to_num(drift[..., axis]), axis, 0)
    variance = np.moveaxis(1 / weights[..., axis], axis, 0)
    known = np.moveaxis(visited, axis, 0)
    numbers = np.moveaxis(np.arange(visited.size).reshape(visited.shape), axis, 0)
    padding = [(1, 1)] + [(0, 0)] * (own.ndim - 1)
    padded = [np.pad(array, padding) for array in (own, variance, known)]
    four = [[array[k : len(array) - 3 + k] for k in range(4)] for array in padded]
    wide = np.all(four[2], axis=0)[..., np.newaxis]
    rules = np.moveaxis(np.where(wide, _WIDE, _NARROW), -1, 0)
    pair = known[:-1] & known[1:]
    spacing = knots[1] - knots[0]
    rise = spacing * np.sum(rules * four[0], axis=0)
    weight = 1 / np.maximum(spacing**2 * np.sum(rules**2 * four[1], axis=0), 1e-300)
    return numbers[:-1][pair], numbers[1:][pair], rise[pair], weight[pair]


def _extended(potential: Array, visited: Mask, axes: Axes) -> Array:
    """Carry the potential on into unvisited cells, by least squares of all second differences that touch one.

    The offsets of visited parts against each other are found with it.

    Returns
    -------
    Array
        The potential of all cells.
    """
    from scipy.ndimage import label
    from scipy.sparse import csr_array, hstack
    from scipy.sparse.linalg import spsolve

    part, count = label(visited)
    if np.all(visited):
        return potential
    rough = _roughness(visited, axes)
    outside = np.flatnonzero(~visited.ravel())
    offsets = [csr_array((part.ravel() == number).astype(np.float64)[:, np.newaxis]) for number in range(2, count + 1)]
    free = csr_array((np.ones(len(outside)), (outside, np.arange(len(outside)))), shape=(visited.size, len(outside)))
    basis = hstack([free, *offsets]).tocsc()
    known = np.where(visited, potential, 0.0).ravel()
    matrix = rough @ basis
    solved = spsolve((matrix.T @ matrix).tocsc(), -matrix.T @ (rough @ known))
    return np.asarray((known + basis @ np.atleast_1d(solved)).reshape(visited.shape))


def _roughness(visited: Mask, axes: Axes) -> Any:
    """Return the matrix of second differences, and weakly of first ones, that touch an unvisited cell."""
    from scipy.sparse import vstack

    dim, spacings = len(axes), [axis[1] - axis[0] for axis in axes]
    unit = np.min(spacings)
    rows = []
    for i in range(dim):
        rows.append(_stencil(visited, {(i, 1): 1.0, (i, 0): -1.0}, _RIDGE * unit / spacings[i]))
        rows.append(_stencil(visited, {(i, 1): 1.0, (i, 0): -2.0, (i, -1): 1.0}, (unit / spacings[i]) ** 2))
        for j in range(i):
            mixed: Stencil = {(i, 1, j, 1): 1.0, (i, 1, j, 0): -1.0, (i, 0, j, 1): -1.0, (i, 0, j, 0): 1.0}
            rows.append(_stencil(visited, mixed, np.sqrt(2) * unit**2 / (spacings[i] * spacings[j])))
    return vstack(rows).tocsr()


def _stencil(visited: Mask, weights: Stencil, scale: float) -> Any:
    """Return rows of a stencil, given by moves along axes, wherever it fits and touches an unvisited cell."""
    from scipy.sparse import csr_array

    numbers = np.arange(visited.size).reshape(visited.shape)
    moves = [dict(zip(move[::2], move[1::2], strict=True)) for move in weights]
    columns = np.stack([_moved(numbers, move, moves).ravel() for move in moves])
    columns = columns[:, ~np.all(visited.ravel()[columns], axis=0)]
    count = columns.shape[1]
    entries = np.repeat(np.array(list(weights.values())) * scale, count)
    return csr_array((entries, (np.tile(np.arange(count), len(moves)), columns.ravel())), shape=(count, visited.size))


def _moved(numbers: NDArray[np.int64], move: dict[int, int], moves: Sequence[dict[int, int]]) -> NDArray[np.int64]:
    """Return the numbers of the cells that a move leads to, from all places where every move stays on the grid."""
    place = []
    for axis, length in enumerate(numbers.shape):
        steps = [each.get(axis, 0) for each in moves]
        own = move.get(axis, 0)
        place.append(slice(own - min(steps), length - max(steps) + own))
    return numbers[tuple(place)]


def _confinement(potential: Array, visited: Mask, axes: Axes) -> Array:
    """Return half the typical curvature times the squared distance to the nearest visited cell."""
    from scipy.ndimage import distance_transform_edt

    if np.all(visited):
        return np.zeros(visited.shape)
    spacings = [axis[1] - axis[0] for axis in axes]
    distance = np.asarray(distance_transform_edt(~visited, sampling=spacings))
    return np.asarray(_curvature(potential, visited, spacings) * distance**2 / 2)


def _curvature(potential: Array, visited: Mask, spacings: Sequence[float]) -> float:
    """Return the root mean square of second derivatives along axes in visited cells; else of slopes over the extent."""
    second, first = [], []
    for axis, spacing in enumerate(spacings):
        values, known = np.moveaxis(potential, axis, 0), np.moveaxis(visited, axis, 0)
        three = known[:-2] & known[1:-1] & known[2:]
        second.append((np.diff(values, 2, axis=0) / spacing**2)[three])
        first.append((np.diff(values, axis=0) / spacing)[known[:-1] & known[1:]] / (spacing * len(values)))
    found = np.concatenate(second) if any(map(len, second)) else np.concatenate(first)
    return float(np.sqrt(np.mean(found**2)))


def _points(axes: Axes) -> Array:
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))


def _warn_of_open_edges(slopes: Array, axes: Axes) -> None:
    """Warn where the potential falls outwards at an edge of the table."""
    falling = total = 0
    for axis in range(len(axes)):
        own = np.moveaxis(slopes[..., axis], axis, 0)
        falling += int(np.count_nonzero(own[0] > 0) + np.count_nonzero(own[-1] < 0))
        total += 2 * own[0].size
    if falling:
        warnings.warn(
            f"the fitted potential falls outwards at {falling} of {total} knots of the table's edge, and goes on "
            "falling beyond: a particle that comes there does not return; use a wider grid of cells, so that the run "
            "does not reach its edge",
            stacklevel=4,
        )
