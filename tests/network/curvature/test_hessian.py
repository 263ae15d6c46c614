import numpy as np
import pytest
import torch


def test_a_block_of_vectors_has_the_products_of_its_columns(perceptron):
    curvature, v = perceptron.curvature(), np.random.default_rng(0).normal(size=(31, 2))
    assert curvature.matvec(v).shape == (31, 2) and curvature.matvec(v[:, 0]).shape == (31,)
    np.testing.assert_allclose(curvature.matvec(v), curvature.dense() @ v, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(curvature.matvec(v)[:, 0], curvature.matvec(v[:, 0]), rtol=1e-11, atol=1e-13)


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
