"""What the compiled loop runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sgdphys.kernels.blocks import NormalsKernel, Program

__all__ = ["Programs"]


@dataclass(frozen=True)
class Programs:
    """What the compiled loop runs.

    Parameters
    ----------
    fields
        Gradient, divergence of D, drive, and gradients of samples.
    kick, deviates
        The noise, and the kernel that fills its channels.
    step
        The integrator's step.
    dim, rows, work_rows
        Coordinates, rows of the state, rows of scratch.
    channels, ahead
        Deviates of a step, and 1 where the step also reads those of the next one.
    key
        Key of the random bits.
    """

    fields: tuple[Program, Program, Program, Program]
    kick: Program
    deviates: NormalsKernel
    step: Callable[..., None]
    dim: int
    rows: int
    work_rows: int
    channels: int
    ahead: int
    key: int
