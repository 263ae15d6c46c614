"""Force and kick at a later time within a step, where temperature or drive are scheduled."""

from __future__ import annotations

import numpy as np

from sgdphys.kernels.evaluation import add_field
from sgdphys.kernels.settings import AMPLITUDE, DIVERGENCE, DRIVE, DT, NEXT_DRIVE, NEXT_TEMPERATURE, TEMPERATURE

__all__ = ["add_force_at", "clear_rows", "mean_amplitude", "next_amplitude"]


def add_force_at(fields, x, settings, fraction, factor, out):
    """Add ``factor`` times the force of a later time, ``fraction`` of the step on; see ``forces.add_force``."""
    gradient, divergence, drive, _sample = fields
    add_field(gradient, x, factor, out)
    if settings[DIVERGENCE] != 0.0:
        later = 1.0 + fraction * (settings[NEXT_TEMPERATURE] / settings[TEMPERATURE] - 1.0)
        add_field(divergence, x, factor * settings[DIVERGENCE] * later, out)
    strength = settings[DRIVE] + fraction * (settings[NEXT_DRIVE] - settings[DRIVE])
    if strength != 0.0:
        add_field(drive, x, factor * strength, out)


def next_amplitude(settings):
    """Return the factor of the kick at the temperature of the next step."""
    now, then = settings[TEMPERATURE], settings[NEXT_TEMPERATURE]
    if now == then:
        return settings[AMPLITUDE]
    return settings[AMPLITUDE] * np.sqrt(then / now) if now > 0.0 else np.sqrt(2.0 * then * settings[DT])


def mean_amplitude(settings):
    """Return the factor of the kick at the mean of this step's and the next one's temperature."""
    now, then = settings[AMPLITUDE], next_amplitude(settings)
    return now if now == then else np.sqrt(0.5 * (now * now + then * then))


def clear_rows(target):
    """Set a block (row, lane) to zero."""
    for row in range(target.shape[0]):
        for lane in range(target.shape[1]):
            target[row, lane] = 0.0
