"""Finite sums: derivatives, per-sample gradients, their covariance, what is stored, what is refused."""

import itertools

import asserts
import naive
import numpy as np
import pytest

from sgdphys import landscapes
from sgdphys.landscapes import (
    DiagonalLinearNetwork,
    LeastSquares,
    LogisticRegression,
    MatrixFactorisation,
    PhaseRetrieval,
    Sum,
    TwoLayerNetwork,
)
from sgdphys.protocols import Curved, Landscape

GENERATOR = np.random.default_rng(11)
INPUTS = GENERATOR.normal(size=(23, 3))
TARGETS = GENERATOR.normal(size=23)
LABELS = (GENERATOR.random(23) < 0.5).astype(float)
WIDE = GENERATOR.normal(size=(300, 9))

FAMILIES = {
    "least squares": LeastSquares(INPUTS, TARGETS),
    "least squares, one feature": LeastSquares([1.0, 2.0, -1.0, 0.5], [1.0, 1.0, 0.0, 2.0]),
    "least squares, more features than samples": LeastSquares(WIDE[:5], TARGETS[:5]),
    "logistic regression": LogisticRegression(INPUTS, LABELS),
    "logistic regression, 300 samples": LogisticRegression(WIDE, WIDE[:, 0] > 0.3),
    "phase retrieval": PhaseRetrieval(INPUTS, TARGETS**2),
    "two layers, tanh": TwoLayerNetwork(INPUTS, TARGETS, width=4),
    "two layers, relu": TwoLayerNetwork(INPUTS, TARGETS, width=3, activation="relu"),
    "diagonal linear network": DiagonalLinearNetwork(INPUTS, TARGETS),
    "diagonal linear network, few samples": DiagonalLinearNetwork(WIDE[:4], TARGETS[:4]),
    "matrix factorisation": MatrixFactorisation(INPUTS[:5], rank=2),
    "matrix completion": MatrixFactorisation(INPUTS[:6], rank=1, observed=INPUTS[:6] > -0.5),
    "two layers, one unit": TwoLayerNetwork(INPUTS[:, 0], TARGETS, width=1),
}


@pytest.fixture(params=FAMILIES)
def landscape(request):
    return FAMILIES[request.param]


@pytest.fixture
def points(landscape):
    return np.random.default_rng(1).normal(scale=0.8, size=(300, landscape.dim))


def test_fits_the_protocols(landscape):
    assert isinstance(landscape, Landscape)
    assert isinstance(landscape, Curved)
    assert str(landscape.n_samples) in repr(landscape)


def test_gradient_is_the_derivative_of_the_potential(landscape, points):
    asserts.assert_gradient_is_derivative(landscape, points)


def test_hessian_is_the_derivative_of_the_gradient(landscape, points):
    asserts.assert_hessian_is_derivative(landscape, points)


def test_known_minima_are_critical(landscape):
    asserts.assert_critical_points(landscape)


def test_loss_and_sample_gradients_equal_the_naive_ones(landscape, points):
    losses, gradients = naive.sample_losses_and_gradients(landscape, points[:5])
    np.testing.assert_allclose(landscape.potential(points[:5]), losses.mean(axis=1), rtol=1e-12)
    scale = np.abs(gradients).max()
    np.testing.assert_allclose(landscape.sample_gradients(points[:5]), gradients, rtol=0, atol=1e-8 * scale)


def test_sample_gradients_average_to_the_gradient(landscape, points):
    gradients = landscape.sample_gradients(points[:20])
    assert gradients.shape == (20, landscape.n_samples, landscape.dim)
    scale = np.abs(gradients).max()
    np.testing.assert_allclose(gradients.mean(axis=1), landscape.gradient(points[:20]), rtol=0, atol=1e-14 * scale)


def test_gradient_covariance_is_that_of_the_population(landscape, points):
    gradients = landscape.sample_gradients(points[:4])
    expected = [np.atleast_2d(np.cov(each.T, bias=True)) for each in gradients]
    covariance = landscape.gradient_covariance(points[:4])
    scale = np.abs(expected).max()
    np.testing.assert_allclose(covariance, expected, rtol=0, atol=1e-14 * scale)
    unbiased = [np.atleast_2d(np.cov(each.T)) for each in gradients]
    assert np.abs(covariance - unbiased).max() > 1e-3 * scale


def test_a_sample_does_not_depend_on_its_neighbours(landscape, points):
    one = landscape.sample_gradients(points[:1])[0]
    np.testing.assert_array_equal(landscape.sample_gradients(points[:7])[0], one)
    assert np.array_equal(landscape.gradient(points)[:7], landscape.gradient(points[:7]))


def test_a_lost_particle_stays_alone(landscape, points):
    lost = points.copy()
    lost[3] = np.nan
    assert not np.isfinite(landscape.potential(lost)[3])
    assert np.array_equal(np.delete(landscape.gradient(lost), 3, 0), np.delete(landscape.gradient(points), 3, 0))


def test_configuration_and_data_make_the_landscape_again(landscape, points):
    asserts.assert_configuration_is_complete(landscape, landscapes.restore, points[:20])
    with pytest.raises(ValueError, match="no sample_inputs and no sample_targets"):
        landscapes.restore(landscape.configuration(), {})


def test_variables_are_of_the_schema(landscape):
    from sgdphys import schema

    for name, (dims, array) in landscape.variables().items():
        assert schema.BY_NAME[name].dims == dims
        assert array.ndim == len(dims)


def test_no_points_give_no_values(landscape):
    none = np.zeros((0, landscape.dim))
    assert landscape.gradient(none).shape == none.shape
    assert landscape.hessian(none).shape == (0, landscape.dim, landscape.dim)
    assert landscape.gradient_covariance(none).shape == (0, landscape.dim, landscape.dim)
    assert landscape.sample_gradients(none).shape == (0, landscape.n_samples, landscape.dim)


def test_all_subsets_and_all_draws_have_the_stated_covariance():
    """Exhaustive, without tolerance but rounding: C/b (N-b)/(N-1) over all subsets, C/b over all ordered draws."""
    n, b = 6, 3
    landscape = LeastSquares(WIDE[:n, :2], TARGETS[:n])
    point = np.array([[0.7, -1.1]])
    gradients, covariance = landscape.sample_gradients(point)[0], landscape.gradient_covariance(point)[0]
    subsets = np.array([gradients[list(chosen)].mean(axis=0) for chosen in itertools.combinations(range(n), b)])
    draws = np.array([gradients[list(chosen)].mean(axis=0) for chosen in itertools.product(range(n), repeat=b)])
    assert (len(subsets), len(draws)) == (20, 216)
    np.testing.assert_allclose(np.cov(subsets.T, bias=True), covariance / b * (n - b) / (n - 1), rtol=0, atol=1e-14)
    np.testing.assert_allclose(np.cov(draws.T, bias=True), covariance / b, rtol=0, atol=1e-14)


def test_more_samples_than_one_pass_takes():
    inputs = np.random.default_rng(3).normal(size=(4096 + 5, 2))
    landscape = LeastSquares(inputs, inputs[:, 0] ** 2)
    gradients = landscape.sample_gradients(np.ones((1, 2)))[0]
    expected = (inputs.sum(axis=1) - inputs[:, 0] ** 2)[:, np.newaxis] * inputs
    np.testing.assert_allclose(gradients, expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(
        landscape.gradient_covariance(np.ones((1, 2)))[0], np.cov(expected.T, bias=True), rtol=1e-12
    )


def test_least_squares_is_half_the_squared_residual():
    landscape = FAMILIES["least squares, one feature"]
    assert landscape.hessian(np.zeros((1, 1)))[0, 0, 0] == 1.5625
    np.testing.assert_allclose(landscape.minima, [[0.64]], rtol=1e-14)
    assert np.isclose(landscape.potential(np.array([[0.0]]))[0], (1 + 1 + 0 + 4) / 8)


def test_least_squares_of_few_samples_has_no_single_minimum():
    landscape = FAMILIES["least squares, more features than samples"]
    assert len(landscape.minima) == 0
    assert np.abs(landscape.gradient(landscape.solution[np.newaxis])).max() < 1e-14


def test_large_log_odds_do_not_overflow():
    landscape = LogisticRegression([[1.0], [1.0]], [1, 0])
    values = landscape.potential(np.array([[800.0], [-800.0], [0.0]]))
    np.testing.assert_allclose(values, [400.0, 400.0, np.log(2)], rtol=1e-15)
    np.testing.assert_allclose(landscape.gradient(np.array([[800.0], [-800.0]])), [[0.5], [-0.5]], rtol=1e-15)


@pytest.mark.parametrize("family", [LeastSquares, LogisticRegression, PhaseRetrieval, DiagonalLinearNetwork])
@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (np.zeros((2, 2, 2)), [0, 1], r"inputs must have the shape \(any, any\)"),
        (np.zeros((0, 2)), [], "at least one sample"),
        (np.zeros((2, 0)), [0, 1], "at least one sample of one feature"),
        ([[1.0], [np.nan]], [0, 1], "inputs must be finite"),
        ([[1.0], [2.0]], [0, np.inf], "must be finite, got inf"),
        ([[1.0], [2.0]], [0, 1, 1], "one a sample, got 3 for 2"),
        ([[1.0], [2.0]], [[0], [1]], r"must have the shape \(any\), got \(2, 1\)"),
    ],
)
def test_data_that_do_not_fit_are_refused(family, inputs, targets, message):
    with pytest.raises(ValueError, match=message):
        family(inputs, targets)


@pytest.mark.parametrize("wrong", [-1, 2, 0.5])
def test_other_labels_are_refused(wrong):
    with pytest.raises(ValueError, match=rf"labels must be 0 or 1, got {wrong}"):
        LogisticRegression([[1.0], [2.0]], [1, wrong])


def test_a_store_of_two_data_sets_is_not_taken_for_one():
    both = Sum(LeastSquares([1.0, 2.0], [0.0, 1.0]), LeastSquares([1.0, 3.0], [0.0, 1.0]))
    stored = {name: array for name, (_, array) in both.variables().items()}
    with pytest.raises(ValueError, match="the second must be made anew"):
        landscapes.restore(both.configuration(), stored)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_network_is_that_of_torch(activation):
    """The order of the coordinates is that of torch's parameters, and the loss half its MSELoss."""
    torch = pytest.importorskip("torch")
    middle = torch.nn.Tanh() if activation == "tanh" else torch.nn.ReLU()
    model = torch.nn.Sequential(torch.nn.Linear(3, 5), middle, torch.nn.Linear(5, 1)).double()
    landscape = TwoLayerNetwork(INPUTS, TARGETS, width=5, activation=activation)
    inputs, targets = torch.tensor(INPUTS), torch.tensor(TARGETS)
    loss = 0.5 * torch.nn.functional.mse_loss(model(inputs)[:, 0], targets)
    loss.backward()
    point = np.concatenate([each.detach().numpy().ravel() for each in model.parameters()])[np.newaxis]
    gradient = np.concatenate([each.grad.numpy().ravel() for each in model.parameters()])
    np.testing.assert_allclose(landscape.predictions(point)[0], model(inputs)[:, 0].detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(landscape.potential(point)[0], loss.item(), rtol=1e-12)
    np.testing.assert_allclose(landscape.gradient(point)[0], gradient, rtol=0, atol=1e-14)


@pytest.mark.parametrize("width", [0, -1, 2.5, "4", None, True])
def test_a_width_that_is_no_number_of_units_is_refused(width):
    with pytest.raises(ValueError, match="width must be a positive integer"):
        TwoLayerNetwork(INPUTS, TARGETS, width=width)


@pytest.mark.parametrize("activation", ["sigmoid", None, ["tanh"]])
def test_other_activations_are_refused(activation):
    with pytest.raises(ValueError, match="activation must be one of tanh, relu"):
        TwoLayerNetwork(INPUTS, TARGETS, width=2, activation=activation)


def test_interpolating_minima_of_a_diagonal_network_have_no_noise():
    """Four samples of nine features: coefficients that fit them all, written as differences of squares."""
    landscape = FAMILIES["diagonal linear network, few samples"]
    beta = np.linalg.lstsq(landscape.inputs, landscape.targets)[0]
    point = np.sqrt(np.concatenate([np.maximum(beta, 0), np.maximum(-beta, 0)]))[np.newaxis]
    np.testing.assert_allclose(landscape.regression_coefficients(point)[0], beta, rtol=0, atol=1e-15)
    assert landscape.potential(point)[0] < 1e-28
    assert np.abs(landscape.gradient_covariance(point)).max() < 1e-26


def test_factors_of_the_matrix_make_no_loss():
    left, right = GENERATOR.normal(size=(4, 2)), GENERATOR.normal(size=(3, 2))
    landscape = MatrixFactorisation(left @ right.T, rank=2)
    mixing = np.array([[2.0, 1.0], [0.5, 1.0]])
    moved = (left @ mixing, right @ np.linalg.inv(mixing).T)
    for factors in ((left, right), moved):
        point = np.concatenate([each.ravel() for each in factors])[np.newaxis]
        assert landscape.potential(point)[0] < 1e-28
        assert np.array_equal(landscape.factors(point)[1][0], factors[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0], 1), "matrix must have the shape"),
        ((np.zeros((0, 3)), 1), "matrix must have the shape"),
        (([[1.0, np.nan]], 1), "observed entries of matrix must be finite, got nan"),
        (([[1.0, 2.0]], 0), "rank must be a positive integer"),
        (([[1.0, 2.0]], 1, [True, False]), "observed must be boolean of the matrix's shape"),
        (([[1.0, 2.0]], 1, [[1, 0]]), "got int64"),
        (([[1.0, 2.0]], 1, [[False, False]]), "with 0 entries"),
    ],
)
def test_matrices_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MatrixFactorisation(*arguments)


def test_bits_do_not_depend_on_the_width_of_the_block(landscape):
    """The engine cuts ensembles into blocks of several widths; vectors and their remainders must agree."""
    generator = np.random.default_rng(8)
    x = generator.normal(size=(landscape.dim, 300))
    indices, weights = generator.integers(0, landscape.n_samples, 300), generator.normal(size=300)
    (field,), sample = landscape.gradient_terms(), landscape.sample_term()
    results = []
    for lanes in (300, 256, 64, 13, 8, 1):
        block, out, full = np.ascontiguousarray(x[:, :lanes]), np.zeros((landscape.dim, lanes)), np.zeros_like(x)
        work = np.empty((landscape.sample_work_rows(), lanes))
        full = np.zeros((landscape.dim, lanes))
        sample.kernel.compiled(
            block, np.array(sample.parameters), indices[:lanes].copy(), weights[:lanes].copy(), work, out
        )
        field.kernel.compiled(block, np.array(field.parameters), 0.7, full)
        results.append((out, full))
    for out, full in results:
        assert np.array_equal(out, results[0][0][:, : out.shape[1]])
        assert np.array_equal(full, results[0][1][:, : out.shape[1]])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
def test_minimum_of_logistic_regression(scale):
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(200, 3))
    labels = (generator.random(200) < 1 / (1 + np.exp(-inputs @ [1.0, -1.0, 2.0]))).astype(float)
    landscape = landscapes.LogisticRegression(scale * inputs, labels)
    assert landscape.minima.shape == (1, 3)
    assert np.abs(landscape.gradient(landscape.minima)).max() < 1e-12 * scale
    assert np.linalg.eigvalsh(landscape.hessian(landscape.minima)[0]).min() > 0


@pytest.mark.parametrize(
    ("inputs", "labels"), [([[1.0], [2.0], [-1.0]], [1, 1, 0]), ([[1.0, 1.0], [2.0, 2.0], [-1.0, -1.0]], [1, 0, 0])]
)
def test_separable_or_collinear_data_have_no_single_minimum(inputs, labels):
    assert landscapes.LogisticRegression(np.array(inputs), np.array(labels, float)).minima.shape[0] == 0
