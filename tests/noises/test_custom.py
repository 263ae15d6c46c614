"""Noise of users' functions: the same law as that of a formula, checks, and clear refusals."""

import numpy as np
import pytest
from asserts import assert_same_bits

import sgdphys as sp
from sgdphys.kernels import evaluate
from sgdphys.noises import Custom, Formula

BOWL = sp.landscapes.Quadratic(1.0)


def squared(x):
    return 1 + x * x


def slope(x):
    return 2 * x


def half_slope(x):
    return x


def negative(x):
    return -1.0 - x * x


def above(x):
    return x


def pair(x, y):
    return 1 + x * x, 2 + x * y * y


def three(x, y):
    return 1.0, 2.0, 3.0


def of_array(x):
    return 1 + x[0] ** 2 + x[1] * x[2] ** 2


def calls_python(x):
    return np.linalg.norm([x, len(str(x))])


def test_a_function_is_the_formula():
    options = {"temperature": 0.2, "dt": 0.01, "n_steps": 50, "n_particles": 100, "start": 0.1, "save_at": 3}
    text = sp.simulate(BOWL, Formula("1 + x**2", interpretation="stratonovich"), **options)
    own = sp.simulate(BOWL, Custom(squared, slope, interpretation="stratonovich"), **options)
    np.testing.assert_allclose(own["position"].values, text["position"].values, rtol=1e-12, atol=1e-13)


def test_the_divergence_is_found_by_differences():
    points = np.random.default_rng(0).normal(size=(50, 2))
    x, y = points.T
    noise = Custom(pair)
    np.testing.assert_allclose(evaluate(noise.divergence_terms(2), points, 2), np.c_[2 * x, 2 * x * y], atol=1e-8)
    points = np.random.default_rng(0).normal(size=(50, 3))
    x, y, z = points.T
    noise = Custom(of_array, dim=3)
    np.testing.assert_allclose(
        evaluate(noise.divergence_terms(3), points, 3), np.c_[2 * x, z * z, 2 * y * z], atol=1e-8
    )


def test_a_compiled_function_serves_as_well():
    from numba import njit

    options = {"temperature": 0.2, "dt": 0.01, "n_steps": 5, "n_particles": 10, "start": 0.1, "save_at": 1}
    plain, compiled = Custom(squared), Custom(njit(squared))
    assert_same_bits(
        sp.simulate(BOWL, plain, **options)["position"].values,
        sp.simulate(BOWL, compiled, **options)["position"].values,
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Custom(3), "must be functions, got int"),
        (lambda: Custom(squared, pair), "must take the same arguments"),
        (lambda: Custom(pair, dim=3), "does not fit a diffusion of 2 arguments"),
        (lambda: Custom(three), r"a number or 2 of them \(the diagonal\), got shape \(3,\)"),
        (lambda: Custom(squared, half_slope), r"divergence\[0\] is .* but the finite difference"),
        (lambda: Custom(negative), "finite and not negative, it is"),
        (lambda: Custom(above, check_at=[[1.0], [-1.0]]), r"it is \[-1.0\] at \[-1.0\]"),
        (lambda: Custom(above, check_at=[1.0]), r"finite points of the shape \(particle, 1\)"),
        (lambda: Custom(calls_python), "numba cannot compile .*calls_python"),
        (lambda: Custom(squared, interpretation="backward"), "interpretation must be one of"),
        (lambda: Custom(squared).bound(sp.landscapes.Quadratic(np.eye(2))), "has 1 coordinates, the landscape has 2"),
        (lambda: Custom(above).bound(sp.landscapes.DoubleWell()), "must not be negative, at the landscape.s minimum"),
    ],
)  # fmt: skip
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_configuration_names_the_functions():
    configuration = Custom(squared, slope).configuration()
    assert [name.rsplit(".", 1)[1] for name in configuration["functions"]] == ["squared", "slope"]
    assert configuration["source_hash"] != Custom(squared).configuration()["source_hash"]
