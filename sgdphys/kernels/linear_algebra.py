"""Matrix products on blocks, in a fixed order of summation, so that the bits do not depend on a BLAS or its threads."""

from __future__ import annotations

__all__ = ["accumulate_product"]


def accumulate_product(matrix, x, factor, out):
    """Add ``factor * matrix @ x`` to ``out``.

    ``matrix`` is flat (rows * columns), ``x`` (columns, lane), ``out`` (rows, lane). Four rows share one pass over
    ``x``; each lane sums in the order of the columns.
    """
    rows = out.shape[0]
    columns = x.shape[0]
    lanes = x.shape[1]
    row = 0
    while row + 4 <= rows:
        for column in range(columns):
            a0 = factor * matrix[row * columns + column]
            a1 = factor * matrix[(row + 1) * columns + column]
            a2 = factor * matrix[(row + 2) * columns + column]
            a3 = factor * matrix[(row + 3) * columns + column]
            for lane in range(lanes):
                value = x[column, lane]
                out[row, lane] += a0 * value
                out[row + 1, lane] += a1 * value
                out[row + 2, lane] += a2 * value
                out[row + 3, lane] += a3 * value
        row += 4
    while row < rows:
        for column in range(columns):
            a0 = factor * matrix[row * columns + column]
            for lane in range(lanes):
                out[row, lane] += a0 * x[column, lane]
        row += 1
