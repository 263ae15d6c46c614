import numpy as np
import pytest

from sgdphys.network import named_basis


def test_directions_are_orthonormal_in_order_and_named(perceptron):
    result = named_basis(perceptron, hessian=3, noise=2, random=2, seed=1)
    basis = result["basis"].values
    np.testing.assert_allclose(basis.T @ basis, np.eye(7), atol=1e-12)
    assert list(result["coordinate"].values) == [
        "hessian_1", "hessian_2", "hessian_3", "noise_1", "noise_2", "random_1", "random_2",
    ]  # fmt: skip
    assert list(result["direction_kind"].values) == ["hessian"] * 3 + ["noise"] * 2 + ["random"] * 2
    top = perceptron.curvature().top(3)["eigenvector"].values
    np.testing.assert_allclose(basis[:, :3], top, atol=1e-7)
    noise = perceptron.noise().low_rank(2)
    together = basis[:, :5]
    np.testing.assert_allclose(together @ (together.T @ noise), noise, atol=1e-9)
    np.testing.assert_array_equal(result["origin"], perceptron.parameters)
    np.testing.assert_array_equal(
        result["basis"], named_basis(perceptron, hessian=3, noise=2, random=2, seed=1)["basis"]
    )


def test_the_seed_names_the_random_directions_alone(perceptron):
    one, other = (named_basis(perceptron, hessian=1, noise=1, random=2, seed=seed)["basis"].values for seed in (1, 2))
    np.testing.assert_array_equal(one[:, :2], other[:, :2])
    assert np.abs(one[:, 2:].T @ other[:, 2:]).max() < 0.8  # random directions of 29 dimensions: about 0.2


def test_impossible_numbers_are_refused(perceptron):
    with pytest.raises(ValueError, match="add up to 1 to 31"):
        named_basis(perceptron, hessian=30, noise=2, random=0)
    with pytest.raises(ValueError, match="noise must be"):
        named_basis(perceptron, noise=-1)
