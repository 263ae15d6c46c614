"""What every closed form refuses in one line."""

import numpy as np
import pytest

import sgdphys as sp
from sgdphys import theory

ONE = np.eye(1)
CALLS = {
    "stationary_covariance": lambda sgd: theory.stationary_covariance(ONE, ONE, sgd),
    "exact_sgd_covariance": lambda sgd: theory.exact_sgd_covariance([1.0, 2.0], [1.0, 0.0], sgd),
    "relaxation_spectrum": lambda sgd: theory.relaxation_spectrum(ONE, sgd),
    "stability_limit": lambda sgd: theory.stability_limit(ONE, sgd),
    "sde_error": lambda sgd: theory.sde_error(ONE, ONE, sgd),
    "moments_in_time": lambda sgd: theory.moments_in_time(ONE, ONE, sgd, [1], start=[0.0]),
    "svag_covariance": lambda sgd: theory.svag_covariance(ONE, ONE, sgd, 2),
    "kesten_exponent": lambda sgd: theory.kesten_exponent(1.0, sgd),
    "tail_exponents": lambda sgd: theory.tail_exponents(1.0, sgd),
    "mori_second_moment": lambda sgd: theory.mori_second_moment(1.0, 0.5, sgd),
    "mori_density": lambda sgd: theory.mori_density([0.0], 1.0, 0.5, sgd),
    "mori_escape_rate": lambda sgd: theory.mori_escape_rate(1.0, -1.0, minimum_loss=0.5, saddle_loss=1.0, sgd=sgd),
    "optimal_lr": lambda sgd: theory.optimal_lr(ONE, ONE, sgd, 10),
    "posterior_divergence": lambda sgd: theory.posterior_divergence(ONE, ONE, sgd, 10),
}


@pytest.mark.parametrize("name", CALLS)
def test_settings_of_another_kind_are_refused(name):
    CALLS[name](sp.SGD(lr=0.1, batch_size=1))
    for wrong in ("sgd", None, 0.1, sp.SGDSchedule([(sp.SGD(lr=0.1, batch_size=1), 3)])):
        with pytest.raises(ValueError, match=r"sgd must be settings such as SGD\(lr=0\.1, batch_size=8\), got "):
            CALLS[name](wrong)


def test_a_matrix_with_nan_is_told_by_its_nan():
    with pytest.raises(ValueError, match="covariance must be a finite square matrix, got nan"):
        theory.sde_error(ONE, [[np.nan]], sp.SGD(lr=0.1, batch_size=1))
