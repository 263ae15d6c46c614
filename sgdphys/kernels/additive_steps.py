"""Steps for noise of constant diffusion; signature and scratch as in ``kernels.steps``.

A kick goes from one block to another: onto its own base it would be right, but four times slower, not vectorised.
"""

from __future__ import annotations

from sgdphys.kernels.forces import add_force, copy_rows
from sgdphys.kernels.kicks import apply_kick
from sgdphys.kernels.linear_algebra import accumulate_product
from sgdphys.kernels.settings import AMPLITUDE, DT, OWN
from sgdphys.kernels.within_step import add_force_at, mean_amplitude, next_amplitude

__all__ = ["heun_step", "leimkuhler_matthews_step", "ornstein_uhlenbeck_step", "sra1_step"]

HALF_ROOT_THIRD = 0.28867513459481287  # 1 / (2 sqrt 3)
ROOT_THIRD = 0.5773502691896258


def heun_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """Y = x - dt F(x) + K xi, x <- x - dt/2 (F(x) + F(y)) + K xi with K = sqrt(2 T dt) B."""
    predicted = scratch[0][:dim]
    apply_kick(kick, normals, before, mean_amplitude(settings), scratch[0][dim:], before, after)
    copy_rows(after, predicted)
    add_force(fields, before, settings, -settings[DT], predicted)
    for row in range(dim):
        for lane in range(before.shape[1]):
            after[row, lane] = 0.5 * (after[row, lane] + predicted[row, lane])
    add_force_at(fields, predicted, settings, 1.0, -0.5 * settings[DT], after)


def sra1_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """X <- x - dt/3 (F(x) + 2 F(y)) + K xi, y = x - 3/4 dt F(x) + 3/4 K (xi + eta / sqrt 3).

    With K of the next step's temperature in y; where it differs, dW = K' xi - (K' - K) (xi + eta / sqrt 3) / 2.
    """
    channels = normals.shape[0] // 2
    inner, middle, work = scratch[0][:dim], scratch[0][dim : 2 * dim], scratch[0][2 * dim :]
    now, then = settings[AMPLITUDE], next_amplitude(settings)
    copy_rows(before, inner)
    add_force(fields, before, settings, -0.75 * settings[DT], inner)
    for row in range(dim):
        for lane in range(before.shape[1]):
            middle[row, lane] = (5.0 * before[row, lane] + 4.0 * inner[row, lane]) / 9.0
    apply_kick(kick, normals[:channels], before, 0.75 * then, work, inner, after)
    apply_kick(kick, normals[channels:], before, 0.75 * ROOT_THIRD * then, work, after, inner)
    apply_kick(kick, normals[:channels], before, 0.5 * (now + then), work, middle, after)
    if now != then:
        copy_rows(after, middle)
        apply_kick(kick, normals[channels:], before, (now - then) * HALF_ROOT_THIRD, work, middle, after)
    add_force_at(fields, inner, settings, 0.75, -2.0 / 3.0 * settings[DT], after)


def leimkuhler_matthews_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """X <- x - dt F(x) + 1/2 (K xi + K' xi') with the deviates and temperature of the next step in K' xi'."""
    half, work = scratch[0][:dim], scratch[0][dim:]
    apply_kick(kick, normals, before, 0.5 * settings[AMPLITUDE], work, before, half)
    apply_kick(kick, scratch[2], before, 0.5 * next_amplitude(settings), work, half, after)
    add_force(fields, before, settings, -settings[DT], after)


def ornstein_uhlenbeck_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """X <- s + E x + sqrt(2 T dt) R xi; own numbers: s (dim), E (dim, dim), R (dim, deviate), row by row."""
    root = OWN + dim + dim * dim
    for row in range(dim):
        for lane in range(before.shape[1]):
            after[row, lane] = settings[OWN + row]
    accumulate_product(settings[OWN + dim : root], before[:dim], 1.0, after)
    accumulate_product(settings[root : root + dim * normals.shape[0]], normals, settings[AMPLITUDE], after)
