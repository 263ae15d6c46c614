"""Clouds of particles: the verb ``simulate`` and what it is made of."""

from sgdphys.simulation.simulate_verb import simulate

__all__ = ["simulate"]
