"""The force on a block, from the programs of a landscape and its noise."""

from __future__ import annotations

from sgdphys.kernels.evaluation import add_field
from sgdphys.kernels.settings import DIVERGENCE, DRIVE

__all__ = ["add_force", "add_rows", "copy_rows"]


def add_force(fields, x, settings, factor, out):
    """Add ``factor * (grad f + s grad(drive) + a div D)`` at ``x`` (coordinate, lane) to ``out``.

    ``fields`` are the programs of gradient, divergence of D, and drive; s and a are those of this step's settings.
    """
    gradient, divergence, drive, _sample = fields
    add_field(gradient, x, factor, out)
    if settings[DIVERGENCE] != 0.0:
        add_field(divergence, x, factor * settings[DIVERGENCE], out)
    if settings[DRIVE] != 0.0:
        add_field(drive, x, factor * settings[DRIVE], out)


def add_rows(source, factor, target):
    """Add ``factor`` times each row of ``source`` (row, lane) to ``target``."""
    for row in range(source.shape[0]):
        for lane in range(source.shape[1]):
            target[row, lane] += factor * source[row, lane]


def copy_rows(source, target):
    """Copy a block (row, lane)."""
    for row in range(source.shape[0]):
        for lane in range(source.shape[1]):
            target[row, lane] = source[row, lane]
