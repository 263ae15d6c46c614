"""Reductions during the run, so that an ensemble of any size needs no storage. One observer a file."""

from sgdphys.observers.currents import Currents
from sgdphys.observers.first_passage import FirstPassage
from sgdphys.observers.histograms import Histogram
from sgdphys.observers.mean_squared_displacements import MeanSquaredDisplacement
from sgdphys.observers.moments import Moments
from sgdphys.observers.naming import NamedObserver
from sgdphys.observers.observation import Observation, Run
from sgdphys.observers.snapshots import Snapshots
from sgdphys.observers.time_correlations import TimeCorrelation
from sgdphys.observers.works import Work

__all__ = [
    "Currents", "FirstPassage", "Histogram", "MeanSquaredDisplacement", "Moments", "NamedObserver", "Observation",
    "Run", "Snapshots", "TimeCorrelation", "Work",
]  # fmt: skip
