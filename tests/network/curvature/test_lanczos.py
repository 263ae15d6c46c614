import numpy as np
import pytest
import scipy.sparse.linalg
import torch

from sgdphys.network import leading_eigenpairs


def symmetric(values, seed=0):
    Q = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values),) * 2))[0]
    return torch.tensor((Q * values) @ Q.T)


def start(dim):
    return torch.tensor(np.random.default_rng(1).normal(size=dim))


@pytest.mark.parametrize(
    "values",
    [
        np.linspace(-1, 3, 200),
        np.logspace(2, -8, 200),
        np.concatenate([[5.0, 4.99999, 4.9], np.random.default_rng(2).normal(size=197)]),
    ],
    ids=["even", "decades", "close"],
)
def test_agrees_with_arpack(values):
    matrix = symmetric(values)
    pairs = leading_eigenpairs(lambda v: matrix @ v, start(200), 8)
    expected, vectors = scipy.sparse.linalg.eigsh(matrix.numpy(), 8, which="LA")
    np.testing.assert_allclose(pairs.values, expected[::-1], rtol=1e-9)
    np.testing.assert_allclose(np.abs((pairs.vectors.numpy() * vectors[:, ::-1]).sum(axis=0)), 1, atol=1e-6)
    np.testing.assert_allclose(pairs.vectors.T @ pairs.vectors, np.eye(8), atol=1e-12)


def test_residuals_are_those_of_the_operator():
    matrix = symmetric(np.linspace(-1, 3, 100))
    pairs = leading_eigenpairs(lambda v: matrix @ v, start(100), 3, tolerance=1e-3)
    expected = (matrix @ pairs.vectors - pairs.vectors * pairs.values).norm(dim=0)
    np.testing.assert_allclose(pairs.residuals, expected, rtol=1e-6)
    assert 1e-9 < float(pairs.residuals.max()) < 3e-3 < 3.0
    assert pairs.products < 60


def test_repeated_eigenvalues_are_found():
    matrix = symmetric(np.repeat([7.0, 3.0, 1.0], [3, 2, 15]))
    pairs = leading_eigenpairs(lambda v: matrix @ v, start(20), 5)
    np.testing.assert_allclose(pairs.values, [7, 7, 7, 3, 3], rtol=1e-10)


def test_the_whole_spectrum():
    matrix = symmetric(np.arange(10.0))
    pairs = leading_eigenpairs(lambda v: matrix @ v, start(10), 10)
    np.testing.assert_allclose(pairs.values, np.arange(9.0, -1, -1), atol=1e-10)


def test_it_stops_at_the_largest_space_allowed():
    matrix = symmetric(np.linspace(0, 1, 100))  # 10 products of the iteration, 2 for the residuals
    assert leading_eigenpairs(lambda v: matrix @ v, start(100), 2, max_iterations=10).products == 12


@pytest.mark.parametrize("k", [0, 11])
def test_a_number_out_of_range_is_refused(k):
    with pytest.raises(ValueError, match=f"k must lie between 1 and the dimension 10, got {k}"):
        leading_eigenpairs(lambda v: v, start(10), k)
