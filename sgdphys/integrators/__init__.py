"""Time steppers, one method a file."""

from sgdphys.integrators.euler_maruyama import EulerMaruyama
from sgdphys.integrators.stochastic_gradient import StochasticGradient

__all__ = ["EulerMaruyama", "StochasticGradient"]
