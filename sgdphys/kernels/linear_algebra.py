"""Products of a dense matrix and a block of lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sgdphys.kernels.vector_tiles import TILE_ROWS, add_lanes, add_tiles, tile_lanes

__all__ = ["accumulate_product"]

FAST_MATH = ()  # tiles and single lanes must add up in the same order
PANEL_COLUMNS = 256  # columns summed in registers at a time; part of the result's last bits
PANEL_ROWS = 48  # with the columns, the piece of the matrix that stays in the second-level cache
PANEL_NUMBERS = 4096  # of x that stay in the first-level cache


def accumulate_product(matrix, x, factor, out):
    """Add ``factor * matrix @ x`` to ``out``.

    ``matrix`` is flat (rows * columns), ``x`` (columns, lane) in float64 or float32, ``out`` (rows, lane). Each lane
    sums 256 columns at a time in their order, whatever the number of rows and lanes.
    """
    rows = out.shape[0]
    columns = x.shape[0]
    if columns == 1:
        add_column(matrix, x, factor, out)
        return
    for first in range(0, columns, PANEL_COLUMNS):
        last = min(first + PANEL_COLUMNS, columns)
        for row in range(0, rows, PANEL_ROWS):
            add_panel(matrix, x, factor, out, row, min(row + PANEL_ROWS, rows), first, last)


def add_panel(matrix, x, factor, out, top, bottom, first, last):
    """Add the products of the rows from ``top`` and the columns from ``first`` on, strips of lanes outermost."""
    lanes = x.shape[1]
    width = tile_lanes()
    whole = lanes - lanes % width
    strip = max(width, PANEL_NUMBERS // (last - first) // width * width)
    for lane in range(0, whole, strip):
        for row in range(top, bottom, TILE_ROWS):
            rows = min(TILE_ROWS, bottom - row)
            add_tiles(matrix, x, factor, out, (row, rows, first, last, lane, min(lane + strip, whole)))
    for row in range(top, bottom):
        add_lanes(matrix, x, factor, out, (row, 1, first, last, whole, lanes))


def add_column(matrix, x, factor, out):
    """Add the products of a matrix of one column."""
    for row in range(out.shape[0]):
        weight = factor * matrix[row]
        for lane in range(out.shape[1]):
            out[row, lane] += weight * x[0, lane]
