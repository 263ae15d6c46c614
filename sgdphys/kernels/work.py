"""Work and heat along the path of each particle, under a protocol and a temperature in time."""

from __future__ import annotations

import numpy as np

from sgdphys.kernels.currents import lanes_apart
from sgdphys.kernels.energies import add_listed, listed_length
from sgdphys.kernels.settings import DRIVE, NEXT_DRIVE, NEXT_TEMPERATURE, TEMPERATURE

__all__ = ["work"]

HALF = 0.5


def work(before, after, lanes, place, row, settings, parameters, own, table):
    """Rows of ``own``: work, reduced work, energy at the start and at the observer's only time, the end, the heat.

    A step moves the particles at constant s and T and then changes both, where they have arrived: the work is the
    change of the energy base + s drive by that of s, the reduced work that of (base + s drive) / T. Parameters: d,
    bound, first step of the run, then base and drive laid out as ``kernels.energies`` says. The table is scratch. Where
    the state has velocities, their v^2/2 is part of the base.
    """
    width = after.shape[1]
    base = table[0, :width].reshape((1, width))
    drive = table[1, :width].reshape((1, width))
    if row >= 0:
        evaluate_parts(after, parameters, base, drive)
        for lane in range(width):
            energy = base[0, lane] + settings[DRIVE] * drive[0, lane]
            own[2, lane] = energy - own[2, lane] - own[0, lane]
    else:
        if place[2] == np.uint64(parameters[2]):
            evaluate_parts(before, parameters, base, drive)
            for lane in range(width):
                own[0, lane] = 0.0
                own[1, lane] = 0.0
                own[2, lane] = base[0, lane] + settings[DRIVE] * drive[0, lane]
        if settings[DRIVE] != settings[NEXT_DRIVE] or settings[TEMPERATURE] != settings[NEXT_TEMPERATURE]:
            evaluate_parts(after, parameters, base, drive)
            add_change(settings, base, drive, own)
        lanes_apart(after, np.int64(parameters[0]), parameters[1], own)


def evaluate_parts(x, parameters, base, drive):
    """Write the two energies of all lanes."""
    dim = np.int64(parameters[0])
    for lane in range(x.shape[1]):
        base[0, lane] = 0.0
        drive[0, lane] = 0.0
    for row in range(dim, x.shape[0]):
        for lane in range(x.shape[1]):
            base[0, lane] += HALF * x[row, lane] * x[row, lane]
    add_listed(parameters[3:], x[:dim], 1.0, base)
    add_listed(parameters[3 + listed_length(parameters[3:]) :], x[:dim], 1.0, drive)


def add_change(settings, base, drive, own):
    """Add the work of a change of s, and of s and T in units of T."""
    change = settings[NEXT_DRIVE] - settings[DRIVE]
    now = 1.0 / settings[TEMPERATURE]
    then = 1.0 / settings[NEXT_TEMPERATURE]
    for_base = then - now
    for_drive = settings[NEXT_DRIVE] * then - settings[DRIVE] * now
    for lane in range(base.shape[1]):
        own[0, lane] += change * drive[0, lane]
        own[1, lane] += for_base * base[0, lane] + for_drive * drive[0, lane]
