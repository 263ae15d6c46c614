"""One function for each property, applied to everything that claims it."""

from __future__ import annotations

import json

import numpy as np

from sgdphys.testing.landscape_checks import check_critical_points as assert_critical_points
from sgdphys.testing.landscape_checks import check_gradient as assert_gradient_is_derivative
from sgdphys.testing.landscape_checks import check_hessian as assert_hessian_is_derivative
from sgdphys.testing.noise_checks import check_divergence as assert_divergence_is_derivative
from sgdphys.testing.noise_checks import check_kick, check_root
from sgdphys.testing.requirements import central_difference

__all__ = [
    "assert_configuration_is_complete", "assert_critical_points", "assert_divergence_is_derivative",
    "assert_excluded", "assert_falls", "assert_generator", "assert_gradient_is_derivative",
    "assert_hessian_is_derivative", "assert_keeps_mass", "assert_kick_has_diffusion", "assert_never_negative",
    "assert_same_bits", "assert_second_order", "assert_stationary", "assert_within", "central_difference",
]  # fmt: skip


def assert_generator(matrix):
    """Columns sum to zero and no off-diagonal is negative: probability is kept and stays positive."""
    largest = abs(matrix).max()
    assert abs(np.asarray(matrix.sum(axis=0))).max() <= 1e-13 * largest
    off_diagonal = matrix.tocoo()
    assert off_diagonal.data[off_diagonal.row != off_diagonal.col].min() >= 0


def assert_stationary(matrix, density, tolerance=1e-13):
    """No row of L p exceeds rounding of its terms: |L p| <= tolerance |L| p with row norms."""
    scale = abs(matrix).sum(axis=1).max() * density.max()
    assert np.abs(matrix @ density).max() <= tolerance * scale


def assert_keeps_mass(density, tolerance=1e-13):
    """The total probability of every frame is one."""
    np.testing.assert_allclose(density["mass"].values, 1.0, rtol=0, atol=tolerance)


def assert_never_negative(density):
    """No cell of any frame holds less than nothing."""
    assert float(density["density"].min()) >= 0


def assert_falls(values, rounding=1e-12):
    """Every value is below the one before, up to rounding of the largest."""
    values = np.asarray(values)
    assert np.all(np.diff(values) <= rounding * np.abs(values).max()), np.diff(values).max()


def assert_within(estimate, exact, standard_error, largest=4.0):
    """The estimate is at most ``largest`` standard errors away from the exact value."""
    z = (np.asarray(estimate) - np.asarray(exact)) / np.asarray(standard_error)
    assert np.all(np.abs(z) < largest), f"z = {z}"


def assert_second_order(errors, slack=0.15):
    """Errors at spacings h, h/2, h/4, ... fall by four each time."""
    orders = np.log2(np.abs(errors[:-1]) / np.abs(errors[1:]))
    assert np.all(np.abs(orders - 2) < slack), f"orders {orders}"


def assert_configuration_is_complete(landscape, restore, points):
    """The configuration survives JSON and, with the variables, makes the same landscape again, to the bit."""
    configuration = json.loads(json.dumps(landscape.configuration()))
    again = restore(configuration, {name: array for name, (_, array) in landscape.variables().items()})
    assert np.array_equal(again.potential(points), landscape.potential(points))
    assert np.array_equal(again.gradient(points), landscape.gradient(points))
    assert np.array_equal(again.hessian(points), landscape.hessian(points))
    assert again.configuration() == landscape.configuration()


def assert_excluded(estimate, wrong, standard_error, smallest=10.0):
    """The value of a wrong variant lies at least ``smallest`` standard errors away: the test above resolves it."""
    z = (np.asarray(estimate) - np.asarray(wrong)) / np.asarray(standard_error)
    assert np.all(np.abs(z) > smallest), f"z = {z}"


def assert_same_bits(first, second):
    """Two arrays, or two Datasets in all their variables, agree to the bit; NaN equals NaN."""
    if hasattr(first, "data_vars"):
        assert set(first.variables) == set(second.variables)
        for name in first.variables:
            np.testing.assert_array_equal(first[name].values, second[name].values, err_msg=str(name))
    else:
        np.testing.assert_array_equal(first, second)


def assert_kick_has_diffusion(noise, landscape, points):
    """At each point B B^T = D to rounding, one step's kicks have covariance 2 T dt D, and its mean is the Ito drift."""
    if noise.gaussian:
        check_root(noise, points)
    check_kick(noise, landscape, points)
