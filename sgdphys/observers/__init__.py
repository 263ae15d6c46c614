"""Reductions during the run, so that an ensemble of any size needs no storage. One observer a file."""

from sgdphys.observers.first_passage import FirstPassage
from sgdphys.observers.moments import Moments
from sgdphys.observers.observation import Observation, Run

__all__ = ["FirstPassage", "Moments", "Observation", "Run"]
