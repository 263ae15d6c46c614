"""What an observer is told about a run and what it hands to the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.kernels import ObserverKernel
from sgdphys.protocols import Noise

__all__ = ["Observation", "Observer", "Run", "Variables"]

Array = NDArray[np.float64]
Variables = dict[str, tuple[tuple[str, ...], Any]]  # name -> (dimensions, values)


@dataclass(frozen=True)
class Run:
    """The run an observer joins; ``time_offset`` is the time of step 0, beyond ``bound`` a particle is lost."""

    dim: int
    coordinate_names: tuple[str, ...]
    dt: float
    time_offset: float
    temperature: float
    noise: Noise
    n_particles: int
    overdamped: bool
    bound: float


@dataclass(frozen=True)
class Observation:
    """An observer made ready for one run.

    Parameters
    ----------
    kernel
        The block function, see ``sgdphys.kernels.observing``.
    parameters
        Its numbers.
    every_step
        Called after each step, or only at ``at``.
    per_granule
        Memory in units of 4096 particles (columns free), or of one block (columns are lanes).
    rows, columns
        Size of a unit; ``rows=0`` means one for each of the observer's times, ``columns`` counts only with
        ``per_granule``.
    initial
        Value that fills the memory.
    result
        Turns the memory into variables: for ``per_granule`` from an array (unit, row, column), otherwise (row,
        particle); the second argument holds the observer's times.
    """

    kernel: ObserverKernel
    parameters: Array
    every_step: bool
    per_granule: bool
    rows: int
    columns: int
    initial: float
    result: Callable[[Array, Array], Variables]


class Observer(Protocol):
    """A reduction during the run."""

    @property
    def at(self) -> int | ArrayLike | None:
        """Times of observation: a number of equally spaced ones, an array, or None for every step."""
        ...

    def observe(self, run: Run) -> Observation:
        """Return the observer made ready for a run; raise ValueError when it does not fit."""
        ...
