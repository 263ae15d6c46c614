"""Time steppers, one method a file."""

from sgdphys.integrators.baoab import BAOAB
from sgdphys.integrators.base import BlockIntegrator, Orders, Pace, Problem
from sgdphys.integrators.convergence_table import order_table
from sgdphys.integrators.euler_maruyama import EulerMaruyama
from sgdphys.integrators.exact_ornstein_uhlenbeck import ExactOrnsteinUhlenbeck
from sgdphys.integrators.leimkuhler_matthews import LeimkuhlerMatthews
from sgdphys.integrators.milstein import Milstein
from sgdphys.integrators.modified_equation import ModifiedEquation
from sgdphys.integrators.obabo import OBABO
from sgdphys.integrators.platen_weak2 import PlatenWeak2
from sgdphys.integrators.sra1 import SRA1
from sgdphys.integrators.stochastic_gradient import StochasticGradient
from sgdphys.integrators.stochastic_heun import StochasticHeun
from sgdphys.integrators.tamed_euler import TamedEuler
from sgdphys.integrators.ubu import UBU
from sgdphys.integrators.underdamped import Underdamped
from sgdphys.integrators.variance_amplified_gradient import VarianceAmplifiedGradient

__all__ = [
    "BAOAB", "OBABO", "SRA1", "UBU", "BlockIntegrator", "EulerMaruyama", "ExactOrnsteinUhlenbeck",
    "LeimkuhlerMatthews", "Milstein", "ModifiedEquation", "Orders", "Pace", "PlatenWeak2", "Problem",
    "StochasticGradient", "StochasticHeun", "TamedEuler", "Underdamped", "VarianceAmplifiedGradient", "order_table",
]  # fmt: skip
