"""Steps of the stochastic modified equations of SGD; signature and scratch as in ``kernels.steps``."""

from __future__ import annotations

import numpy as np

from sgdphys.kernels.evaluation import add_field
from sgdphys.kernels.kicks import apply_kick
from sgdphys.kernels.settings import AMPLITUDE, DIVERGENCE, DRIVE, DT, NEXT_DRIVE, OWN

__all__ = ["OWN_WORK_ROWS", "modified_equation_step"]

HALF_LR = OWN  # lr/2 for the equation of second order, 0 for that of first order
MOVE = 6e-6  # of the central difference, in x: rounding and truncation are about equal where all lengths are near 1
TINY = 1e-300
OWN_WORK_ROWS = 2  # besides four for each coordinate


def modified_equation_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """Heun's scheme with one kick: X + noise - dt (b(X) + b(Y))/2, Y = X + noise - dt b(X); b is minus the drift."""
    dt = settings[DT]
    work = scratch[0]
    slope, parts = work[:dim], work[dim : 4 * dim + OWN_WORK_ROWS]
    for row in range(dim):
        for lane in range(before.shape[1]):
            slope[row, lane] = 0.0
    add_modified_force(fields, before, settings, settings[DRIVE], 1.0, parts, slope)
    apply_kick(kick, normals, before, settings[AMPLITUDE], work[4 * dim + OWN_WORK_ROWS :], before, after)
    for row in range(dim):
        for lane in range(before.shape[1]):
            after[row, lane] -= dt * slope[row, lane]
    add_modified_force(fields, after, settings, settings[NEXT_DRIVE], -1.0, parts, slope)
    for row in range(dim):
        for lane in range(before.shape[1]):
            after[row, lane] += 0.5 * dt * slope[row, lane]


def add_modified_force(fields, x, settings, drive, factor, parts, out):
    """Add ``factor * (g + (lr/2) (H g - dg/dt) + a div D)`` at ``x`` to ``out``, g and H those of the loss."""
    dim, lanes = x.shape
    gradient, shifted, change = parts[:dim], parts[dim : 2 * dim], parts[2 * dim : 3 * dim]
    for row in range(dim):
        for lane in range(lanes):
            gradient[row, lane] = 0.0
            change[row, lane] = 0.0
    add_gradient(fields, x, drive, 1.0, gradient)
    for row in range(dim):
        for lane in range(lanes):
            out[row, lane] += factor * gradient[row, lane]
    if settings[HALF_LR] != 0.0:
        steepness, moves = parts[3 * dim], parts[3 * dim + 1]
        set_moves(x, gradient, steepness, moves)
        for sign in (1.0, -1.0):
            for row in range(dim):
                for lane in range(lanes):
                    shifted[row, lane] = x[row, lane] + sign * moves[lane] * gradient[row, lane]
            add_gradient(fields, shifted, drive, sign, change)
        weight = 0.5 * factor * settings[HALF_LR]
        for row in range(dim):
            for lane in range(lanes):
                out[row, lane] += weight * change[row, lane] / moves[lane]
        if settings[NEXT_DRIVE] != settings[DRIVE]:
            rate = (settings[NEXT_DRIVE] - settings[DRIVE]) / settings[DT]
            add_field(fields[2], x, -factor * settings[HALF_LR] * rate, out)
    if settings[DIVERGENCE] != 0.0:
        add_field(fields[1], x, factor * settings[DIVERGENCE], out)


def set_moves(x, gradient, steepness, moves):
    """Write to ``moves`` (lane,) what times the gradient is a move of the right length; ``steepness`` is scratch."""
    dim, lanes = x.shape
    for lane in range(lanes):
        steepness[lane] = TINY
        moves[lane] = 0.0
    for row in range(dim):
        for lane in range(lanes):
            steepness[lane] += gradient[row, lane] * gradient[row, lane]
            moves[lane] += x[row, lane] * x[row, lane]
    for lane in range(lanes):
        moves[lane] = MOVE * np.sqrt((1.0 + np.sqrt(moves[lane])) / steepness[lane])


def add_gradient(fields, x, drive, factor, out):
    """Add ``factor * grad f`` with the drive at the strength ``drive``."""
    add_field(fields[0], x, factor, out)
    if drive != 0.0:
        add_field(fields[2], x, factor * drive, out)
