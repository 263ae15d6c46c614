"""Closed forms: what can be known without simulating."""

from sgdphys.theory.annealing import covariance_through_stages
from sgdphys.theory.discrete_sgd import stationary_covariance
from sgdphys.theory.discretisation import sde_error
from sgdphys.theory.least_squares import exact_sgd_covariance
from sgdphys.theory.modified_equations import moments_in_time, svag_covariance
from sgdphys.theory.relaxation import relaxation_spectrum, stability_limit

__all__ = [
    "covariance_through_stages", "exact_sgd_covariance", "moments_in_time", "relaxation_spectrum", "sde_error",
    "stability_limit", "stationary_covariance", "svag_covariance",
]  # fmt: skip
