"""Closed forms: what can be known without simulating."""

from sgdphys.theory.discrete_sgd import stationary_covariance
from sgdphys.theory.least_squares import exact_sgd_covariance

__all__ = ["exact_sgd_covariance", "stationary_covariance"]
