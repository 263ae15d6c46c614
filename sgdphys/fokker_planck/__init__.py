"""The Fokker-Planck equation on a grid: the noise-free reference of every cloud."""

from sgdphys.fokker_planck.committors import committor, splitting_probability
from sgdphys.fokker_planck.discretisation import discretise
from sgdphys.fokker_planck.evolution import evolve
from sgdphys.fokker_planck.first_passage import mean_first_passage_time
from sgdphys.fokker_planck.grid import Grid
from sgdphys.fokker_planck.operator import Operator
from sgdphys.fokker_planck.passage_distributions import first_passage_distribution
from sgdphys.fokker_planck.relaxation import relaxation_rates
from sgdphys.fokker_planck.stationary_state import stationary
from sgdphys.fokker_planck.underdamped import Underdamped

__all__ = [
    "Grid",
    "Operator",
    "Underdamped",
    "committor",
    "discretise",
    "evolve",
    "first_passage_distribution",
    "mean_first_passage_time",
    "relaxation_rates",
    "splitting_probability",
    "stationary",
]
