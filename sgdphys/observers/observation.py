"""What an observer is told about a run and what it hands to the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.kernels import ObserverKernel
from sgdphys.protocols import Landscape, Noise

__all__ = ["Observation", "Observer", "Run", "Timing", "Variables"]

Array = NDArray[np.float64]
Variables = dict[str, tuple[tuple[str, ...], Any]]  # name -> (dimensions, values)


@dataclass(frozen=True)
class Run:
    """The run an observer joins.

    Parameters
    ----------
    dim, coordinate_names
        The coordinates; velocities, where there are some, are the rows of the state after them.
    rows
        Rows of the state.
    landscape, noise
        What is simulated.
    temperature
        T, where it is constant, else None.
    first, last
        Absolute steps at which the run begins and ends.
    clock
        Its ``time(steps)`` tells the times of steps.
    n_particles
        Size of the ensemble.
    bound
        A particle beyond it is lost.
    weight_decay
        That of the SGD settings; the loss is f + (weight_decay / 2) |x|^2.
    of_sgd
        Whether steps are those of SGD, whose velocities are no dx/dt.
    independent_kicks
        Whether the noise of a step is independent of that of the steps before.
    """

    dim: int
    coordinate_names: tuple[str, ...]
    rows: int
    landscape: Landscape
    noise: Noise
    temperature: float | None
    first: int
    last: int
    clock: Timing
    n_particles: int
    bound: float
    weight_decay: float = 0.0
    of_sgd: bool = False
    independent_kicks: bool = True

    @property
    def overdamped(self) -> bool:
        """Whether the state has no velocities."""
        return self.rows == self.dim


class Timing(Protocol):
    """Tells the time of steps."""

    def time(self, step: Any) -> Any:
        """Return the time of a step or of an array of steps."""
        ...

    def steps(self, time: float) -> float:
        """Return the number of steps, not always whole, at which the clock shows a time."""
        ...


@dataclass(frozen=True)
class Observation:
    """An observer made ready for one run.

    Parameters
    ----------
    kernel
        The block function, see ``sgdphys.kernels.observing``.
    parameters
        Its numbers.
    result
        Turns the memory into variables: called with the particles' own memory (row, particle), the tables (unit, row,
        column), and the observer's times.
    every_step
        Called after each step, or only at the observer's own times.
    own_rows
        Numbers kept for each particle.
    rows, columns
        Size of a table; ``rows=0`` means one for each of the observer's times. Without columns there is none.
    counts
        The tables hold exact counts and are kept for each thread instead of each 4096 particles.
    initial
        Value that fills the particles' own memory; tables begin at 0.
    """

    kernel: ObserverKernel
    parameters: Array
    result: Callable[[Array, Array, Array], Variables]
    every_step: bool = False
    own_rows: int = 0
    rows: int = 0
    columns: int = 0
    counts: bool = False
    initial: float = 0.0


class Observer(Protocol):
    """A reduction during the run.

    An observer whose times follow from the run itself offers ``steps(first, last, clock)``, the absolute steps it is
    called at, instead of ``at``.
    """

    @property
    def at(self) -> int | ArrayLike | None:
        """Times of observation: a number of equally spaced ones, an array, or None for every step."""
        ...

    def observe(self, run: Run) -> Observation:
        """Return the observer made ready for a run; raise ValueError when it does not fit."""
        ...
