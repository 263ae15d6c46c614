"""Closed forms: what can be known without simulating."""

from sgdphys.theory.annealing import covariance_through_stages
from sgdphys.theory.discrete_sgd import stationary_covariance
from sgdphys.theory.discretisation import sde_error
from sgdphys.theory.escape_rates import kramers_rate, mean_first_passage_time
from sgdphys.theory.euler_passage import euler_first_passage_time
from sgdphys.theory.gaussian_relaxation import free_energy_of_linear
from sgdphys.theory.least_squares import exact_sgd_covariance
from sgdphys.theory.linear import current_generating_function, rotating_current
from sgdphys.theory.linear_decomposition import decompose_linear
from sgdphys.theory.loss_noise import mori_density, mori_escape_rate
from sgdphys.theory.modified_equations import moments_in_time, svag_covariance
from sgdphys.theory.posterior import optimal_lr, posterior_divergence
from sgdphys.theory.power_laws import kesten_exponent, mori_second_moment, tail_exponents
from sgdphys.theory.relaxation import relaxation_spectrum, stability_limit, stationary_displacement
from sgdphys.theory.stationary_quadrature import stationary_average, stationary_density

__all__ = [
    "covariance_through_stages", "current_generating_function", "decompose_linear", "euler_first_passage_time",
    "exact_sgd_covariance", "free_energy_of_linear", "kesten_exponent", "kramers_rate", "mean_first_passage_time",
    "moments_in_time", "mori_density", "mori_escape_rate", "mori_second_moment", "optimal_lr", "posterior_divergence",
    "relaxation_spectrum", "rotating_current", "sde_error", "stability_limit", "stationary_average",
    "stationary_covariance", "stationary_density", "stationary_displacement", "svag_covariance", "tail_exponents",
]  # fmt: skip
