"""Currents along the path of each particle, with the midpoint rule of Stratonovich."""

from __future__ import annotations

import numpy as np

from sgdphys.kernels.observing import moments

__all__ = ["integrated_current", "lanes_apart"]


def integrated_current(before, after, lanes, place, row, settings, parameters, own, table):
    """After a step add sum w_ij (x_j + x_j')/2 (x_i' - x_i) to ``own``; at the observer's times take its moments.

    Parameters: 1 and the largest bound, which the moments read as those of one coordinate; d, bound of the run, number
    of entries, then for each entry i, j and w_ij. A lane that is lost has the current NaN for ever.
    """
    if row >= 0:
        moments(before, own, lanes, place, row, settings, parameters, own, table)
    else:
        for k in range(np.int64(parameters[4])):
            i = np.int64(parameters[5 + 3 * k])
            j = np.int64(parameters[6 + 3 * k])
            half = 0.5 * parameters[7 + 3 * k]
            for lane in range(after.shape[1]):
                own[0, lane] += half * (before[j, lane] + after[j, lane]) * (after[i, lane] - before[i, lane])
        lanes_apart(after, np.int64(parameters[2]), parameters[3], own)


def lanes_apart(x, dim, bound, own):
    """Write NaN to the first row of ``own`` for lost lanes."""
    for i in range(dim):
        for lane in range(x.shape[1]):
            own[0, lane] = own[0, lane] if abs(x[i, lane]) < bound else np.nan
