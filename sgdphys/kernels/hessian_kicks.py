"""Kicks of a noise whose diffusion is the matrix absolute value of a Hessian, found on the block itself."""

from __future__ import annotations

import numpy as np

from sgdphys.kernels.nested_terms import add_terms
from sgdphys.kernels.state_dependent_kicks import zero_rows

__all__ = ["DIFFERENCE_STEP", "MOST_COORDINATES", "absolute_hessian_kick", "hessian_work_rows"]

DIFFERENCE_STEP = 6e-6  # times 1 + |x|: cube root of the rounding unit, the best step of a central difference
MOST_COORDINATES = 8
SWEEPS_OF_THREE = 4  # of Jacobi's rotations over all pairs, until what is left off the diagonal is rounding
SWEEPS = 8  # for more; matrices of 8 coordinates, nearly degenerate ones among them, took up to 8
HALF = 0.5


def hessian_work_rows(dim: int) -> int:
    """Return the rows of scratch: the Hessian, its eigenvectors, a moved point or projected deviates, a rotation."""
    return 2 * dim * dim + dim + 2


def absolute_hessian_kick(normals, x, parameters, factor, work, base, out):
    """B = sqrt(c) V sqrt|l| V^T with eigenvalues l and vectors V of the Hessian; parameters: c, nested gradient."""
    dim = out.shape[0]
    size = dim * dim
    matrix, vectors = work[:size], work[size : 2 * size]
    projected = work[2 * size : 2 * size + dim]
    difference_hessian(parameters[1:], x, projected, vectors, matrix)
    diagonalise(matrix, vectors, work[2 * size + dim : 2 * size + dim + 2], dim)
    project(normals, matrix, vectors, projected)
    scale = factor * np.sqrt(parameters[0])
    for row in range(dim):
        for lane in range(out.shape[1]):
            out[row, lane] = base[row, lane]
        for k in range(dim):
            entry = vectors[row * dim + k]
            for lane in range(out.shape[1]):
                out[row, lane] += scale * entry[lane] * projected[k, lane]


def difference_hessian(gradient, x, point, scratch, out):
    """Write the symmetrised central difference of the gradient to ``out`` (dim^2, lane), row by row."""
    dim = x.shape[0]
    zero_rows(scratch, dim * dim)
    for row in range(dim):
        for lane in range(x.shape[1]):
            point[row, lane] = x[row, lane]
    for j in range(dim):
        column = scratch[j * dim : (j + 1) * dim]
        for lane in range(x.shape[1]):
            point[j, lane] = x[j, lane] + DIFFERENCE_STEP * (1.0 + abs(x[j, lane]))
        add_terms(gradient, point, 1.0, column)
        for lane in range(x.shape[1]):
            point[j, lane] = x[j, lane] - DIFFERENCE_STEP * (1.0 + abs(x[j, lane]))
        add_terms(gradient, point, -1.0, column)
        for row in range(dim):
            for lane in range(x.shape[1]):
                column[row, lane] /= 2.0 * DIFFERENCE_STEP * (1.0 + abs(x[j, lane]))
        for lane in range(x.shape[1]):
            point[j, lane] = x[j, lane]
    for i in range(dim):
        for j in range(dim):
            for lane in range(x.shape[1]):
                out[i * dim + j, lane] = HALF * (scratch[i * dim + j, lane] + scratch[j * dim + i, lane])


def diagonalise(matrix, vectors, turn, dim):
    """Rotate a symmetric matrix (dim^2, lane) to its diagonal by Jacobi's method; ``vectors`` gets the columns V."""
    zero_rows(vectors, dim * dim)
    for i in range(dim):
        for lane in range(matrix.shape[1]):
            vectors[i * dim + i, lane] = 1.0
    for _ in range(SWEEPS if dim > 3 else SWEEPS_OF_THREE if dim == 3 else 1):
        for p in range(dim - 1):
            for q in range(p + 1, dim):
                find_turn(matrix[p * dim + p], matrix[q * dim + q], matrix[p * dim + q], turn)
                for k in range(dim):
                    turn_pair(matrix[k * dim + p], matrix[k * dim + q], turn)
                    turn_pair(vectors[k * dim + p], vectors[k * dim + q], turn)
                for k in range(dim):
                    turn_pair(matrix[p * dim + k], matrix[q * dim + k], turn)


def find_turn(first, second, entry, turn):
    """Write cosine and sine of the rotation that annihilates ``entry`` between two entries of the diagonal."""
    cosines, sines = turn[0], turn[1]
    for lane in range(turn.shape[1]):
        twice = 2.0 * entry[lane]
        spread = second[lane] - first[lane]
        root = np.sqrt(spread * spread + twice * twice)
        below = spread + root if spread >= 0.0 else spread - root
        tangent = twice / (below if below != 0.0 else 1.0)
        cosine = 1.0 / np.sqrt(1.0 + tangent * tangent)
        cosines[lane] = cosine
        sines[lane] = tangent * cosine


def turn_pair(first, second, turn):
    """Rotate two rows by ``turn``."""
    cosines, sines = turn[0], turn[1]
    for lane in range(turn.shape[1]):
        a, b = first[lane], second[lane]
        first[lane] = cosines[lane] * a - sines[lane] * b
        second[lane] = sines[lane] * a + cosines[lane] * b


def project(normals, matrix, vectors, out):
    """Write sqrt|l_k| times the projection of the deviates on eigenvector k."""
    dim = out.shape[0]
    for k in range(dim):
        for lane in range(out.shape[1]):
            out[k, lane] = 0.0
        for row in range(dim):
            entry = vectors[row * dim + k]
            for lane in range(out.shape[1]):
                out[k, lane] += entry[lane] * normals[row, lane]
        for lane in range(out.shape[1]):
            out[k, lane] *= np.sqrt(abs(matrix[k * dim + k, lane]))
