import numpy as np
import pytest
import scipy.sparse.linalg
import torch
from network_models import network_with

from sgdphys.errors import MemoryLimitError
from sgdphys.network.curvature.symmetric_operator import GivenOperator


def diagonal(values):
    scale = torch.tensor(np.asarray(values, float))
    return GivenOperator(lambda V: scale[:, None] * V, torch.zeros_like(scale))


def test_both_ends_of_the_spectrum():
    values = np.concatenate([[-5.0, -4.0, -4.0], np.linspace(-1, 1, 60), [7.0, 9.0]])
    operator = diagonal(values)
    np.testing.assert_allclose(operator.top(2)["eigenvalue"], [9, 7], rtol=1e-9)
    np.testing.assert_allclose(operator.top(3, end="smallest")["eigenvalue"], [-4, -4, -5], rtol=1e-9)
    both = operator.top(2, end="both")
    np.testing.assert_allclose(both["eigenvalue"], [9, 7, -4, -5], rtol=1e-9)
    vectors = both["eigenvector"].values
    residuals = np.linalg.norm(values[:, None] * vectors - vectors * both["eigenvalue"].values, axis=0)
    np.testing.assert_allclose(both["residual_norm"], residuals, atol=1e-12)
    assert residuals.max() < 1e-7


def test_float32_iterations_end_at_their_rounding():
    network = network_with("linear", torch.float32)
    values = np.linalg.eigvalsh(network_with("linear").curvature().dense())
    top = network.curvature().top(3, end="both")
    np.testing.assert_allclose(top["eigenvalue"], [*values[::-1][:3], *values[:3][::-1]], atol=1e-5 * values[-1])
    assert top["residual_norm"].max() < 1e-5 * values[-1]


def test_scipy_takes_the_operator(perceptron):
    operator = perceptron.curvature().to_scipy()
    H = perceptron.curvature().dense()
    v = np.random.default_rng(0).normal(size=(31, 2))
    np.testing.assert_allclose(operator @ v, H @ v, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(operator.T @ v[:, 0], H @ v[:, 0], rtol=1e-11, atol=1e-13)
    largest = scipy.sparse.linalg.eigsh(operator, 3, which="LA", return_eigenvectors=False)
    np.testing.assert_allclose(np.sort(largest), np.linalg.eigvalsh(H)[-3:], rtol=1e-9)


def test_gradient_noise_has_ends_a_density_and_functions(perceptron):
    noise = perceptron.noise()
    operator = GivenOperator.of(noise)
    values = np.linalg.eigvalsh(noise.dense())[::-1]
    np.testing.assert_allclose(operator.top(4)["eigenvalue"], values[:4], rtol=1e-9)
    assert float(operator.trace()) == pytest.approx(values.sum(), rel=1e-11)
    assert operator.trace().attrs["units"] == "loss^2/x^2"
    root = operator.trace_of_function(lambda s: np.sqrt(np.maximum(s, 0)), n_probes=40, n_steps=31)
    assert abs(float(root) - np.sqrt(np.maximum(values, 0)).sum()) < 4 * root.attrs["standard_error"]


def test_a_large_space_is_looked_at_now_and_then():
    values = np.linspace(0, 1, 400) ** 0.5  # the upper end is dense: many steps
    pairs = diagonal(values).top(3)
    np.testing.assert_allclose(pairs["eigenvalue"], values[::-1][:3], rtol=1e-9)
    assert 60 < pairs.attrs["products"] <= 800


def test_what_does_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr("sgdphys.simulation.memory.available_memory", lambda: 10_000)
    operator = diagonal(np.ones(100))
    with pytest.raises(MemoryLimitError, match=r"the dense matrix of 100 parameters.*use matvec or top"):
        operator.dense()
    with pytest.raises(MemoryLimitError, match=r"160 Lanczos vectors of 100 parameters.*take fewer steps"):
        operator.density()
    with pytest.raises(MemoryLimitError, match=r"180 sketch vectors of 100 parameters.*method='hutchinson'"):
        operator.trace("hutch++")
    assert float(operator.trace("hutchinson")) == 100


def test_ends_out_of_range_are_refused():
    with pytest.raises(ValueError, match="end must be 'largest', 'smallest' or 'both', got 'middle'"):
        diagonal(np.ones(4)).top(1, end="middle")
    with pytest.raises(ValueError, match="k must lie between 1 and half the dimension 4 for end='both', got 3"):
        diagonal(np.ones(4)).top(3, end="both")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 2.5}, "k must be"),
        ({"k": True}, "k must be"),
        ({"tolerance": np.nan}, "tolerance must be finite and not negative"),  # went on for ever
        ({"max_iterations": 0}, "max_iterations must be a positive integer"),
        ({"seed": "a"}, "seed must be an integer"),
        ({"seed": 2**70}, "seed must be below"),
    ],
)
def test_settings_that_are_no_numbers_are_refused(options, message):
    operator = GivenOperator(lambda v: v, torch.zeros(8, dtype=torch.float64))
    with pytest.raises(ValueError, match=message):
        operator.top(**{"k": 2, **options})


@pytest.mark.parametrize("v", [np.ones(7), np.ones((2, 8)), np.ones((8, 0)), np.ones((8, 2, 2)), 1.0, None, "a"])
def test_products_refuse_vectors_of_another_shape(v):
    with pytest.raises(ValueError, match="v must"):
        GivenOperator(lambda columns: columns, torch.zeros(8, dtype=torch.float64)).matvec(v)


def test_alignment_with_no_noise_is_no_number(perceptron):
    still = GivenOperator(lambda v: 0 * v, perceptron.curvature().like)
    aligned = perceptron.curvature().alignment(still, k=2)
    assert (
        aligned["escape_indicator"] == 0
        and np.isnan(aligned["escape_ratio"])
        and np.isnan(aligned["noise_share"]).all()
    )
    with pytest.raises(ValueError, match="alignment needs the noise as network"):
        perceptron.curvature().alignment(np.eye(perceptron.dim))
