"""Finite sums whose prediction is a product of parameters: the smallest models with valleys of minima."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.checks import number_array, whole_number
from sgdphys.kernels import BlockTerm, FieldKernel, SampleKernel
from sgdphys.kernels import factor_models as kernels
from sgdphys.landscapes.base import as_points, finite_array
from sgdphys.landscapes.finite_sums import SupervisedLandscape, stored_samples

__all__ = ["DiagonalLinearNetwork", "MatrixFactorisation"]

Array = NDArray[np.float64]

_DIAGONAL_SAMPLE = SampleKernel(kernels.diagonal_network_sample)
_DIAGONAL_GRADIENT = FieldKernel(kernels.diagonal_network_gradient)
_DIAGONAL_POTENTIAL = FieldKernel(kernels.diagonal_network_potential)
_ENTRY_SAMPLE = SampleKernel(kernels.factorisation_sample)
_ENTRY_GRADIENT = FieldKernel(kernels.factorisation_gradient)
_ENTRY_POTENTIAL = FieldKernel(kernels.factorisation_potential)


@dataclass(frozen=True, eq=False, repr=False)
class DiagonalLinearNetwork(SupervisedLandscape):
    r"""Linear regression on the differences of squares of its coordinates, with half the squared residual as loss.

    .. math:: f(x) = \frac1N \sum_i \tfrac12 (a_i \cdot \beta - y_i)^2, \qquad \beta = u \odot u - v \odot v

    The coordinates are x = (u, v), first all of u, then all of v. With more features than samples the minima form a
    manifold, on which the gradient noise of interpolating minima vanishes. (Woodworth et al. 2020, COLT, section 4,
    with depth 2.)

    Parameters
    ----------
    inputs
        The rows a_i, shape (sample, feature).
    targets
        y_i, shape (sample,).

    Raises
    ------
    ValueError
        The shapes do not fit, there is no sample or no feature, or a number is not finite.
    """

    @property
    def dim(self) -> int:
        """Number of coordinates, two a feature."""
        return 2 * self.features

    def regression_coefficients(self, x: Array) -> Array:
        """Return beta = u^2 - v^2 at ``x`` (particle, coordinate), shape (particle, feature)."""
        points = as_points(x, self.dim)
        return np.asarray(points[:, : self.features] ** 2 - points[:, self.features :] ** 2)

    def sample_term(self) -> BlockTerm:
        """Return the kernel that adds the gradients of given samples, and the data."""
        return BlockTerm(_DIAGONAL_SAMPLE, self.table)

    def sample_work_rows(self) -> int:
        """Return features + 2: a row of data and the residual."""
        return self.features + 2

    def potential_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the potential."""
        return (BlockTerm(_DIAGONAL_POTENTIAL, self.table),)

    def gradient_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the gradient."""
        return (BlockTerm(_DIAGONAL_GRADIENT, self.table),)

    def hessian(self, x: Array) -> Array:
        """Return the second derivatives at ``x`` (particle, coordinate), shape (particle, coordinate, coordinate)."""
        points = as_points(x, self.dim)
        signs = np.repeat([1.0, -1.0], self.features)
        slopes = 2 * points * signs
        residuals = self.regression_coefficients(points) @ self.inputs.T - self.targets
        own = 2 * signs * np.tile(residuals @ self.inputs / self.n_samples, 2)
        matrix = np.tile(self.inputs.T @ self.inputs / self.n_samples, (2, 2))
        return np.asarray(
            slopes[:, :, np.newaxis] * matrix * slopes[:, np.newaxis, :] + own[:, np.newaxis] * np.eye(self.dim)
        )


@dataclass(frozen=True, eq=False, repr=False, init=False)
class MatrixFactorisation(SupervisedLandscape):
    r"""A matrix as the product of two thin ones; the samples are its observed entries.

    .. math:: f(x) = \frac1N \sum_{(i, j)} \tfrac12 \left(u_i \cdot v_j - M_{ij}\right)^2

    The coordinates are U (row, rank) row by row, then V (column, rank) row by row. f does not change under
    U -> U G, V -> V G^-T, so its minima form valleys. ``inputs`` are the places (row, column) of the entries,
    ``targets`` their values.

    Parameters
    ----------
    matrix
        M, shape (row, column).
    rank
        Columns of U and V; positive.
    observed
        Which entries are samples, boolean, of the shape of the matrix; all if not given.

    Raises
    ------
    ValueError
        The matrix is empty, an observed entry is not finite, the rank is no positive integer, or no entry is observed.
    """

    shape: tuple[int, int]
    rank: int

    def __init__(self, matrix: ArrayLike, rank: int, observed: ArrayLike | None = None) -> None:
        values = number_array("matrix", matrix)
        if values.ndim != 2 or not values.size:
            raise ValueError(f"matrix must have the shape (row, column) and an entry, got the shape {values.shape}")
        chosen = np.ones(values.shape, dtype=bool) if observed is None else np.asarray(observed)
        if chosen.shape != values.shape or chosen.dtype != bool or not chosen.any():
            raise ValueError(
                f"observed must be boolean of the matrix's shape {values.shape} with some entry, got {chosen.dtype} of "
                f"the shape {chosen.shape} with {np.count_nonzero(chosen)} entries"
            )
        object.__setattr__(self, "shape", values.shape)
        object.__setattr__(self, "rank", whole_number("rank", rank))
        object.__setattr__(self, "inputs", finite_array("places", np.argwhere(chosen), (None, 2)))
        object.__setattr__(self, "targets", finite_array("observed entries of matrix", values[chosen], (None,)))

    def __repr__(self) -> str:
        return f"MatrixFactorisation({self.shape[0]} x {self.shape[1]}, rank={self.rank}, n_samples={self.n_samples})"

    @property
    def dim(self) -> int:
        """Number of coordinates, (rows + columns) rank."""
        return (self.shape[0] + self.shape[1]) * self.rank

    @property
    def _parameters(self) -> Array:
        return np.concatenate([[self.shape[0], self.rank], self.table])

    def factors(self, x: Array) -> tuple[Array, Array]:
        """Return U (particle, row, rank) and V (particle, column, rank) at ``x`` (particle, coordinate)."""
        points = as_points(x, self.dim)
        split = self.shape[0] * self.rank
        left, right = points[:, :split], points[:, split:]
        return left.reshape(-1, self.shape[0], self.rank), right.reshape(-1, self.shape[1], self.rank)

    def sample_term(self) -> BlockTerm:
        """Return the kernel that adds the gradients of given samples, and the data."""
        return BlockTerm(_ENTRY_SAMPLE, self._parameters)

    def sample_work_rows(self) -> int:
        """Return 4: place and value of an entry, and the residual."""
        return 4

    def potential_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the potential."""
        return (BlockTerm(_ENTRY_POTENTIAL, self._parameters),)

    def gradient_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the gradient."""
        return (BlockTerm(_ENTRY_GRADIENT, self._parameters),)

    def hessian(self, x: Array) -> Array:
        """Return the second derivatives at ``x`` (particle, coordinate), shape (particle, coordinate, coordinate)."""
        left, right = self.factors(x)
        matrices = np.zeros((len(left), self.dim, self.dim))
        ranks = np.arange(self.rank)
        for (row, column), target in zip(self.inputs.astype(int), self.targets, strict=True):
            u, v = row * self.rank + ranks, (self.shape[0] + column) * self.rank + ranks
            places = np.append(u, v)
            slopes = np.concatenate([right[:, column], left[:, row]], axis=1)
            matrices[:, places[:, np.newaxis], places] += slopes[:, :, np.newaxis] * slopes[:, np.newaxis, :]
            residual = np.sum(left[:, row] * right[:, column], axis=1) - target
            matrices[:, u, v] += residual[:, np.newaxis]
            matrices[:, v, u] += residual[:, np.newaxis]
        return matrices / self.n_samples

    def configuration(self) -> dict[str, Any]:
        """Return the class name, a hash of the data, shape and rank."""
        return super().configuration() | {"shape": list(self.shape), "rank": self.rank}

    @classmethod
    def from_variables(cls, variables: Mapping[str, Array], data_hash: str, **arguments: Any) -> Self:
        """Return the landscape of the stored data; raise ValueError when they are missing or of another hash."""
        places, values = stored_samples(variables, data_hash)
        matrix = np.full(arguments["shape"], np.nan)
        matrix[tuple(places.astype(int).T)] = values
        return cls(matrix, arguments["rank"], np.isfinite(matrix))
