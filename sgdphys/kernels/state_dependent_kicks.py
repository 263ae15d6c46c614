"""Kicks of Gaussian noise whose diffusion D depends on the place: ``out = base + factor * B(x) xi`` with B B^T = D(x).

D is evaluated into the scratch by nested terms before anything is written, so ``out`` may be any of the other blocks.
Where D is negative the root is NaN, and the particle is lost.
"""

from __future__ import annotations

import math

import numpy as np

from sgdphys.kernels.linear_algebra import accumulate_product
from sgdphys.kernels.nested_terms import add_terms

__all__ = [
    "add_lower_product", "cholesky_in_place", "constant_field", "diagonal_field_kick", "matrix_field_kick",
    "scalar_field_kick", "scaled_factor_kick", "zero_rows",
]  # fmt: skip

ROUNDING = 1e-12  # a pivot this much smaller than its diagonal is a zero of a singular D
ROUNDING_OF_ROOT = 1e-10  # square of what may be left below such a pivot, relative to both diagonals
NOT_A_NUMBER = math.nan


def scalar_field_kick(normals, x, parameters, factor, work, base, out):
    """B = sqrt(d(x)) 1; parameters: nested terms of d."""
    zero_rows(work, 1)
    add_terms(parameters, x, 1.0, work[:1])
    root = work[0]
    for lane in range(out.shape[1]):
        root[lane] = factor * np.sqrt(root[lane])
    for row in range(out.shape[0]):
        for lane in range(out.shape[1]):
            out[row, lane] = base[row, lane] + root[lane] * normals[row, lane]


def diagonal_field_kick(normals, x, parameters, factor, work, base, out):
    """B = diag(sqrt(D_ii(x))); parameters: nested terms of the diagonal, a row each."""
    rows = out.shape[0]
    zero_rows(work, rows)
    add_terms(parameters, x, 1.0, work[:rows])
    for row in range(rows):
        for lane in range(out.shape[1]):
            out[row, lane] = base[row, lane] + factor * np.sqrt(work[row, lane]) * normals[row, lane]


def matrix_field_kick(normals, x, parameters, factor, work, base, out):
    """B the lower Cholesky factor of D(x); parameters: nested terms of D, row by row."""
    rows = out.shape[0]
    zero_rows(work, rows * rows)
    add_terms(parameters, x, 1.0, work[: rows * rows])
    cholesky_in_place(work, rows)
    add_lower_product(work, rows, normals, factor, base, out)


def scaled_factor_kick(normals, x, parameters, factor, work, base, out):
    """B = sqrt(d(x)) R; parameters: number of entries of R, R (coordinate, channel), nested terms of d."""
    rows = out.shape[0]
    size = np.int64(parameters[0])
    zero_rows(work, rows + 1)
    accumulate_product(parameters[1 : 1 + size], normals, 1.0, work[1 : rows + 1])
    add_terms(parameters[1 + size :], x, 1.0, work[:1])
    for row in range(rows):
        for lane in range(out.shape[1]):
            out[row, lane] = base[row, lane] + factor * np.sqrt(work[0, lane]) * work[1 + row, lane]


def constant_field(x, parameters, factor, out):
    """Add a number to one row; parameters: the number."""
    for lane in range(out.shape[1]):
        out[0, lane] += factor * parameters[0]


def zero_rows(block, rows):
    """Write 0 to the first ``rows`` rows."""
    for row in range(rows):
        for lane in range(block.shape[1]):
            block[row, lane] = 0.0


def add_lower_product(matrix, rows, normals, factor, base, out):
    """Write ``base + factor * L xi`` to ``out``; L is the lower triangle of the first rows of ``matrix``."""
    for row in range(rows):
        for lane in range(out.shape[1]):
            out[row, lane] = base[row, lane]
        for column in range(row + 1):
            entry = matrix[row * rows + column]
            for lane in range(out.shape[1]):
                out[row, lane] += factor * entry[lane] * normals[column, lane]


def cholesky_in_place(matrix, rows):
    """Replace the lower triangle of a matrix in each lane by its Cholesky factor; row rows^2 is scratch.

    A pivot that is zero to rounding gives a zero column, so that a singular D has its factor too; a negative one, or
    anything left below a zero, gives NaN.
    """
    pivot = matrix[rows * rows]
    for j in range(rows):
        diagonal = matrix[j * rows + j]
        for lane in range(matrix.shape[1]):
            pivot[lane] = diagonal[lane]
        for k in range(j):
            entry = matrix[j * rows + k]
            for lane in range(matrix.shape[1]):
                pivot[lane] -= entry[lane] * entry[lane]
        for i in range(j + 1, rows):
            subtract_known(matrix, rows, i, j)
            divide_by_pivot(matrix[i * rows + j], pivot, diagonal, matrix[i * rows + i])
        for lane in range(matrix.shape[1]):
            rest = pivot[lane]
            small = ROUNDING * diagonal[lane]
            zero = 0.0 if rest >= -small else NOT_A_NUMBER
            diagonal[lane] = np.sqrt(rest) if rest > small else zero


def subtract_known(matrix, rows, i, j):
    """Subtract from entry i, j the products of the columns before j."""
    target = matrix[i * rows + j]
    for k in range(j):
        first = matrix[i * rows + k]
        second = matrix[j * rows + k]
        for lane in range(matrix.shape[1]):
            target[lane] -= first[lane] * second[lane]


def divide_by_pivot(entry, pivot, diagonal, below):
    """Divide an entry below a pivot by its root; ``diagonal`` and ``below`` are D_jj and D_ii."""
    for lane in range(len(entry)):
        value = entry[lane]
        zero = 0.0 if value * value <= ROUNDING_OF_ROOT * diagonal[lane] * below[lane] else NOT_A_NUMBER
        entry[lane] = value / np.sqrt(pivot[lane]) if pivot[lane] > ROUNDING * diagonal[lane] else zero
