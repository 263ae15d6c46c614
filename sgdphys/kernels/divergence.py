"""When a particle counts as gone to infinity."""

from __future__ import annotations

__all__ = ["BOUND", "count_lost", "lane_is_lost"]

BOUND = 1e70  # the largest bound of any run: the fourth powers of anything nearer are finite


def count_lost(block, lanes, dim, bound):
    """Return how many numbers of ``lanes`` lanes are NaN or beyond ``bound`` (rows from dim on: ``BOUND``)."""
    lost = 0
    for row in range(block.shape[0]):
        limit = bound if row < dim else BOUND
        for lane in range(lanes):
            lost += 0 if abs(block[row, lane]) < limit else 1
    return lost


def lane_is_lost(x, rows, lane, bound):
    """Return whether one of the first ``rows`` numbers of a lane is NaN or beyond ``bound``."""
    lost = 0
    for row in range(rows):
        lost += 0 if abs(x[row, lane]) < bound else 1
    return lost > 0
