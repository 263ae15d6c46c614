"""Steps for noise whose diffusion depends on x; signature and scratch as in ``kernels.steps``.

A kick goes from one block to another: onto its own base it would be right, but not vectorised.
"""

from __future__ import annotations

import numpy as np

from sgdphys.kernels.evaluation import add_field
from sgdphys.kernels.forces import add_force, copy_rows
from sgdphys.kernels.kicks import apply_kick
from sgdphys.kernels.settings import AMPLITUDE, DIVERGENCE, DRIVE, DT, TEMPERATURE
from sgdphys.kernels.within_step import add_force_at, clear_rows, mean_amplitude

__all__ = ["milstein_step", "platen_step", "stochastic_heun_step"]

ONE = np.float32(1.0)


def milstein_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """X <- x - dt F(x) + sqrt(2 T dt) B xi + (T dt / 2) d_i D_ii (xi_i^2 - 1)."""
    gradient, divergence, drive, _sample = fields
    slope = scratch[0][:dim]
    clear_rows(slope)
    add_field(divergence, before, 1.0, slope)
    apply_kick(kick, normals, before, settings[AMPLITUDE], scratch[0][dim:], before, after)
    half = 0.5 * settings[TEMPERATURE] * settings[DT]
    shift = half + settings[DT] * settings[DIVERGENCE]
    for row in range(dim):
        for lane in range(before.shape[1]):
            xi = np.float64(normals[row, lane])
            after[row, lane] += slope[row, lane] * (half * xi * xi - shift)
    add_field(gradient, before, -settings[DT], after)
    if settings[DRIVE] != 0.0:
        add_field(drive, before, -settings[DT] * settings[DRIVE], after)


def stochastic_heun_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """Y = x - dt F(x) + K(x) xi, x <- x - dt/2 (F(x) + F(y)) + 1/2 (K(x) + K(y)) xi with K = sqrt(2 T dt) B."""
    predicted, middle, work = scratch[0][:dim], scratch[0][dim : 2 * dim], scratch[0][2 * dim :]
    amplitude = mean_amplitude(settings)
    apply_kick(kick, normals, before, amplitude, work, before, predicted)
    add_force(fields, before, settings, -settings[DT], predicted)
    for row in range(dim):
        for lane in range(before.shape[1]):
            middle[row, lane] = 0.5 * (before[row, lane] + predicted[row, lane])
    apply_kick(kick, normals, predicted, 0.5 * amplitude, work, middle, after)
    add_force_at(fields, predicted, settings, 1.0, -0.5 * settings[DT], after)


def platen_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """X <- x - dt/2 (F(x) + F(y)) + 1/4 (b(+) + b(-) + 2 b(x)) xi + 1/4 (b(+) - b(-)) (xi^2 - 1).

    Here b = sqrt(2 T dt) B, diagonal, b(+-) is b at x - dt F(x) +- b(x), and y = x - dt F(x) + b(x) xi. A kick of unit
    deviates returns b itself, so the normals move to scratch and ones take their place.
    """
    drifted, deviates, root = scratch[0][:dim], scratch[0][dim : 2 * dim], scratch[0][2 * dim : 3 * dim]
    upper, lower, nothing = (
        scratch[0][3 * dim : 4 * dim],
        scratch[0][4 * dim : 5 * dim],
        scratch[0][5 * dim : 6 * dim],
    )
    work, amplitude = scratch[0][6 * dim :], mean_amplitude(settings)
    copy_rows(before, drifted)
    add_force(fields, before, settings, -settings[DT], drifted)
    clear_rows(nothing)
    take_deviates(normals, deviates)
    apply_kick(kick, normals, before, amplitude, work, nothing, root)
    for row in range(dim):
        for lane in range(before.shape[1]):
            kicked = root[row, lane] * deviates[row, lane]
            upper[row, lane] = drifted[row, lane] + root[row, lane]
            lower[row, lane] = drifted[row, lane] - root[row, lane]
            after[row, lane] = 0.5 * (before[row, lane] + drifted[row, lane] + kicked)
            drifted[row, lane] += kicked
    add_force_at(fields, drifted, settings, 1.0, -0.5 * settings[DT], after)
    apply_kick(kick, normals, upper, amplitude, work, nothing, root)
    apply_kick(kick, normals, lower, amplitude, work, nothing, drifted)
    for row in range(dim):
        for lane in range(before.shape[1]):
            xi, plus, minus = deviates[row, lane], root[row, lane], drifted[row, lane]
            after[row, lane] += 0.25 * ((plus + minus) * xi + (plus - minus) * (xi * xi - 1.0))


def take_deviates(normals, deviates):
    """Move the normals (channel, lane) to float64 scratch and put ones in their place."""
    for row in range(deviates.shape[0]):
        for lane in range(deviates.shape[1]):
            deviates[row, lane] = np.float64(normals[row, lane])
            normals[row, lane] = ONE
