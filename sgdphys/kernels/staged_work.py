"""Work and heat along the path of each particle where every stage of a schedule has an energy of its own."""

from __future__ import annotations

import numpy as np

from sgdphys.kernels.currents import lanes_apart
from sgdphys.kernels.energies import add_listed
from sgdphys.kernels.settings import NEXT_TEMPERATURE, TEMPERATURE

__all__ = ["staged_work"]

FIRST_STAGE = 4
STAGE_NUMBERS = 2


def staged_work(before, after, lanes, place, row, settings, parameters, own, table):
    """Rows of ``own``: work, reduced work, energy at the start and at the observer's only time, the end, the heat.

    A step moves the particles at the energy and T of its stage, which then become those of the next step's, where they
    have arrived. Parameters: d, bound, first step of the run, number of stages; for each stage the step at which it
    ends and the place of its energy among the parameters; then the energies laid out as ``kernels.energies`` says. The
    table is scratch. Where the state has velocities, their v^2/2 is part of every energy.
    """
    width = after.shape[1]
    now = table[0, :width].reshape((1, width))
    later = table[1, :width].reshape((1, width))
    step = np.int64(place[2])
    stage = stage_at(step, parameters)
    if row >= 0:
        evaluate_stage(after, parameters, stage, now)
        for lane in range(width):
            own[2, lane] = now[0, lane] - own[2, lane] - own[0, lane]
    else:
        if step == np.int64(parameters[2]):
            evaluate_stage(before, parameters, stage, now)
            for lane in range(width):
                own[0, lane] = 0.0
                own[1, lane] = 0.0
                own[2, lane] = now[0, lane]
        following = stage_at(step + 1, parameters)
        if following != stage or settings[TEMPERATURE] != settings[NEXT_TEMPERATURE]:
            evaluate_stage(after, parameters, stage, now)
            evaluate_stage(after, parameters, following, later)
            for lane in range(width):
                own[0, lane] += later[0, lane] - now[0, lane]
                own[1, lane] += later[0, lane] / settings[NEXT_TEMPERATURE] - now[0, lane] / settings[TEMPERATURE]
        lanes_apart(after, np.int64(parameters[0]), parameters[1], own)


def stage_at(step, parameters):
    """Return the number of the stage that a step belongs to; the last one's for all steps after it."""
    low = 0
    high = int(parameters[3]) - 1
    while low < high:
        middle = (low + high) // 2
        if step < np.int64(parameters[FIRST_STAGE + STAGE_NUMBERS * middle]):
            high = middle
        else:
            low = middle + 1
    return low


def evaluate_stage(x, parameters, stage, out):
    """Write the energy of a stage of all lanes."""
    dim = np.int64(parameters[0])
    for lane in range(x.shape[1]):
        out[0, lane] = 0.0
    for row in range(dim, x.shape[0]):
        for lane in range(x.shape[1]):
            out[0, lane] += 0.5 * x[row, lane] * x[row, lane]
    add_listed(parameters[np.int64(parameters[FIRST_STAGE + STAGE_NUMBERS * stage + 1]) :], x[:dim], 1.0, out)
