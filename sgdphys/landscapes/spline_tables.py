"""Fields given at equally spaced knots, as tensor products of cubic B-splines with kernels."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels import BlockTerm, FieldKernel, evaluate, splines
from sgdphys.kernels.knots import axis_numbers

__all__ = ["LEAST_KNOTS", "SplineTable", "spline_coefficients"]

Array = NDArray[np.float64]
LEAST_KNOTS = 4  # which determine a cubic
_KERNELS = {
    (field, dim): FieldKernel(getattr(splines, f"spline_{field}_{dim}"))
    for field in ("values", "gradient", "hessian")
    for dim in (1, 2, 3)
}


@dataclass(frozen=True, eq=False)
class SplineTable:
    """One or several fields on the same knots, interpolated by cubic splines with two continuous derivatives.

    Parameters
    ----------
    axes
        The knots of each axis.
    values
        Shape (row, *knots).
    linear
        Whether the fields continue linearly beyond the knots, along each axis in turn; else they are constant there.
    """

    axes: tuple[Array, ...]
    values: Array
    linear: bool

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.axes)

    @functools.cached_property
    def _coefficients(self) -> Array:
        values = self.values
        for axis in range(self.dim):
            values = spline_coefficients(values, axis + 1)
        return values.reshape(len(values), -1)

    def _parameters(self, rows: Any) -> Array:
        head = [float(self.linear)], axis_numbers(self.axes)
        return np.concatenate([*head, self._coefficients[rows].ravel()])

    @functools.cached_property
    def _all_rows(self) -> Array:
        return self._parameters(slice(None))

    def values_term(self) -> BlockTerm:
        """Return the block term of the fields, a row each."""
        return BlockTerm(_KERNELS["values", self.dim], self._all_rows)

    def gradient_term(self) -> BlockTerm:
        """Return the block term of the gradient of the first field."""
        return BlockTerm(_KERNELS["gradient", self.dim], self._all_rows)

    def gradients(self, x: Array) -> Array:
        """Return the derivatives of all fields at points (particle, coordinate), shape (particle, row, coordinate)."""
        kernel = _KERNELS["gradient", self.dim]
        terms = [BlockTerm(kernel, self._parameters([row])) for row in range(len(self.values))]
        return np.stack([evaluate([term], x, self.dim) for term in terms], axis=1)

    def hessian(self, x: Array) -> Array:
        """Return the second derivatives of the first field, shape (particle, coordinate, coordinate)."""
        term = BlockTerm(_KERNELS["hessian", self.dim], self._all_rows)
        return evaluate([term], x, self.dim**2).reshape(len(x), self.dim, self.dim)


def spline_coefficients(values: Array, axis: int) -> Array:
    r"""Return the coefficients of the cubic B-splines that interpolate equally spaced values along an axis.

    .. math:: (c_{k-1} + 4 c_k + c_{k+1})/6 = f_k, \quad k = 0, \dots, n - 1,

    with the third derivative continuous at the second knot from either end ("not a knot"), which keeps the error at
    the fourth power of the spacing up to the edges.

    Parameters
    ----------
    values
        At least 4 along the axis.
    axis
        Which.

    Returns
    -------
    Array
        n + 2 coefficients along the axis.

    References
    ----------
    de Boor 1978, A Practical Guide to Splines, chapter IV, for the end conditions.
    """
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import splu

    moved = np.moveaxis(values, axis, 0)
    n = len(moved)
    matrix = diags_array([np.full(n + 1, 1.0), np.full(n + 2, 4.0), np.full(n + 1, 1.0)], offsets=[-1, 0, 1]).tolil()
    end = [1.0, -4.0, 6.0, -4.0, 1.0]  # fourth difference
    matrix[0, :5], matrix[n + 1, n - 3 :] = end, end
    right = np.zeros((n + 2, moved[0].size))
    right[1:-1] = 6 * moved.reshape(n, -1)
    solved = splu(matrix.tocsc()).solve(right)
    return np.ascontiguousarray(np.moveaxis(solved.reshape(n + 2, *moved.shape[1:]), 0, axis))
