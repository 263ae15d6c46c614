"""Exact counts of particles in the cells of a grid."""

from __future__ import annotations

import numpy as np

__all__ = ["histogram"]


def histogram(before, after, lanes, place, row, settings, parameters, own, table):
    """Count each lane in one column of ``table[row]``: lost, below and above along each axis, then the cells.

    Parameters: d, the bound beyond which a lane is lost, number of axes; for each axis its coordinate and number of
    edges; then the edges. Cells are half open, [low, high); a lane outside along several axes counts for the first.
    """
    axes = np.int64(parameters[2])
    for lane in range(lanes):
        first = 3 + 2 * axes
        column = np.int64(0)
        outside = np.int64(-1)
        for axis in range(axes):
            edges = np.int64(parameters[4 + 2 * axis])
            value = after[np.int64(parameters[3 + 2 * axis]), lane]
            cell = last_edge_up_to(parameters, first, edges, value)
            if outside < 0 and (cell < 0 or cell >= edges - 1):
                outside = np.int64(1 + 2 * axis + (0 if cell < 0 else 1))
            column = column * (edges - 1) + cell
            first += edges
        column = column + 1 + 2 * axes if outside < 0 else outside
        table[row, column if is_kept(after, lane, parameters) else 0] += 1.0


def is_kept(x, lane, parameters):
    """Return whether all coordinates of a lane lie within the bound; ``parameters`` begin with d and that bound."""
    lost = 0
    for row in range(np.int64(parameters[0])):
        lost += 0 if abs(x[row, lane]) < parameters[1] else 1
    return lost == 0


def last_edge_up_to(edges, first, count, value):
    """Return the number of the last of ``count`` rising edges from ``first`` on that does not exceed value, or -1."""
    lowest = edges[first]
    highest = edges[first + count - 1]
    if not value >= lowest:
        return np.int64(-1)
    if value >= highest:
        return np.int64(count - 1)
    # equal spacing takes one guess, other edges take bisection
    guess = min(np.int64((value - lowest) / (highest - lowest) * (count - 1)), np.int64(count - 2))
    if edges[first + guess] <= value and value < edges[first + guess + 1]:
        return guess
    low = np.int64(0)
    high = np.int64(count - 1)
    while high - low > 1:
        middle = (low + high) >> 1
        if edges[first + middle] <= value:
            low = middle
        else:
            high = middle
    return low
