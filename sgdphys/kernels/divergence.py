"""When a particle counts as gone to infinity."""

from __future__ import annotations

__all__ = ["BOUND", "count_lost", "lane_is_lost"]

BOUND = 1e70  # what lies beyond is on its way to infinity; the fourth powers of anything nearer are finite


def count_lost(block, lanes):
    """Return how many numbers of the first ``lanes`` lanes are NaN or beyond the bound."""
    lost = 0
    for row in range(block.shape[0]):
        for lane in range(lanes):
            lost += 0 if abs(block[row, lane]) < BOUND else 1
    return lost


def lane_is_lost(x, rows, lane):
    """Return whether one of the first ``rows`` numbers of a lane is NaN or beyond the bound."""
    lost = 0
    for row in range(rows):
        lost += 0 if abs(x[row, lane]) < BOUND else 1
    return lost > 0
