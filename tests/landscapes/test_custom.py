import math

import numpy as np
import pytest
from numba import njit

from sgdphys.landscapes import Custom, DoubleWell


def quartic(x):
    return x**4 / 4 - x**2 / 2


def quartic_gradient(x):
    return x**3 - x


def plain_helper(x):
    return x * x


def test_equals_the_same_landscape_of_ours():
    x = np.random.default_rng(0).normal(size=(1000, 1))
    custom = Custom(quartic, quartic_gradient)
    np.testing.assert_allclose(custom.potential(x), DoubleWell().potential(x), atol=1e-14)
    np.testing.assert_allclose(custom.gradient(x), DoubleWell().gradient(x), atol=1e-14)
    np.testing.assert_allclose(custom.hessian(x), DoubleWell().hessian(x), atol=1e-8)


def test_plain_and_compiled_functions_agree():
    x = np.random.default_rng(0).normal(size=(100, 1))
    plain, compiled = Custom(quartic, quartic_gradient), Custom(njit(quartic), njit(quartic_gradient))
    np.testing.assert_allclose(plain.gradient(x), compiled.gradient(x), rtol=1e-14)


def test_one_function_is_compiled_once():
    first, second = Custom(quartic, quartic_gradient), Custom(quartic, quartic_gradient)
    assert first == second
    assert first.gradient_terms()[0].kernel is second.gradient_terms()[0].kernel


@pytest.mark.parametrize("wrong", [lambda x: -(x**3 - x), lambda x: 2 * (x**3 - x), lambda x: x**3 - x + 0.01])
def test_a_gradient_of_another_potential_is_refused_with_numbers(wrong):
    with pytest.raises(ValueError, match=r"gradient\[0\] is .* but the finite difference of the potential is"):
        Custom(quartic, wrong)


def test_the_wrong_component_is_named():
    with pytest.raises(ValueError, match=r"gradient\[1\]"):
        Custom(lambda x, y: x * x + y * y, lambda x, y: (2 * x, y))


@pytest.mark.parametrize(
    ("potential", "gradient", "message"),
    [
        (lambda x: plain_helper(x), lambda x: 2 * x, "numba cannot compile .*plain_helper.*njit"),
        (lambda x: undefined_name(x), lambda x: 2 * x, "numba cannot compile .*undefined_name"),  # noqa: F821
        (lambda x: "text", lambda x: 2 * x, "numba cannot compile"),
        (lambda x, y: x * y, lambda x, y: (y,), "numba cannot compile"),
        (lambda x, y: x * y, lambda x: x, "same arguments"),
        (lambda: 1.0, lambda: 1.0, "same arguments"),
        (3.0, lambda x: x, "must be functions"),
        (lambda x: math.log(x - 50), lambda x: 1 / (x - 50), "give check_at="),
    ],
)
def test_functions_that_make_no_landscape_are_refused_in_one_line(potential, gradient, message):
    with pytest.raises(ValueError, match=message) as refusal:
        Custom(potential, gradient)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("dim", "rule"),
    [(0, "be a positive integer"), (-1, "be a positive integer"), (3, "does not fit"), (10**400, "must be at most")],
)
def test_a_dimension_that_does_not_fit_is_refused(dim, rule):
    with pytest.raises(ValueError, match=rule):
        Custom(lambda x, y: x * y, lambda x, y: (y, x), dim=dim)


def test_the_gradient_is_checked_where_the_functions_live():
    custom = Custom(lambda x: np.log(x - 50), lambda x: 1 / (x - 50), check_at=[[51.0], [60.0]])
    assert custom.potential(np.array([[51.0]])) == pytest.approx([0.0])


def test_configuration_follows_the_source():
    first = Custom(lambda x: x * x, lambda x: 2 * x).configuration()
    second = Custom(lambda x: x * x + 1, lambda x: 2 * x).configuration()
    assert first["source_hash"] != second["source_hash"]
    named = Custom(quartic, quartic_gradient).configuration()
    assert named["potential"].endswith("quartic")
    assert named["dim"] == 1


def test_it_is_shown_by_the_names_of_its_functions():
    def bowl(x):
        return x * x

    def slope(x):
        return 2 * x

    assert repr(Custom(bowl, slope)) == "Custom(bowl, slope, dim=1)"


def test_an_index_beyond_the_point_is_refused():
    with pytest.raises(ValueError, match=r"index 2 is out of bounds .*; its arrays have the lengths 2"):
        Custom(lambda x: x[2] ** 2, lambda x: np.array([0.0, 2 * x[1]]), dim=2)
