import numpy as np
import pytest
import torch
from network_models import LAYERS, network_with


@pytest.mark.parametrize("name", LAYERS)
def test_the_hessian_is_that_of_torch(name):
    network = network_with(name)
    rows = slice(0, 12)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        exact = torch.autograd.functional.hessian(
            lambda x: network.objective.sample_losses(x, rows).mean(), torch.tensor(network.parameters)
        ).numpy()
    exact = exact + network.weight_decay * np.eye(network.dim)
    v = np.random.default_rng(0).normal(size=(network.dim, 2))
    np.testing.assert_allclose(network.curvature().matvec(v), exact @ v, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(network.curvature().matvec(v[:, 0]), exact @ v[:, 0], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(network.curvature().dense(), exact, rtol=1e-9, atol=1e-11)


def test_leading_eigenpairs_of_the_digits_equal_those_of_the_dense_hessian(digits):
    values, vectors = np.linalg.eigh(digits.curvature().dense())
    top = digits.curvature().top(20)
    np.testing.assert_allclose(top["eigenvalue"], values[::-1][:20], rtol=1e-4)
    overlap = np.abs(np.sum(top["eigenvector"].values * vectors[:, ::-1][:, :20], axis=0))
    np.testing.assert_allclose(overlap, 1, atol=1e-4)
    assert top["residual_norm"].max() < 1e-8 * values[-1]
    assert top.attrs["products"] < 150  # of 910


def test_digits_curvature_is_that_of_the_calibrated_network(digits):
    values = np.linalg.eigvalsh(digits.curvature().dense())
    assert values[0] > 0 and values[-1] == pytest.approx(2.16, rel=0.1)  # the minimum depends on the starting weights


def test_weight_decay_is_part_of_the_curvature(perceptron):
    plain = perceptron.curvature()
    assert plain.trace() == pytest.approx(np.trace(perceptron.hessian()), rel=1e-12)
    e = np.eye(31)
    without = [e[i] @ plain.matvec(e[i]) - perceptron.weight_decay for i in range(31)]
    assert plain.trace() - sum(without) == pytest.approx(31 * 0.02, rel=1e-10)


def test_products_take_and_give_tensors(perceptron):
    v = torch.ones(31, dtype=torch.float64)
    product = perceptron.curvature().matvec(v)
    assert isinstance(product, torch.Tensor) and not product.requires_grad
    np.testing.assert_array_equal(product.numpy(), perceptron.curvature().matvec(v.numpy()))
