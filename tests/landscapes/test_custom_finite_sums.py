"""Finite sums of a user's functions: equal to ours, compiled once, and wrong functions are refused with reasons."""

import math

import asserts
import numpy as np
import pytest
from numba import njit

import sgdphys as sp
from sgdphys import landscapes
from sgdphys.kernels import BlockTerm
from sgdphys.landscapes import FiniteSum, LeastSquares, LogisticRegression
from sgdphys.noises import GradientCovariance

GENERATOR = np.random.default_rng(5)
INPUTS = GENERATOR.normal(size=(30, 3))
TARGETS = GENERATOR.normal(size=30)
ROWS = np.column_stack([INPUTS, TARGETS])


@njit
def residual(x, row):
    total = -row[-1]
    for j in range(len(x)):
        total += x[j] * row[j]
    return total


def squared(x, row):
    return 0.5 * residual(x, row) ** 2


def squared_gradient(x, row, out):
    for j in range(len(x)):
        out[j] = residual(x, row) * row[j]


@njit
def log_likelihood(x, row):
    odds = np.dot(x, row[:-1])
    return math.log(1 + math.exp(odds)) - row[-1] * odds


@njit
def log_likelihood_gradient(x, row, out):
    slope = 1 / (1 + math.exp(-np.dot(x, row[:-1]))) - row[-1]
    out += slope * row[:-1]


@pytest.fixture(scope="module")
def landscape():
    return FiniteSum(squared, squared_gradient, ROWS, dim=3)


@pytest.fixture(scope="module")
def points():
    return GENERATOR.normal(size=(300, 3))


def test_derivatives(landscape, points):
    asserts.assert_gradient_is_derivative(landscape, points)
    asserts.assert_hessian_is_derivative(landscape, points)


def test_equals_least_squares(landscape, points):
    ours = LeastSquares(INPUTS, TARGETS)
    np.testing.assert_allclose(landscape.potential(points), ours.potential(points), rtol=1e-12)
    np.testing.assert_allclose(landscape.gradient(points), ours.gradient(points), rtol=0, atol=1e-13)
    np.testing.assert_allclose(landscape.hessian(points[:5]), ours.hessian(points[:5]), rtol=0, atol=1e-8)
    np.testing.assert_allclose(
        landscape.sample_gradients(points[:5]), ours.sample_gradients(points[:5]), rtol=0, atol=1e-13
    )
    np.testing.assert_allclose(
        landscape.gradient_covariance(points[:5]), ours.gradient_covariance(points[:5]), rtol=0, atol=1e-12
    )


def test_compiled_functions_equal_logistic_regression(points):
    labels = (TARGETS > 0).astype(float)
    custom = FiniteSum(log_likelihood, log_likelihood_gradient, np.column_stack([INPUTS, labels]), dim=3)
    ours = LogisticRegression(INPUTS, labels)
    np.testing.assert_allclose(custom.potential(points), ours.potential(points), rtol=1e-12)
    np.testing.assert_allclose(custom.gradient(points), ours.gradient(points), rtol=0, atol=1e-13)


def test_minibatches_of_it_are_those_of_least_squares(landscape):
    """The same seed draws the same samples, so that the clouds agree to rounding."""
    sgd = sp.SGD(lr=0.05, batch_size=3, sampling="without", n_samples=30)
    clouds = [
        sp.simulate(each, sgd=sgd, n_steps=20, n_particles=300, start=0.0, save_at=2, seed=4)["position"].values
        for each in (landscape, LeastSquares(INPUTS, TARGETS))
    ]
    np.testing.assert_allclose(clouds[0], clouds[1], rtol=0, atol=1e-12)
    assert clouds[0][-1].std(axis=0).min() > 0.01


def test_one_column_and_one_coordinate():
    custom = FiniteSum(squared_line, squared_line_gradient, [1.0, 2.0, 6.0], dim=1)
    np.testing.assert_allclose(custom.gradient(np.array([[0.0], [3.0]])), [[-3.0], [0.0]], rtol=0, atol=1e-14)


def squared_line(x, row):
    return 0.5 * (x[0] - row[0]) ** 2


def squared_line_gradient(x, row, out):
    out[0] = x[0] - row[0]


class Tripled(LeastSquares):
    """Three times the loss by factors of the terms, as a landscape from outside the package may have them."""

    def _terms(self, terms):
        return tuple(BlockTerm(term.kernel, term.parameters, 3.0) for term in terms)

    def sample_term(self):
        return self._terms([super().sample_term()])[0]

    def gradient_terms(self):
        return self._terms(super().gradient_terms())


@pytest.mark.parametrize("noise", [None, GradientCovariance(method="samples"), GradientCovariance(method="cholesky")])
def test_the_factor_of_a_sample_term_counts(noise):
    one, three = LeastSquares(INPUTS, TARGETS), Tripled(INPUTS, TARGETS)
    np.testing.assert_allclose(three.gradient_covariance(np.ones((1, 3))), 9 * one.gradient_covariance(np.ones((1, 3))))
    paths = [
        sp.simulate(loss, noise, sgd=sp.SGD(lr=lr, batch_size=5), n_steps=4, n_particles=30)["position"].values
        for loss, lr in ((one, 0.03), (three, 0.01))
    ]
    np.testing.assert_allclose(*paths, rtol=1e-6, atol=1e-9)


def test_functions_are_compiled_once(landscape):
    again = FiniteSum(squared, squared_gradient, ROWS, dim=3)
    assert again.sample_term().kernel is landscape.sample_term().kernel


def test_a_store_names_the_functions_and_does_not_run_them(landscape):
    configuration = landscape.configuration()
    assert configuration["sample_loss"].endswith("test_custom_finite_sums.squared")
    assert (
        configuration["source_hash"]
        != FiniteSum(squared_line, squared_line_gradient, [1.0], dim=1).configuration()["source_hash"]
    )
    with pytest.raises(ValueError, match="holds the user's own code"):
        landscapes.restore(configuration, {"sample_inputs": ROWS})


def twice_gradient(x, row, out):
    for j in range(len(x)):
        out[j] = 2 * residual(x, row) * row[j]


def forgotten_entry(x, row, out):
    out[0] = residual(x, row) * row[0]


def infinite(x, row):
    return math.inf


@pytest.mark.parametrize(
    ("loss", "gradient", "message"),
    [
        (squared, twice_gradient, r"sample_gradient\[0\] of sample 0 is .* finite difference of sample_loss is"),
        (squared, forgotten_entry, r"sample_gradient\[1\] of sample 0 is 0 at"),
        (infinite, squared_gradient, "finite at no test point; give check_at="),
        (lambda x: x[0], squared_gradient, r"sample_loss must take 2 arguments, sample_loss\(x, row\), got .* of 1"),
        (squared, lambda x, row: x, r"sample_gradient must take 3 arguments"),
        (squared, 3, "sample_gradient must be a function, got int"),
        (lambda x, row: "text", squared_gradient, "numba cannot compile"),
        (lambda x, row: unknown(x), squared_gradient, "numba cannot compile .*unknown"),  # noqa: F821
    ],
)
def test_functions_that_do_not_fit_are_refused(loss, gradient, message):
    with pytest.raises(ValueError, match=message):
        FiniteSum(loss, gradient, ROWS, dim=3)


@pytest.mark.parametrize(
    ("data", "dim", "message"),
    [
        ([[1.0, np.nan]], 1, "data must be finite, got nan"),
        (np.zeros((0, 2)), 1, "at least one sample"),
        (np.zeros((2, 2, 2)), 1, "data must have the shape"),
        ([1.0], 0, "dim must be a positive integer"),
    ],
)
def test_data_that_do_not_fit_are_refused(data, dim, message):
    with pytest.raises(ValueError, match=message):
        FiniteSum(squared_line, squared_line_gradient, data, dim=dim)


def test_an_index_beyond_its_array_is_refused():
    def loss(x, row):
        return 0.5 * (x[0] - row[1]) ** 2

    def gradient(x, row, out):
        out[0] = x[0] - row[0]
        out[1] = 0.0

    def short(x, row, out):
        out[0] = x[0] - row[0]

    def right(x, row):
        return 0.5 * (x[0] - row[0]) ** 2

    with pytest.raises(ValueError, match=r"loss: index 1 is out of bounds .*; its arrays have the lengths 1, 1"):
        sp.landscapes.FiniteSum(loss, short, np.ones((3, 1)), 1)
    with pytest.raises(ValueError, match=r"gradient: index 1 is out of bounds .*; its arrays have the lengths 1, 1, 1"):
        sp.landscapes.FiniteSum(right, gradient, np.ones((3, 1)), 1)
    assert sp.landscapes.FiniteSum(right, short, np.ones((3, 1)), 1).dim == 1
