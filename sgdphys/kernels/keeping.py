"""States of the particles at a few steps."""

from __future__ import annotations

import numpy as np

from sgdphys.kernels.divergence import lane_is_lost

__all__ = ["keep_state"]


def keep_state(before, after, lanes, place, row, settings, parameters, own, table):
    """Write the state of all lanes to the rows of ``own`` for this time, NaN for the lost; parameters: d, bound."""
    rows = after.shape[0]
    dim = np.int64(parameters[0])
    for lane in range(after.shape[1]):
        lost = lane_is_lost(after, dim, lane, parameters[1])
        for k in range(rows):
            own[row * rows + k, lane] = np.nan if lost else after[k, lane]
