"""Whether hops between cells are differences of one potential: Kolmogorov's criterion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.protocols import Array

__all__ = ["cell_potential"]

_CLOSED = 1e-9  # of a loop, relative to its largest hop or 1


def cell_potential(cells: int, left: NDArray[np.int64], right: NDArray[np.int64], exponents: Array) -> Array | None:
    """Return the potential (cell,) whose differences the exponents are; None where a loop does not close.

    The potential is summed along a spanning tree and every other face is compared with it.

    Parameters
    ----------
    cells
        Number of cells.
    left, right
        Cells on both sides of every face, shape (face,).
    exponents
        Change from left to right, shape (face,).

    Returns
    -------
    Array or None
        The potential, 0 in cell 0; None too where the cells are not connected.
    """
    ahead, behind = np.concatenate([left, right]), np.concatenate([right, left])
    graph = sparse.csr_array((np.ones(len(ahead)), (ahead, behind)), shape=(cells, cells))
    order, parents = breadth_first_order(graph, 0, directed=True)
    if len(order) < cells:
        return None
    parents[0] = 0
    potential = _summed(parents.astype(np.int64), _steps(cells, ahead, behind, exponents, parents))
    gaps = np.abs(potential[right] - potential[left] - exponents)
    return potential if np.all(gaps <= _CLOSED * np.maximum(1.0, np.abs(exponents))) else None


def _steps(
    cells: int, ahead: NDArray[np.int64], behind: NDArray[np.int64], exponents: Array, parents: NDArray[np.int64]
) -> Array:
    """Return the change from its parent to each cell, shape (cell,)."""
    keys = ahead.astype(np.int64) * cells + behind
    values = np.concatenate([exponents, -exponents])
    order = np.argsort(keys)
    wanted = parents[1:].astype(np.int64) * cells + np.arange(1, cells)
    place = np.searchsorted(keys, wanted, sorter=order)
    return np.concatenate([[0.0], values[order[place]]])


def _summed(parents: NDArray[np.int64], steps: Array) -> Array:
    """Return the sum of the steps from the root to each cell, by doubling the length of paths."""
    total = steps.copy()
    while np.any(parents):
        total = total + total[parents]
        parents = parents[parents]
    return total
