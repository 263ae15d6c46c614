"""Time steppers, one method a file."""

from sgdphys.integrators.base import BlockIntegrator, Orders, Pace, Problem
from sgdphys.integrators.euler_maruyama import EulerMaruyama
from sgdphys.integrators.stochastic_gradient import StochasticGradient

__all__ = ["BlockIntegrator", "EulerMaruyama", "Orders", "Pace", "Problem", "StochasticGradient"]
