"""The Fokker-Planck equation on a grid: the noise-free reference of every cloud."""

from sgdphys.fokker_planck.discretisation import discretise
from sgdphys.fokker_planck.evolution import evolve
from sgdphys.fokker_planck.first_passage import mean_first_passage_time
from sgdphys.fokker_planck.grid import Grid
from sgdphys.fokker_planck.operator import Operator
from sgdphys.fokker_planck.stationary_state import stationary
from sgdphys.fokker_planck.underdamped import Underdamped

__all__ = ["Grid", "Operator", "Underdamped", "discretise", "evolve", "mean_first_passage_time", "stationary"]
