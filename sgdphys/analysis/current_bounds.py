r"""Lower bounds on entropy production from currents, the best among the fields of a family.

For the joint distribution P of two successive frames and its reverse P~, any field F with the current
:math:`J = F(x_{mid}) \cdot dx`, odd under reversal, obeys :math:`KL(P|P~) \ge g(E[J]^2/E[J^2])` with
:math:`g(r) = 2 \sqrt r\, \mathrm{artanh} \sqrt r`, and :math:`g(r) \to 2r` for short intervals. For J of a family with
means m and second moments G the largest ratio is :math:`m^T G^{-1} m`, and the best field, :math:`2 G^{-1} m`, is then
the thermodynamic force :math:`D^{-1} v` projected onto the family.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sgdphys.analysis.entropy_estimators import occupied_cells
from sgdphys.analysis.paths import BUNDLES, bundled

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sgdphys.analysis.paths import Paths
    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array

__all__ = ["OddStatistic", "cell_bound", "polynomial_bound"]

_MOST_FIELDS = 1000
_RANK = 1e-10  # eigenvalues below this share of the largest are rounding


@dataclass(frozen=True)
class OddStatistic:
    """An entropy production per frame interval as a function of means that time reversal turns round.

    Parameters
    ----------
    odd
        Shares of bundles of particles in the means, (bundle, mean).
    statistic
        Function from means (pattern, mean) to entropy (pattern,), in nat.
    contributions
        What every particle contributes to it to first order, (particle,), in nat.
    """

    odd: Array
    statistic: Callable[[Array], Array]
    contributions: Array


def polynomial_bound(paths: Paths, degree: int) -> OddStatistic:
    """Return the bound from all fields whose components are polynomials up to a degree.

    Parameters
    ----------
    paths
        Stationary paths.
    degree
        Largest total degree; 1 has the linear currents.

    Returns
    -------
    OddStatistic
        The bound.

    Raises
    ------
    ValueError
        There would be more than a thousand fields.
    """
    fields = math.comb(paths.dim + degree, degree) * paths.dim if degree <= _MOST_FIELDS else math.inf
    if fields > _MOST_FIELDS:
        raise ValueError(
            f"{fields} fields of degree {degree:g} in {paths.dim} coordinates are more than {_MOST_FIELDS}; lower "
            "degree=, or choose the leading coordinates with cloud.isel(coordinate=...)"
        )
    exponents = _exponents(paths.dim, degree)
    scale = paths.position.std(axis=(0, 1))
    scale[scale == 0] = 1.0
    own, second = _moments(paths, exponents, scale)
    whiten = _inverse_root(second)
    odd = bundled(own) @ whiten
    force = (whiten @ odd.mean(axis=0)).reshape(len(exponents), paths.dim)
    return OddStatistic(odd, _of_squares, _contributions(paths, lambda x: _powers(x / scale, exponents) @ force))


def cell_bound(paths: Paths, grid: Grid) -> OddStatistic:
    """Return the bound from all fields that are constant in the cells of a grid, counted by midpoints.

    Parameters
    ----------
    paths
        Stationary paths.
    grid
        The cells; what lies outside counts nothing.

    Returns
    -------
    OddStatistic
        The bound: the sum of J D^-1 J / p over the cells.

    Raises
    ------
    ValueError
        The grid misses the cloud, or has another number of axes.
    """
    dim = paths.dim
    own = np.zeros((min(paths.particles, BUNDLES), grid.size, dim))
    second = np.zeros((grid.size, dim, dim))
    count = len(own)
    for chosen, middle, change in paths.steps(dim * dim):
        cell = _cells(middle + paths.mean, grid)
        bundle = np.arange(paths.particles)[chosen] * count // paths.particles
        inside = cell >= 0
        np.add.at(own, (np.broadcast_to(bundle, cell.shape)[inside], cell[inside]), change[inside])
        for i, j in itertools.product(range(dim), repeat=2):
            products = change[..., i][inside] * change[..., j][inside]
            second[:, i, j] += np.bincount(cell[inside], products, grid.size)
    if not second.any() and paths.position.any():
        raise ValueError(f"no particle moves on the grid {grid.axes}: give one around the cloud, or none")
    steps = (len(paths.times) - 1) * paths.particles
    own, second = own * count / steps, second / steps
    whiten = np.array([_inverse_root(matrix) for matrix in second])
    odd = np.einsum("bci,cij->bcj", own, whiten)
    force = np.concatenate([np.einsum("cij,cj->ci", whiten, odd.mean(axis=0)), np.zeros((1, dim))])
    contributions = _contributions(paths, lambda x: force[_cells(x + paths.mean, grid)])
    return OddStatistic(odd.reshape(count, -1), _of_squares, contributions)


def _of_squares(means: Array) -> Array:
    return _entropy_of((means**2).sum(axis=1))


def _entropy_of(ratio: Array) -> Array:
    """Return g(r) = 2 sqrt(r) artanh(sqrt(r)), 0 <= r < 1."""
    root = np.sqrt(np.minimum(ratio, 1 - 1e-15))
    return np.asarray(2 * root * np.arctanh(root))


def _contributions(paths: Paths, force: Callable[[Array], Array]) -> Array:
    """Return g'(r) (2 E[J] - E[J^2]) of every particle for the current J of G^-1 m, whose mean and square are r."""
    values = np.empty(paths.particles)
    ratio = 0.0
    for chosen, middle, change in paths.steps(4 * paths.dim):
        current = (force(middle) * change).sum(axis=-1)
        values[chosen] = (2 * current - current**2).mean(axis=0)
        ratio += current.mean(axis=0).sum() / paths.particles
    root = np.sqrt(np.clip(ratio, 1e-12, 1 - 1e-12))
    return np.asarray(values * (np.arctanh(root) / root + 1 / (1 - root**2)))


def _moments(paths: Paths, exponents: Array, scale: Array) -> tuple[Array, Array]:
    """Return mean currents of every particle (particle, field) and second moments (field, field) over intervals."""
    fields = len(exponents) * paths.dim
    own, second = np.empty((paths.particles, fields)), np.zeros((fields, fields))
    for chosen, middle, change in paths.steps(2 * fields):
        powers = _powers(middle / scale, exponents)
        currents = (powers[..., :, np.newaxis] * change[..., np.newaxis, :]).reshape(*middle.shape[:2], fields)
        own[chosen] = currents.mean(axis=0)
        flat = currents.reshape(-1, fields)
        second += flat.T @ flat
    return own, second / ((len(paths.times) - 1) * paths.particles)


def _exponents(dim: int, degree: int) -> Array:
    """Return the exponents of all monomials up to a degree, (monomial, coordinate)."""
    chosen = (c for d in range(degree + 1) for c in itertools.combinations_with_replacement(range(dim), d))
    return np.array([np.bincount(np.array(c, dtype=np.int64), minlength=dim) for c in chosen])


def _powers(x: Array, exponents: Array) -> Array:
    """Return the monomials at x (..., coordinate), shape (..., monomial)."""
    table = [np.ones_like(x)]
    for _ in range(int(exponents.max(initial=0))):
        table.append(table[-1] * x)
    out = np.empty((*x.shape[:-1], len(exponents)))
    for column, powers in enumerate(exponents):
        used = [table[power][..., axis] for axis, power in enumerate(powers) if power]
        out[..., column] = np.prod(used, axis=0) if used else 1.0
    return out


def _inverse_root(matrix: Array) -> Array:
    """Return R with R R^T the inverse of a matrix on the space where it is not singular."""
    size = np.sqrt(np.diag(matrix))
    size[size == 0] = 1.0
    values, vectors = np.linalg.eigh(matrix / np.outer(size, size))
    kept = values > _RANK * max(values[-1], 0.0)
    roots = np.where(kept, np.where(kept, values, 1.0) ** -0.5, 0.0)
    return np.asarray(vectors * roots / size[:, np.newaxis])


def _cells(points: Array, grid: Grid) -> NDArray[np.int64]:
    cells = occupied_cells(points.reshape(-1, points.shape[-1]), grid)
    return np.asarray(cells, dtype=np.int64).reshape(points.shape[:-1])
