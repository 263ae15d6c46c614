"""A diffusion tensor as hops between cells, each with a weight that is never negative."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.protocols import Array

__all__ = ["hops_of_tensors"]

_ROUNDS = 200  # reductions before giving up: enough for a condition number of 1e16


def hops_of_tensors(tensors: Array) -> tuple[NDArray[np.int64], Array]:
    r"""Write symmetric positive tensors as sums of hops, :math:`K = \sum_k w_k\, e_k e_k^{\mathsf T}` with w_k >= 0.

    The e_k are vectors of integers, hops between cells. A diagonal tensor has the hops along the axes. Others get the
    vectors of an obtuse superbase (Selling's reduction), in at most 3 directions in the plane and 6 in space; the more
    anisotropic the tensor, the longer they are. With such hops a Fokker-Planck operator of any tensor has hopping
    rates that are not negative.

    Parameters
    ----------
    tensors
        Shape (cell, coordinate, coordinate), in units of the cells (K_ij = D_ij/(h_i h_j)), of one to three
        coordinates, positive definite; or diagonal, of any number.

    Returns
    -------
    tuple
        The hops, shape (hop, coordinate), whose first entry that is not 0 is positive, and the weight of each hop in
        each cell, shape (hop, cell).

    Raises
    ------
    ValueError
        A tensor that is not diagonal has more than three coordinates, or is so anisotropic that no end is reached.

    References
    ----------
    Selling 1874, J. reine angew. Math. 77, 143; Conway & Sloane 1992, Proc. R. Soc. Lond. A 436, 55;
    Fehrenbach & Mirebeau 2014, J. Math. Imaging Vis. 49, 123, for diffusion on grids.
    """
    dim = tensors.shape[1]
    diagonal = np.diagonal(tensors, axis1=1, axis2=2)
    if not np.any(tensors - diagonal[:, :, np.newaxis] * np.eye(dim)):
        return np.eye(dim, dtype=np.int64), np.ascontiguousarray(diagonal.T)
    if dim > 3:
        raise ValueError(f"a tensor that is not diagonal needs 2 or 3 coordinates on a grid, got {dim}")
    superbases = _obtuse_superbases(tensors)
    return _grouped(*_offsets_and_weights(superbases, tensors), len(tensors))


def _obtuse_superbases(tensors: Array) -> NDArray[np.int64]:
    """Return vectors b_0 ... b_d (cell, d + 1, d) that sum to 0 with b_i K b_j <= 0 for i != j."""
    cells, dim = tensors.shape[:2]
    start = np.concatenate([np.eye(dim, dtype=np.int64), -np.ones((1, dim), dtype=np.int64)])
    bases = np.broadcast_to(start, (cells, dim + 1, dim)).copy()
    upper = np.triu(np.ones((dim + 1, dim + 1), dtype=bool), 1)
    for _ in range(_ROUNDS):
        products = np.where(upper, _products(bases, tensors), -np.inf).reshape(cells, -1)
        largest = products.argmax(axis=1)
        scale = 1e-14 * np.trace(tensors, axis1=1, axis2=2)
        open_ones = np.flatnonzero(products[np.arange(cells), largest] > scale)
        if not open_ones.size:
            return bases
        bases[open_ones] = _flipped(bases[open_ones], *np.divmod(largest[open_ones], dim + 1))
    raise ValueError("the diffusion is too anisotropic for a grid: rotate or scale the coordinates")


def _products(bases: NDArray[np.int64], tensors: Array) -> Array:
    return np.asarray(bases @ tensors @ bases.transpose(0, 2, 1))


def _flipped(bases: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Turn one vector of an acute pair around; the others take up what keeps the sum 0."""
    rows, count = np.arange(len(bases)), bases.shape[1]
    turned = bases[rows, first]
    others = np.ones((len(bases), count), dtype=bool)
    others[rows, first] = others[rows, second] = False
    share = 2 // (count - 2)  # two others in space, one in the plane
    flipped = bases + share * others[:, :, np.newaxis] * turned[:, np.newaxis, :]
    flipped[rows, first] = -turned
    return np.asarray(flipped)


def _offsets_and_weights(bases: NDArray[np.int64], tensors: Array) -> tuple[NDArray[np.int64], Array]:
    """Return for each pair i < j the vector orthogonal to all other b_k, and -b_i K b_j."""
    products, count = _products(bases, tensors), bases.shape[1]
    offsets, weights = [], []
    for i in range(count):
        for j in range(i + 1, count):
            rest = [bases[:, k] for k in range(count) if k not in {i, j}]
            offsets.append(
                np.stack([-rest[0][:, 1], rest[0][:, 0]], axis=1) if count == 3 else np.cross(rest[0], rest[1])
            )
            weights.append(np.maximum(-products[:, i, j], 0.0))
    return np.stack(offsets), np.stack(weights)


def _grouped(offsets: NDArray[np.int64], weights: Array, cells: int) -> tuple[NDArray[np.int64], Array]:
    """Collect equal hops, up to their sign, over all cells; drop those without weight."""
    flat = offsets.reshape(-1, offsets.shape[-1])
    leading = np.take_along_axis(flat, (flat != 0).argmax(axis=1)[:, np.newaxis], axis=1)
    kept = weights.ravel() > 0
    hops, kind = np.unique((flat * np.sign(leading))[kept], axis=0, return_inverse=True)
    cell = np.broadcast_to(np.arange(cells), weights.shape).ravel()[kept]
    table = np.zeros((len(hops), cells))
    np.add.at(table, (kind.ravel(), cell), weights.ravel()[kept])
    return hops, table
