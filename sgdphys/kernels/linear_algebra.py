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
    columns, lanes = x.shape
    if columns == 1:  # nothing to sum
        for row in range(rows):
            weight = factor * matrix[row]
            for lane in range(lanes):
                out[row, lane] += weight * x[0, lane]
        return
    width = tile_lanes()
    whole = lanes - lanes % width
    for first in range(0, columns, PANEL_COLUMNS):
        last = min(first + PANEL_COLUMNS, columns)
        strip = max(width, PANEL_NUMBERS // (last - first) // width * width)
        for top in range(0, rows, PANEL_ROWS):
            bottom = min(top + PANEL_ROWS, rows)
            for lane in range(0, whole, strip):
                end = min(lane + strip, whole)
                for row in range(top, bottom, TILE_ROWS):
                    add_tiles(matrix, x, factor, out, (row, min(TILE_ROWS, bottom - row), first, last, lane, end))
        for row in range(rows):
            add_lanes(matrix, x, factor, out, (row, 1, first, last, whole, lanes))
