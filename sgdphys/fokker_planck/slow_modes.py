"""The slowest modes of a Fokker-Planck operator: eigenvalues that keep their digits, left and right eigenvectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import linalg, sparse
from scipy.linalg import lapack
from scipy.sparse.linalg import LinearOperator, eigs, eigsh

from sgdphys.fokker_planck.factorisation import factorise
from sgdphys.fokker_planck.targets import alive

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.protocols import Array

__all__ = ["Modes", "slow_modes"]

_SHIFT = 1e-8  # of the fastest rate: far above rounding, below most relaxation rates
_LEAST = 1e-5  # share of the largest root of the density below which eigenvectors are solved for, not taken
_FEW = 100_000  # cells up to which rows are exchanged where the matrix may be indefinite
_SETTLING = 6  # inverse iterations towards a positive weight
_FLOOR = 1e-100
_COALESCED = 1e10  # condition of the overlaps of left and right modes
_ROUGH, _ENOUGH = 1e-2, 1e-12  # tolerances of Arnoldi's method, for a scale and for modes
_REAL = 1e-10  # share of the largest eigenvalue below which an imaginary part is rounding
_CHUNK = 100_000  # faces at a time


class Modes(NamedTuple):
    """Modes in rising order of their rates; only cells outside targets are listed."""

    cells: NDArray[np.int64]  # (cell,)
    eigenvalues: NDArray[Any]  # of -L, (mode,)
    right: NDArray[Any]  # (cell, mode)
    left: NDArray[Any]  # (cell, mode)
    highest_frequency: float  # no mode as slow is missed whose frequency is below


def slow_modes(operator: Operator, count: int) -> Modes:
    r"""Return the slowest modes, left and right eigenvectors biorthogonal as vectors.

    Under detailed balance :math:`S = P^{-1/2} L P^{1/2}` with the stationary density P is symmetric and Lanczos'
    method on :math:`(s - S)^{-1}` finds its eigenvectors, with a shift s beyond the spectrum and the stationary state
    projected out. Where the density is small the left eigenvectors u are solved for from the rest. The rates are then
    stationary values of :math:`\sum w (u_r - u_l)^2 / \sum p u^2`, a sum over faces without subtraction of large
    numbers, which errors of u enter squared: relative accuracy is lost only from 1e-27 of the fastest hopping rate on.

    Otherwise Arnoldi's method does the same with L, scaled by a positive stationary weight, and its transpose; rates
    have an absolute rounding error of about 1e-16 times the fastest hopping rate. A second, larger shift makes sure
    that slow modes of high frequency are found. Central differences have echoes of every mode that alternate from cell
    to cell; they are left out.

    Parameters
    ----------
    operator
        Operator on a grid, with or without exits.
    count
        Number of modes.

    Returns
    -------
    Modes
        The modes.

    Raises
    ------
    ValueError
        Modes coalesce, so that left and right ones are orthogonal.
    """
    cells = np.flatnonzero(alive(operator))
    if operator.is_reversible:
        return _reversible(operator, cells, count)
    return _irreversible(operator, cells, count)


def _reversible(operator: Operator, cells: NDArray[np.int64], count: int) -> Modes:
    closed = not operator.exits
    assert operator.reduced_potential is not None
    heights = operator.reduced_potential[cells]
    root = np.exp((heights.min() - heights) / 2)
    root /= np.linalg.norm(root)
    symmetric = _symmetric(operator, cells)
    shift = _SHIFT * float(np.abs(symmetric.diagonal()).max())
    solve = factorise(_shifted(symmetric, shift))
    still = root[:, np.newaxis] if closed else np.zeros((len(cells), 1))
    wanted = count - closed
    if wanted:
        inverse = _operator(len(cells), lambda state: _without(still, solve(_without(still, state))))
        values, vectors = eigsh(inverse, wanted, which="LA", v0=_beginning(len(cells)), ncv=_basis(wanted, len(cells)))
        order = np.argsort(-values)
        left = _extended(operator, cells, root, 1 / values[order] - shift, vectors[:, order])
        rates, left = _ritz(operator, cells, root**2, left, closed=closed)
    else:
        rates, left = np.empty(0), np.empty((len(cells), 0))
    if closed:
        rates, left = np.append(0.0, rates), np.column_stack([np.ones(len(cells)), left])
    return Modes(cells, rates, root[:, np.newaxis] ** 2 * left, left, np.inf)


def _symmetric(operator: Operator, cells: NDArray[np.int64]) -> sparse.csc_matrix:
    inner = operator.right < operator.grid.size
    place = np.zeros(operator.grid.size, dtype=np.int64)
    place[cells] = np.arange(len(cells))
    left, right = place[operator.left[inner]], place[operator.right[inner]]
    hops = np.sqrt(operator.forward[inner]) * np.sqrt(operator.backward[inner])
    diagonal = operator.matrix.diagonal()[cells]
    rows, every = np.concatenate([left, right, place[cells]]), np.concatenate([right, left, place[cells]])
    return sparse.coo_matrix((np.concatenate([hops, hops, diagonal]), (rows, every)), 2 * (len(cells),)).tocsc()


def _shifted(matrix: sparse.csc_matrix, shift: Any) -> sparse.csc_matrix:
    return (shift * sparse.eye_array(matrix.shape[0], format="csc") - matrix).tocsc()


def _operator(size: int, action: Callable[[Array], Array]) -> LinearOperator:
    return LinearOperator((size, size), matvec=lambda state: action(np.ravel(state)), dtype=np.float64)


def _without(basis: Array, state: Array) -> Array:
    return np.asarray(state - basis @ (basis.T @ state))


def _beginning(size: int) -> Array:
    return np.random.default_rng(0).normal(size=size)  # of no symmetry, the same in every run


def _basis(wanted: int, size: int) -> int:
    return min(size, max(2 * wanted + 1, 20))


def _extended(
    operator: Operator, cells: NDArray[np.int64], root: Array, rates: NDArray[Any], vectors: NDArray[Any]
) -> NDArray[Any]:
    """Return left eigenvectors from balanced ones; where the density is small, from L^T u = -rate u with the rest."""
    rare = root < _LEAST * root.max()
    left: NDArray[Any] = np.zeros_like(vectors)
    left[~rare] = vectors[~rare] / root[~rare, np.newaxis]
    if not rare.any():
        return left
    matrix = operator.matrix[cells][:, cells].tocsc()
    inside, between = matrix[rare][:, rare], matrix[~rare][:, rare].T
    for mode, rate in enumerate(rates):
        solve = factorise(
            _shifted(inside, -rate if np.imag(rate) else -np.real(rate)), pivots=bool(np.count_nonzero(rare) < _FEW)
        )
        source = between @ left[~rare, mode]
        if np.imag(rate) or not np.iscomplexobj(source):
            left[rare, mode] = solve(source, transposed=True)
        else:
            left[rare, mode] = solve(source.real, transposed=True) + 1j * solve(source.imag, transposed=True)
    return left


def _ritz(
    operator: Operator, cells: NDArray[np.int64], weights: Array, left: Array, *, closed: bool
) -> tuple[Array, Array]:
    """Return rates and orthonormal left eigenvectors in the space of those given, the slowest first."""
    weights = weights / weights.sum()
    if closed:
        left = left - weights @ left
    gram = left.T @ (weights[:, np.newaxis] * left)
    left = linalg.solve_triangular(np.linalg.cholesky(gram), left.T, lower=True).T
    everywhere = np.zeros((operator.size, left.shape[1]))
    everywhere[cells] = left
    density = np.zeros(operator.size)
    density[cells] = weights
    roots = np.sqrt(density[operator.left] * operator.forward)
    slopes = roots[:, np.newaxis] * (everywhere[operator.right] - everywhere[operator.left])
    triangle: Array = np.asarray(np.linalg.qr(slopes, mode="r"))
    values, turn = _small_singular_values(triangle)
    return values**2, left @ turn


def _small_singular_values(matrix: Array) -> tuple[Array, Array]:
    """Return singular values in rising order, the small ones to relative accuracy, and the right singular vectors."""
    # Jacobi's method: Drmac & Veselic 2008, SIAM J. Matrix Anal. Appl. 29, 1322
    values, _, right, work, _, failed = lapack.dgejsv(matrix, joba=0, jobu=3, jobv=0, jobr=0, jobp=0)
    if failed:
        raise ValueError("the relaxation rates are too small or too large for numbers: raise the temperature")
    return (values * (work[0] / work[1]))[::-1], right[:, ::-1]


def _irreversible(operator: Operator, cells: NDArray[np.int64], count: int) -> Modes:
    matrix = operator.matrix[cells][:, cells].tocsc()
    pivots = operator.negative_share > 0
    shift = _SHIFT * float(np.abs(matrix.diagonal()).max())
    solve = factorise(_shifted(matrix, shift), pivots=pivots)
    root = np.sqrt(_weight(operator, cells, solve))
    first = _arnoldi(solve, root, count, transposed=False, tolerance=_ROUGH)[0]
    shift = max(shift, 2 * float(np.abs(1 / first - shift).max()))
    del solve
    solve = factorise(_shifted(matrix, shift), pivots=pivots)
    wanted = (4 if pivots else 2) * count + 4
    reached, right = _arnoldi(solve, root, wanted, transposed=False)
    vectors = _arnoldi(solve, root, wanted + 4, transposed=True)[1]
    del solve
    scale = root[:, np.newaxis]
    values, right, left = _two_sided_ritz(operator, cells, scale * right, vectors / scale)
    order = _order(values)
    if pivots:
        order = order[~_alternating(operator, cells, scale * left[:, order])]
    order = order[:count]
    slowest = values[order].real.max() + shift
    height = np.sqrt(max(float((1 / np.abs(reached)).max()) ** 2 - slowest**2, 0.0))
    values, right = values[order], right[:, order]
    left = _extended(operator, cells, root, values, scale * left[:, order])
    if not operator.exits:
        values[0], left[:, 0], right[:, 0] = 0.0, 1.0, (right[:, 0] / right[:, 0].sum()).real
        right[:, 1:] -= right[:, :1] * right[:, 1:].sum(axis=0)
        left[:, 1:] -= right[:, 0] @ left[:, 1:]
    return Modes(cells, values, right, left, float(height))


def _alternating(operator: Operator, cells: NDArray[np.int64], vectors: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which vectors (cell, mode) change their sign from cell to cell along an axis: echoes of central hops."""
    place = np.full(operator.size, len(cells))
    place[cells] = np.arange(len(cells))
    padded = np.concatenate([vectors, np.zeros((1, vectors.shape[1]))])
    found = np.zeros(vectors.shape[1], dtype=bool)
    for kind in range(len(operator.hops)):
        along = operator.kinds == kind
        here, there = padded[place[operator.left[along]]], padded[place[operator.right[along]]]
        found |= np.einsum("fm,fm->m", here, there.conj()).real < 0
    return found


def _weight(operator: Operator, cells: NDArray[np.int64], solve: Callable[..., Array]) -> Array:
    """Return something like the stationary density, positive, shape (cell,)."""
    if operator.reduced_potential is not None:
        heights = operator.reduced_potential[cells]
        weight = np.exp(heights.min() - heights)
    else:
        weight = np.ones(len(cells))
        for _ in range(_SETTLING):
            weight = np.abs(solve(weight))
            weight /= weight.max()
    return np.asarray(np.maximum(weight, _FLOOR))


def _arnoldi(
    solve: Callable[..., Array], root: Array, wanted: int, *, transposed: bool, tolerance: float = _ENOUGH
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the largest eigenvalues of the inverse, and eigenvectors in the balanced frame."""
    scale = 1 / root if transposed else root
    inverse = _operator(len(root), lambda state: solve(state * scale, transposed=transposed) / scale)
    wanted = min(wanted, len(root) - 2)
    settings = {"v0": _beginning(len(root)), "ncv": _basis(wanted, len(root)), "tol": tolerance}
    values, vectors = eigs(inverse, wanted, which="LM", **settings)
    return values, vectors


def _two_sided_ritz(
    operator: Operator, cells: NDArray[np.int64], right: NDArray[Any], left: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return eigenvalues of -L and biorthogonal vectors in the space of the right ones."""
    overlap = left.T @ right
    if np.linalg.cond(overlap) > _COALESCED:
        raise ValueError("modes coalesce, left and right ones are orthogonal: change count or a parameter a little")
    left = left @ np.linalg.pinv(overlap).T
    values, turn = np.linalg.eig(_form(operator, cells, left, right))
    values.imag[np.abs(values.imag) < _REAL * np.abs(values).max()] = 0.0
    return values, right @ turn, left @ np.linalg.inv(turn).T


def _form(operator: Operator, cells: NDArray[np.int64], left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Return -left' L right as a sum over faces of fluxes times differences."""
    place = np.full(operator.size, len(cells))
    place[cells] = np.arange(len(cells))
    nothing = np.zeros((1, right.shape[1]))
    left, right = np.concatenate([left, nothing]), np.concatenate([right, nothing])
    total = np.zeros((left.shape[1], right.shape[1]), dtype=np.complex128)
    for first in range(0, len(operator.left), _CHUNK):
        faces = slice(first, first + _CHUNK)
        here, there = place[operator.left[faces]], place[operator.right[faces]]
        flux = operator.forward[faces, None] * right[here] - operator.backward[faces, None] * right[there]
        total += (left[here] - left[there]).T @ flux
    return total


def _order(values: NDArray[Any]) -> NDArray[np.int64]:
    """Sort by real parts, equal ones by falling imaginary parts."""
    rounded = np.round(values.real / np.abs(values).max(), 9)
    return np.asarray(np.lexsort((values.real, -values.imag, rounded)))
