import numpy as np
import pytest
import torch
from asserts import assert_excluded, assert_within
from scipy.stats import wasserstein_distance

from sgdphys.network.curvature.symmetric_operator import GivenOperator


def rotated(values, seed=0, dtype=torch.float64):
    """Return a symmetric matrix with these eigenvalues and the operator that knows it by products."""
    Q = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values),) * 2))[0]
    matrix = torch.tensor((Q * values) @ Q.T, dtype=dtype)
    return matrix, GivenOperator(lambda V: matrix @ V, torch.zeros(len(values), dtype=dtype))


SEMICIRCLE = 2 * np.cos(np.pi * (np.arange(400) + 0.5) / 400)  # of an arcsine law


def test_moments_of_the_density_are_traces_of_powers(digits):
    density = digits.curvature().density(n_probes=12, n_steps=30, seed=3)
    H = digits.curvature().dense()
    exact = [np.trace(np.linalg.matrix_power(H, power)) / digits.dim for power in range(5)]
    moments, errors = density["spectral_moment"].values, density["spectral_moment_standard_error"].values
    assert moments[0] == pytest.approx(1, abs=1e-12)
    assert_within(moments[1:], exact[1:], errors[1:])
    assert_excluded(moments[1:3], np.array(exact[1:3]) / 2, errors[1:3], 5)
    grid = density["spectrum_value"].values
    assert np.trapezoid(density["spectral_density"].values, grid) == pytest.approx(1, abs=1e-3)
    assert density.attrs["products"] == 360


def test_a_density_has_the_unit_of_one_over_the_curvature(digits):
    found = digits.curvature().density(n_probes=2, n_steps=5, n_points=11)
    assert found["spectrum_value"].attrs["units"] == found["node"].attrs["units"] == "loss/x^2"
    assert found["spectral_density"].attrs["units"] == "1/(loss/x^2)"


def test_lanczos_quadrature_is_exact_for_polynomials_of_its_start():
    matrix, operator = rotated(np.linspace(-1, 2, 50))
    from sgdphys.network.curvature.quadrature import lanczos_quadrature

    starts = torch.tensor(np.random.default_rng(1).normal(size=(50, 3)))
    quadrature = lanczos_quadrature(operator.products, starts, 6)
    unit = starts / starts.norm(dim=0)
    image = unit.clone()
    for power in range(12):  # up to 2 * 6 - 1
        np.testing.assert_allclose(quadrature.integrals(quadrature.nodes**power), (unit * image).sum(dim=0), rtol=1e-10)
        image = matrix @ image
    inexact = quadrature.integrals(quadrature.nodes**12)
    assert np.abs(inexact / (unit * image).sum(dim=0).numpy() - 1).max() > 1e-6


def test_the_density_of_a_known_spectrum():
    _, operator = rotated(SEMICIRCLE)
    density = operator.density(n_probes=12, n_steps=120)
    weights = density["node_weight"].values.ravel()
    distance = wasserstein_distance(density["node"].values.ravel(), SEMICIRCLE, weights)
    assert distance < 0.03  # of a range of 4; a uniform law of the same range lies 0.2 away
    assert wasserstein_distance(np.linspace(-2, 2, 400), SEMICIRCLE) > 5 * distance
    smooth = np.exp(-0.5 * ((density["spectrum_value"].values[:, None] - SEMICIRCLE) / density.attrs["width"]) ** 2)
    smooth = smooth.mean(axis=1) / (density.attrs["width"] * np.sqrt(2 * np.pi))
    grid = density["spectrum_value"].values
    assert np.trapezoid(np.abs(density["spectral_density"].values - smooth), grid) < 0.1


def test_a_spectrum_of_two_values_takes_two_nodes():
    _, operator = rotated(np.repeat([1.0, 5.0], [30, 10]))
    density = operator.density(n_probes=20, n_steps=10)
    seen = density["node_weight"].values > 1e-10
    assert np.all(seen.sum(axis=1) == 2)
    np.testing.assert_allclose(np.sort(density["node"].values[seen]), np.repeat([1.0, 5.0], 20), rtol=1e-10)
    share = np.where(seen & (density["node"].values > 3), density["node_weight"].values, 0).sum(axis=1)
    assert_within(share.mean(), 0.25, share.std(ddof=1) / 20**0.5)


def test_a_density_is_reproducible_and_independent_of_the_number_of_probes():
    _, operator = rotated(SEMICIRCLE[:60])
    few, many = operator.density(3, 10, seed=5), operator.density(5, 10, seed=5)
    np.testing.assert_allclose(many["node"].values[:3], few["node"].values, atol=1e-12)
    assert np.abs(operator.density(3, 10, seed=6)["node"].values - few["node"].values).max() > 1e-3


def test_functions_of_a_matrix():
    values = np.linspace(0.5, 3, 80)
    _, operator = rotated(values)
    for function in (np.log, np.abs, np.sqrt):
        found = operator.trace_of_function(function, n_probes=20, n_steps=30)
        assert_within(float(found), function(values).sum(), found.attrs["standard_error"])
    assert found.attrs["products"] == 600


def test_the_exact_trace_and_diagonal_have_no_error():
    matrix, operator = rotated(np.linspace(-1, 3, 150))
    assert float(operator.trace()) == pytest.approx(float(matrix.trace()), rel=1e-12)
    assert operator.trace().attrs["standard_error"] == 0 and operator.trace().attrs["products"] == 150
    diagonal = operator.diagonal()
    np.testing.assert_allclose(diagonal["matrix_diagonal"], matrix.diagonal(), rtol=1e-12)
    assert not diagonal["matrix_diagonal_standard_error"].values.any()


@pytest.mark.parametrize("method", ["hutchinson", "hutch++"])
def test_traces_have_no_bias_and_honest_errors(method):
    values = np.concatenate([np.linspace(0.5, 1.5, 60), [20.0, 10.0, 5.0]])
    _, operator = rotated(values)
    found = [operator.trace(method, n_products=60, seed=seed) for seed in range(200)]
    traces = np.array([float(one) for one in found])
    errors = np.array([one.attrs["standard_error"] for one in found])
    assert_within(traces.mean(), values.sum(), traces.std(ddof=1) / 200**0.5)
    covered = np.mean(np.abs(traces - values.sum()) < 2 * errors)
    assert 0.90 < covered < 0.99  # Student's t of 19 or 59 degrees of freedom: 0.94, 0.95
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(traces.std(ddof=1), rel=0.2)
    assert all(one.attrs["products"] == 60 for one in found)


def test_hutchinson_has_the_variance_of_its_off_diagonal():
    matrix, operator = rotated(np.linspace(-1, 3, 40))
    off = matrix - torch.diag(matrix.diagonal())
    traces = [float(operator.trace("hutchinson", n_products=5, seed=seed)) for seed in range(1500)]
    exact = 2 * float(off.square().sum()) / 5
    assert_within(np.var(traces), exact, exact * (2 / 1500) ** 0.5 * 1.3)
    assert_excluded(np.var(traces), exact / 2, exact * (2 / 1500) ** 0.5)


def test_hutch_plus_plus_beats_hutchinson_where_the_spectrum_decays():
    _, operator = rotated(1.0 / np.arange(1, 201) ** 2)
    spread = {m: np.std([float(operator.trace(m, n_products=60, seed=s)) for s in range(30)])
              for m in ("hutchinson", "hutch++")}  # fmt: skip
    assert spread["hutch++"] < spread["hutchinson"] / 50


def test_the_estimated_diagonal_and_its_errors():
    matrix, operator = rotated(np.linspace(-1, 3, 40))
    found = operator.diagonal("hutchinson", n_products=400, seed=1)
    exact = matrix.diagonal().numpy()
    z = (found["matrix_diagonal"].values - exact) / found["matrix_diagonal_standard_error"].values
    assert np.abs(z).max() < 4 and 0.6 < np.mean(z**2) < 1.6
    off = (matrix - torch.diag(matrix.diagonal())).square().sum(dim=1).numpy() / 400
    variance = found["matrix_diagonal_standard_error"].values ** 2
    assert variance.mean() == pytest.approx(off.mean(), rel=0.06)  # 40 variances of 400 draws each err by 7 %


def test_traces_of_layers_add_up(perceptron):
    curvature = perceptron.curvature()
    exact = curvature.trace(by="layer")
    H = curvature.dense()
    assert list(exact["layer"].values) == ["0", "2"]
    np.testing.assert_allclose(exact["layer_trace"], [np.trace(H[:16, :16]), np.trace(H[16:, 16:])], rtol=1e-12)
    found = curvature.trace("hutchinson", by="layer", n_products=300, seed=2)
    assert_within(found["layer_trace"], exact["layer_trace"], found["layer_trace_standard_error"])
    part = perceptron.curvature(params="2.*").trace(by="layer")
    assert list(part["layer"].values) == ["2"]
    np.testing.assert_allclose(part["layer_trace"], exact["layer_trace"][1:], rtol=1e-12)


def test_traces_of_layers_refuse_what_they_cannot(perceptron):
    for options, message in (
        ({"by": "neuron"}, "by must be 'layer' or None, got 'neuron'"),
        ({"method": "hutch++", "by": "layer"}, "knows of no layers"),
        ({"method": "magic", "by": "layer"}, "method must be 'exact'"),
        ({"method": "hutchinson", "by": "layer", "n_products": 1}, "n_products must be at least 2"),
    ):
        with pytest.raises(ValueError, match=message):
            perceptron.curvature().trace(**options)


def test_float32_matrices_are_summed_in_float64():
    values = np.linspace(0.5, 1.5, 300)
    _, operator = rotated(values, dtype=torch.float32)
    assert float(operator.trace()) == pytest.approx(300, rel=1e-6)
    density = operator.density(4, 40)
    assert density["spectral_moment"].values[0] == pytest.approx(1, abs=1e-6)
    assert float(density["node"].max()) == pytest.approx(1.5, abs=1e-3)


def test_requests_that_make_no_sense_are_refused():
    _, operator = rotated(np.ones(5))
    with pytest.raises(ValueError, match="method must be 'exact', 'hutchinson' or 'hutch\\+\\+', got 'magic'"):
        operator.trace("magic")
    with pytest.raises(ValueError, match="n_products must be at least 6 for method='hutch\\+\\+', got 5"):
        operator.trace("hutch++", n_products=5)
    with pytest.raises(ValueError, match="method must be 'exact' or 'hutchinson', got 'hutch\\+\\+'"):
        operator.diagonal("hutch++")
    with pytest.raises(ValueError, match="n_probes must be a positive integer, got 0"):
        operator.density(0)
    with pytest.raises(ValueError, match="width must be positive and finite, got 0"):
        operator.density(width=0)
    with pytest.raises(ValueError, match="width must be positive and finite, got inf"):
        operator.density(width=np.inf)
    with pytest.raises(ValueError, match="seed must be an integer, not negative, got -1"):
        operator.trace("hutchinson", seed=-1)
    with pytest.raises(ValueError, match=r"function must return a value for each eigenvalue, shape \(2, 5\), got \(\)"):
        operator.trace_of_function(lambda _values: 3.0, 2)
    assert operator.trace("hutchinson", n_products=4.0) == pytest.approx(5)
    assert operator.density(2, 5.0, n_points=11.0).sizes["spectrum_value"] == 11
