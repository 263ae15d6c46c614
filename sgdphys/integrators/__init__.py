"""Time steppers, one method a file."""

from sgdphys.integrators.baoab import BAOAB
from sgdphys.integrators.base import BlockIntegrator, Orders, Pace, Problem
from sgdphys.integrators.euler_maruyama import EulerMaruyama
from sgdphys.integrators.obabo import OBABO
from sgdphys.integrators.stochastic_gradient import StochasticGradient
from sgdphys.integrators.ubu import UBU
from sgdphys.integrators.underdamped import Underdamped
from sgdphys.integrators.variance_amplified_gradient import VarianceAmplifiedGradient

__all__ = [
    "BAOAB", "OBABO", "UBU", "BlockIntegrator", "EulerMaruyama", "Orders", "Pace", "Problem", "StochasticGradient",
    "Underdamped", "VarianceAmplifiedGradient",
]  # fmt: skip
