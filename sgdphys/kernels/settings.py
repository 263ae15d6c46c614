"""The numbers that a step and an observer read: what each place of the settings of one step means.

The engine fills the head, places below ``OWN``, from time step, temperature and schedules; the integrator's own numbers
follow. Constant settings are one line; scheduled ones are a line for each step. ``TIME`` is set by the loop.
"""

from __future__ import annotations

__all__ = [
    "AMPLITUDE", "BATCH_SIZE", "DIVERGENCE", "DRIVE", "DT", "EPOCH", "NEXT_DRIVE", "NEXT_TEMPERATURE", "OFFSET", "OWN",
    "TEMPERATURE", "TIME",
]  # fmt: skip

TIME = 0  # before the step, in x^2/loss
DT = 1  # length of the step
TEMPERATURE = 2  # T during the step
AMPLITUDE = 3  # factor of the noise's kick: sqrt(2 T dt) for Gaussian noise
DIVERGENCE = 4  # a in the force -(grad f + a div D), which converts the noise's interpretation to the integrator's
DRIVE = 5  # s in f = base + s drive, during the step
NEXT_TEMPERATURE = 6  # T during the next step
NEXT_DRIVE = 7  # s during the next step
BATCH_SIZE = 8  # samples of this step's minibatch
EPOCH = 9  # epoch of this step, for shuffled minibatches
OFFSET = 10  # place of the minibatch's first sample within the epoch
OWN = 11  # the integrator's own numbers begin here
