"""Step for gradients that grow faster than linearly; signature and scratch as in ``kernels.steps``."""

from __future__ import annotations

import numpy as np

from sgdphys.kernels.forces import add_force
from sgdphys.kernels.kicks import apply_kick
from sgdphys.kernels.settings import AMPLITUDE, DT
from sgdphys.kernels.within_step import clear_rows

__all__ = ["tamed_euler_step"]


def tamed_euler_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """X <- x - dt F(x) / (1 + dt |F(x)|) + sqrt(2 T dt) B xi."""
    force, length, work = scratch[0][:dim], scratch[0][dim : dim + 1], scratch[0][dim + 1 :]
    dt = settings[DT]
    clear_rows(scratch[0][: dim + 1])
    add_force(fields, before, settings, dt, force)
    for row in range(dim):
        for lane in range(before.shape[1]):
            length[0, lane] += force[row, lane] * force[row, lane]
    for lane in range(before.shape[1]):
        length[0, lane] = 1.0 / (1.0 + np.sqrt(length[0, lane]))
    apply_kick(kick, normals, before, settings[AMPLITUDE], work, before, after)
    for row in range(dim):
        for lane in range(before.shape[1]):
            after[row, lane] -= force[row, lane] * length[0, lane]
