"""Steps of underdamped Langevin dynamics at unit mass; signature and scratch as in ``kernels.steps``.

The state holds positions, then velocities. A step is made of exact flows of parts of dx = v dt, dv = -(grad f + gamma
v) dt + sqrt(2 gamma T D) dW: A drifts the positions, B kicks the velocities by the force, O is friction and noise, U is
A and O together.
"""

from __future__ import annotations

from sgdphys.kernels.forces import add_force, add_rows, copy_rows
from sgdphys.kernels.kicks import apply_kick
from sgdphys.kernels.settings import DRIVE, DT, NEXT_DRIVE, OWN

__all__ = ["baoab_step", "obabo_step", "ubu_step"]

DECAY = OWN  # of velocities, over the time of one O or U
VELOCITY_NOISE = OWN + 1
TRAVEL = OWN + 2  # positions move by this much times the velocity in one U
SHARED_NOISE = OWN + 3  # of positions, by the deviates of the velocities
POSITION_NOISE = OWN + 4  # of positions, by deviates of their own


def add_driven_force(fields, x, settings, drive, factor, out):
    """Add ``factor * grad f`` with the drive at the strength ``drive``."""
    present = settings[DRIVE]
    settings[DRIVE] = drive
    add_force(fields, x, settings, factor, out)
    settings[DRIVE] = present


def relax(kick, normals, v, settings, work):
    """Apply O: v <- decay v + noise."""
    for row in range(v.shape[0]):
        for lane in range(v.shape[1]):
            v[row, lane] *= settings[DECAY]
    apply_kick(kick, normals, v, settings[VELOCITY_NOISE], work, v, v)


def relax_and_drift(kick, normals, x, v, settings, work):
    """Apply U, the exact flow without force; ``normals`` (2 channels, lane)."""
    channels = normals.shape[0] // 2
    shared = normals[:channels]
    add_rows(v, settings[TRAVEL], x)
    apply_kick(kick, shared, x, settings[SHARED_NOISE], work, x, x)
    apply_kick(kick, normals[channels:], x, settings[POSITION_NOISE], work, x, x)
    relax(kick, shared, v, settings, work)


def obabo_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """Half of O, half of B, A, half of B, half of O."""
    copy_rows(before, after)
    x, v = after[:dim], after[dim:]
    channels = normals.shape[0] // 2
    dt = settings[DT]
    relax(kick, normals[:channels], v, settings, scratch[0])
    add_force(fields, x, settings, -0.5 * dt, v)
    add_rows(v, dt, x)
    add_driven_force(fields, x, settings, settings[NEXT_DRIVE], -0.5 * dt, v)
    relax(kick, normals[channels:], v, settings, scratch[0])


def baoab_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """Half of B, half of A, O, half of A, half of B."""
    copy_rows(before, after)
    x, v = after[:dim], after[dim:]
    dt = settings[DT]
    add_force(fields, x, settings, -0.5 * dt, v)
    add_rows(v, 0.5 * dt, x)
    relax(kick, normals, v, settings, scratch[0])
    add_rows(v, 0.5 * dt, x)
    add_driven_force(fields, x, settings, settings[NEXT_DRIVE], -0.5 * dt, v)


def ubu_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """Half of U, B, half of U."""
    copy_rows(before, after)
    x, v = after[:dim], after[dim:]
    half = normals.shape[0] // 2
    relax_and_drift(kick, normals[:half], x, v, settings, scratch[0])
    drive = 0.5 * (settings[DRIVE] + settings[NEXT_DRIVE])
    add_driven_force(fields, x, settings, drive, -settings[DT], v)
    relax_and_drift(kick, normals[half:], x, v, settings, scratch[0])
