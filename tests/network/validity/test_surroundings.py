import numpy as np
import pytest

from sgdphys.network.validity import surroundings as module
from sgdphys.network.validity.surroundings import surroundings_of


@pytest.fixture
def settled(perceptron):
    return perceptron.minimum()


def test_everything_is_that_of_the_dense_matrices(settled):
    found = surroundings_of(settled, 5, 0)
    H, C = settled.hessian(), settled.noise().dense()
    values, vectors = np.linalg.eigh(H)
    np.testing.assert_allclose(found.curvatures, values[::-1][:5], rtol=1e-8)
    V = found.directions
    np.testing.assert_allclose(np.abs(np.diag(V.T @ vectors[:, ::-1][:, :5])), 1.0, atol=1e-6)
    np.testing.assert_allclose(found.covariance, V.T @ C @ V, atol=1e-12)
    eigenvalues = np.linalg.eigvalsh(C)[::-1]
    np.testing.assert_allclose(found.eigenvalues[:10], eigenvalues[:10], rtol=1e-8)
    assert float(found.moments["noise_trace"]) == pytest.approx(np.trace(C))
    assert float(found.moments["participation_ratio"]) == pytest.approx(np.trace(C) ** 2 / np.sum(C * C))
    few = found.leading(2)
    assert few.directions.shape == (settled.dim, 2)
    np.testing.assert_allclose(few.covariance, found.covariance[:2, :2], atol=1e-14)


def test_a_part_of_the_samples_gives_moments_with_errors(settled, monkeypatch):
    monkeypatch.setattr(module, "_MOST_SAMPLES", 20)
    moments = surroundings_of(settled, 3, 0).moments
    exact = settled.noise().trace()
    error = float(moments["noise_trace_standard_error"])
    assert error > 0
    assert abs(float(moments["noise_trace"]) - exact) < 4 * error


def test_without_a_direction_that_confines_there_is_nothing_to_measure(line):
    flat = line(inputs=(0.0, 0.0), targets=(1.0, 2.0))
    with pytest.raises(ValueError, match="without a direction that confines"):
        surroundings_of(flat, 1, 0)
