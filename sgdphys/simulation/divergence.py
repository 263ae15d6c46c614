"""Particles that leave for infinity: found, marked, counted, and explained."""

from __future__ import annotations

import numpy as np

from sgdphys.simulation.dynamics import Dynamics
from sgdphys.simulation.engine import Ensemble

__all__ = ["Divergence"]


class Divergence:
    """Watches an ensemble; a particle with a non-finite row is NaN from then on and touches no other."""

    def __init__(self, ensemble: Ensemble, dynamics: Dynamics) -> None:
        self.ensemble = ensemble
        self.dynamics = dynamics
        self.marked = np.zeros(ensemble.n_particles, dtype=bool)
        self.first_step: int | None = None

    def look(self, step: int) -> None:
        """Mark what is no longer finite."""
        finite = np.isfinite(self.ensemble.blocks).all(axis=1)
        if finite.all():
            return
        self.ensemble.blocks.transpose(0, 2, 1)[~finite] = np.nan
        lost = ~finite.ravel()[: len(self.marked)]
        if lost.any() and self.first_step is None:
            self.first_step = step
        self.marked |= lost

    def message(self) -> str:
        """Return how many left, by when, and the likely cause."""
        dt = self.dynamics.dt
        first = f"{self.marked.sum()} of {len(self.marked)} particles left for infinity (the first by time {(self.first_step or 0) * dt:g})"
        name = "lr" if self.dynamics.sgd is not None else "dt"
        curvature = self._curvature()
        if curvature is None:
            return f"{first}; the usual cause is a time step {name} = {dt:g} above 2/curvature: make it smaller"
        product = f"{name} * curvature = {dt * curvature:.3g} at the landscape's known or reached points"
        if dt * curvature > 2:
            return f"{first}; {product} exceeds 2: use {name} below {2 / curvature:.3g}"
        return f"{first}; {product}, but the gradient grows further out, or f has no minimum there: make {name} or the temperature smaller"

    def _curvature(self) -> float | None:
        if not hasattr(self.dynamics.landscape, "hessian") or self.dynamics.dim > 200:
            return None
        alive = self.ensemble.state()[~self.marked, : self.dynamics.dim][:64]
        minima = np.asarray(getattr(self.dynamics.landscape, "minima", np.empty((0, self.dynamics.dim))))
        points = np.concatenate([alive, minima.reshape(-1, self.dynamics.dim)])
        if not len(points):
            return None
        hessians = np.asarray(self.dynamics.landscape.hessian(points))
        return float(np.abs(np.linalg.eigvalsh(hessians)).max())
