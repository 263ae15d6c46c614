"""Quadratic landscapes of any dimension, also as the reduced landscape of a network near a minimum."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels import BlockTerm, FieldKernel
from sgdphys.kernels.linear_algebra import accumulate_product
from sgdphys.landscapes.base import BlockLandscape, as_points, finite_array

__all__ = ["Quadratic"]

Array = NDArray[np.float64]
_MAX_INLINE = 32  # a larger matrix is stored as a variable, not inside the configuration


def quadratic_potential(x, parameters, factor, out):  # type: ignore[no-untyped-def]
    """Add ``factor * (constant + x^T M x / 2)``; parameters are the constant and the matrix row by row."""
    dim = x.shape[0]
    constant = factor * parameters[0]
    for lane in range(x.shape[1]):
        out[0, lane] += constant
    for row in range(dim):
        for column in range(row + 1):
            weight = factor * parameters[1 + row * dim + column] * (0.5 if row == column else 1.0)
            for lane in range(x.shape[1]):
                out[0, lane] += weight * x[row, lane] * x[column, lane]


def quadratic_gradient(x, parameters, factor, out):  # type: ignore[no-untyped-def]
    """Add ``factor * M x``; parameters are the matrix row by row."""
    accumulate_product(parameters, x, factor, out)  # type: ignore[no-untyped-call]


_POTENTIAL = FieldKernel(quadratic_potential)
_GRADIENT = FieldKernel(quadratic_gradient)


@dataclass(frozen=True, eq=False)
class Quadratic(BlockLandscape):
    r"""A parabola in any number of coordinates.

    .. math:: f(x) = c + \tfrac12 x^T M x, \qquad \nabla f = M x

    Parameters
    ----------
    matrix
        M, shape (coordinate, coordinate), in loss/x^2; symmetric, not necessarily positive. In 1-D a number.
    constant
        c, in loss.
    origin
        For a network seen in reduced coordinates: the point of parameter space, shape (parameter,), that x counts from.
    basis
        The directions of the reduced coordinates, shape (parameter, coordinate), with orthonormal columns; parameters
        are ``origin + basis @ x``. Given together with ``origin``.

    Raises
    ------
    ValueError
        The matrix is not square, symmetric and finite, or origin and basis do not fit.
    """

    matrix: Array
    constant: float = 0.0
    origin: Array | None = None
    basis: Array | None = None

    def __post_init__(self) -> None:
        matrix = finite_array("matrix", np.atleast_2d(self.matrix), (None, None))
        if matrix.shape[0] != matrix.shape[1] or not matrix.size:
            raise ValueError(f"matrix must be square, got the shape {matrix.shape}")
        asymmetry = float(np.max(np.abs(matrix - matrix.T)))
        if asymmetry > 1e-9 * float(np.max(np.abs(matrix))):
            raise ValueError(f"matrix must be symmetric, got M - M^T up to {asymmetry:g}; use (M + M.T) / 2")
        if not math.isfinite(self.constant):
            raise ValueError(f"constant must be finite, got {self.constant}")
        object.__setattr__(self, "matrix", matrix)
        if (self.origin is None) != (self.basis is None):
            raise ValueError("origin and basis are given together or not at all")
        if self.basis is not None and self.origin is not None:
            self._set_embedding(self.origin, self.basis)

    def _set_embedding(self, origin: Array, basis: Array) -> None:
        columns = finite_array("basis", basis, (None, self.dim))
        error = float(np.max(np.abs(columns.T @ columns - np.eye(self.dim))))
        if error > 1e-5:
            raise ValueError(f"basis must have orthonormal columns, got B^T B - 1 up to {error:g}; use numpy.linalg.qr")
        object.__setattr__(self, "basis", columns)
        object.__setattr__(self, "origin", finite_array("origin", origin, (len(columns),)))

    def __repr__(self) -> str:
        matrix = str(self.matrix.tolist()) if self.matrix.size <= 9 else f"dim={self.dim}"
        constant = f", constant={self.constant:g}" if self.constant else ""
        within = "" if self.origin is None else f", within {len(self.origin)} parameters"
        return f"Quadratic({matrix}{constant}{within})"

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.matrix)

    @functools.cached_property
    def _eigenvalues(self) -> Array:
        return np.asarray(np.linalg.eigvalsh(self.matrix), dtype=np.float64)

    @property
    def minima(self) -> Array:
        """The origin if all eigenvalues are positive."""
        return np.zeros((int(self._eigenvalues[0] > 0), self.dim))

    @property
    def saddles(self) -> Array:
        """The origin if exactly one eigenvalue is negative and none is zero."""
        negative = np.count_nonzero(self._eigenvalues < 0)
        return np.zeros((int(negative == 1 and bool(np.all(self._eigenvalues != 0))), self.dim))

    def potential_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the potential."""
        return (BlockTerm(_POTENTIAL, np.concatenate([[self.constant], self.matrix.ravel()])),)

    def gradient_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the gradient, a matrix product."""
        return (BlockTerm(_GRADIENT, self.matrix.ravel()),)

    def hessian(self, x: Array) -> Array:
        """Return the matrix for each point of ``x`` (particle, coordinate); a read-only view."""
        return np.broadcast_to(self.matrix, (len(as_points(x, self.dim)), self.dim, self.dim))

    def variables(self) -> dict[str, tuple[tuple[str, ...], Array]]:
        """Return the arrays that belong into a Dataset, by schema name: origin, basis, and a matrix that is large."""
        arrays: dict[str, tuple[tuple[str, ...], Array]] = {}
        if self.origin is not None and self.basis is not None:
            arrays["origin"] = (("parameter",), self.origin)
            arrays["basis"] = (("parameter", "coordinate"), self.basis)
        if self.dim > _MAX_INLINE:
            arrays["quadratic_matrix"] = (("coordinate", "coordinate_2"), self.matrix)
        return arrays

    def configuration(self) -> dict[str, Any]:
        """Return the class name and the arguments; origin, basis and a large matrix are left to :meth:`variables`."""
        matrix = self.matrix.tolist() if self.dim <= _MAX_INLINE else None
        return {"landscape": "Quadratic", "matrix": matrix, "constant": float(self.constant)}
