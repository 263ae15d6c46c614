"""Particles that leave for infinity: found, marked, counted, and explained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sgdphys.simulation.bounds import MOST_COORDINATES, minima_of, some_of
from sgdphys.simulation.dynamics import Dynamics
from sgdphys.simulation.engine import Ensemble
from sgdphys.simulation.times import Clock, ScheduledClock

__all__ = ["Divergence"]

Array = NDArray[np.float64]


class Divergence:
    """Watches an ensemble; a particle beyond its bound is NaN from then on and touches no other."""

    def __init__(self, ensemble: Ensemble, dynamics: Dynamics, clock: Clock | ScheduledClock, state: Array) -> None:
        self.ensemble = ensemble
        self.dynamics = dynamics
        self.clock = clock
        self.starts = some_of(state[:, : dynamics.dim])
        self.marked = self._not_finite()
        self.inherited = int(self.marked.sum())
        self.first_step = -1

    def _not_finite(self) -> NDArray[np.bool_]:
        return ~self.ensemble.finite()

    @property
    def count(self) -> int:
        """Particles that left during this run."""
        return int(self.marked.sum()) - self.inherited

    def look(self, step: int) -> None:
        """Mark what has been lost since."""
        lost = self.ensemble.discard_lost()
        if not self.marked[lost].all() and self.first_step < 0:
            self.first_step = step
        self.marked[lost] = True

    def checkpoint(self) -> dict[str, NDArray[np.int64]]:
        """Return what the state of the particles does not tell."""
        return {"first_lost_step": np.array(self.first_step)}

    def restore(self, checkpoint: dict[str, NDArray[np.int64]]) -> None:
        """Go on from an earlier checkpoint, after the ensemble has."""
        self.marked = self._not_finite()
        self.first_step = int(checkpoint["first_lost_step"])

    def message(self) -> str:
        """Return how many left, by when, and the likely cause."""
        name, dt = "dt" if self.dynamics.sgd is None else "lr", self.dynamics.dt
        first = (
            f"{self.count} of {len(self.marked)} particles left for infinity "
            f"(the first by time {self.clock.time(self.first_step):g}, "
            f"beyond {self.ensemble.bound:.3g})"
        )
        curvature = self._curvature()
        if curvature is None:
            cause = f"the usual cause is a time step {name} = {dt:g} above 2/curvature: make it smaller"
            return f"{first}; {cause}{self._about_noise()}"
        product = f"{name} * curvature = {dt * curvature:.3g} at the starts and the known minima"
        if dt * curvature > 2:
            return f"{first}; {product} exceeds 2: use {name} below {2 / curvature:.3g}"
        return (
            f"{first}; {product}, but the gradient grows further out, or f has no minimum there: "
            f"make {name} or the temperature smaller{self._about_noise()}"
        )

    def _about_noise(self) -> str:
        noise = self.dynamics.noise
        if getattr(noise, "additive", True) or not getattr(noise, "gaussian", True):
            return ""
        return f"; or D(x) of {noise!r:.80} is negative or not finite where they came, which leaves no kick: check it"

    def _curvature(self) -> float | None:
        landscape, dim = self.dynamics.landscape, self.dynamics.dim
        if not hasattr(landscape, "hessian") or dim > MOST_COORDINATES:
            return None
        # never where particles in flight are: there the curvature of a quartic is anything
        points = np.concatenate([self.starts, minima_of(self.dynamics)])
        if not len(points):
            return None
        hessians = np.asarray(landscape.hessian(points))
        hessians = hessians[np.isfinite(hessians).all(axis=(1, 2))]
        symmetric = (hessians + hessians.transpose(0, 2, 1)) / 2
        return max(0.0, float(np.linalg.eigvalsh(symmetric).max())) if len(hessians) else None
