"""Time steps of a Fokker-Planck equation that changes in time: second order, positive, step size by error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sgdphys.fokker_planck.time_steps import Stepper

if TYPE_CHECKING:
    from sgdphys.fokker_planck.problems import Problem
    from sgdphys.protocols import Array

__all__ = ["ScheduledStepper"]

_ORDER = 2
_SMALLEST = 1e-12  # step, of the interval, before giving up


@dataclass(frozen=True)
class ScheduledStepper:
    r"""Steps of dp/dt = L(t) p by the exponential midpoint rule.

    One step is :math:`e^{dt\,L(t + dt/2)} p`, the exponential by one step of :class:`Stepper`, so it keeps positivity
    and probability. Two half steps are taken as the result, and a third of their distance from one whole step as its
    error.

    Parameters
    ----------
    problem
        What is solved.
    tolerance
        Largest error of a step, in total variation.

    References
    ----------
    Hairer, Lubich & Wanner 2006, Geometric Numerical Integration, section IV.7 (the Magnus series).
    """

    problem: Problem
    tolerance: float

    def first_step(self, density: Array, time: float) -> float:
        """Return a step that the tolerance may allow at a time."""
        return Stepper(self.problem.operator(time), self.tolerance).first_step(density)

    def advance(self, density: Array, begin: float, end: float, step: float) -> tuple[Array, float, float]:
        """Carry a density from one time to another.

        Parameters
        ----------
        density
            Shape (state,).
        begin, end
            Times.
        step
            Guess for the first step.

        Returns
        -------
        tuple
            The density at the end, the sum of the error estimates, and the last step before it was cut at the end.

        Raises
        ------
        ValueError
            The tolerance is not reached with any step.
        """
        now, error_sum = begin, 0.0
        while now < end:
            dt = min(step, end - now)
            candidate, error = self._both(density, now, dt)
            factor = 0.9 * (self.tolerance / max(error, 1e-300)) ** (1 / (_ORDER + 1))
            if error > self.tolerance:
                step = dt * max(0.2, factor)
                if step < _SMALLEST * (end - begin):
                    raise ValueError(f"tolerance={self.tolerance} is not reached by any time step; use a larger one")
                continue
            now = end if dt == end - now else now + dt
            density, error_sum = candidate, error_sum + error
            step = max(step, dt * min(3.0, factor)) if dt < step else dt * min(3.0, factor)
        return density, error_sum, step

    def _both(self, density: Array, time: float, dt: float) -> tuple[Array, float]:
        whole = self._step(density, time, dt)
        halves = self._step(self._step(density, time, dt / 2), time + dt / 2, dt / 2)
        volume = self.problem.grid.cell_volume
        return halves, 0.5 * volume * float(np.abs(halves - whole).sum()) / (2**_ORDER - 1)

    def _step(self, density: Array, time: float, dt: float) -> Array:
        return Stepper(self.problem.operator(time + dt / 2), np.inf).step(density, dt)[0]
