"""Closed forms: what can be known without simulating."""

from sgdphys.theory.discrete_sgd import stationary_covariance
from sgdphys.theory.discretisation import sde_error
from sgdphys.theory.least_squares import exact_sgd_covariance
from sgdphys.theory.relaxation import relaxation_spectrum, stability_limit

__all__ = ["exact_sgd_covariance", "relaxation_spectrum", "sde_error", "stability_limit", "stationary_covariance"]
