"""Sparse factors of what implicit solves need."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

if TYPE_CHECKING:
    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.protocols import Array

    Solve = Callable[..., Array]

__all__ = ["factorise", "implicit_solver"]


def factorise(matrix: sparse.csc_matrix, *, pivots: bool = False) -> Solve:
    """Return ``solve(right, transposed=False)`` of a sparse matrix.

    Parameters
    ----------
    matrix
        With dominant columns, positive diagonal and no positive off-diagonal, unless ``pivots``.
    pivots
        Exchange rows for the sake of stability.

    Returns
    -------
    Callable
        Solves matrix x = right, or with the transpose.

    Raises
    ------
    RuntimeError
        The matrix is singular to rounding.
    """
    # without positive off-diagonals elimination is stable without pivots, and solves add numbers of one sign
    settings = {} if pivots else {"diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
    factors = splu(matrix.tocsc(), permc_spec="COLAMD" if pivots else "MMD_AT_PLUS_A", **settings)

    def solve(right: Array, *, transposed: bool = False) -> Array:
        return np.asarray(factors.solve(right, trans="T" if transposed else "N"))

    return solve


def implicit_solver(operator: Operator, step: float) -> Callable[[Array], Array]:
    """Return what solves (1 - step L) x = state, for states of cells and exits.

    Parameters
    ----------
    operator
        L.
    step
        Length in time.

    Returns
    -------
    Callable
        From state (state,) to x (state,): nothing leaves an exit, so the cells are solved alone and exits gather.
    """
    cells = operator.grid.size
    matrix = operator.matrix
    inner = sparse.eye_array(cells, format="csc") - step * matrix[:cells, :cells]
    solve = factorise(inner, pivots=operator.negative_share > 0)
    if not operator.exits:
        return solve
    gathering = step * matrix[cells:, :cells].tocsr()

    def with_exits(state: Array) -> Array:
        found = solve(state[:cells])
        return np.concatenate([found, state[cells:] + gathering @ found])

    return with_exits
