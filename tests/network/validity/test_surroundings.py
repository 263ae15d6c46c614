import numpy as np
import pytest
import torch

from sgdphys.network import Network
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


def test_a_perfect_fit_has_no_noise(line):
    fitted = line(targets=(0.3, 0.6, -0.3, 0.15)).minimum()  # to rounding
    with pytest.raises(ValueError, match="the gradient noise is 0 at this point"):
        surroundings_of(fitted, 1, 0)


def test_the_least_curvature_and_the_pull_are_those_of_the_dense_matrices(settled):
    values = np.linalg.eigvalsh(settled.hessian())
    found = surroundings_of(settled, 2, 0)
    value, error = found.lowest
    assert value == pytest.approx(values[0] / values[-1], abs=1e-5)
    assert 1e-6 <= error < 1e-4
    assert found.pull == pytest.approx(
        np.linalg.norm(settled.gradient()) / np.sqrt(np.trace(settled.noise().dense())), rel=1e-6
    )


def test_almost_no_noise_is_none_for_a_theory_of_constant_noise():
    for size, kept in ((1e-4, 2), (1e-2, 3)):
        assert len(surroundings_of(bowl([1.0, 0.7, 0.5], silent=1, left=size), 3, 0).curvatures) == kept


@pytest.mark.parametrize("bend", [-0.1, 0.0])
def test_negative_and_flat_directions(bend):
    """f = y^2/2 + bend z^2/2 + g.(y, z) over centred g: least curvature over the largest = bend."""
    network = bowl([1.0, bend, 0.5])
    value, error = surroundings_of(network, 3, 0).lowest
    assert abs(value - bend) < 2 * error


def test_a_gradient_outside_the_leading_directions_is_no_minimum():
    found = surroundings_of(bowl([1.0, 0.5, 0.1], start=(0.0, 0.0, 3.0)), 1, 0)
    assert found.pull > 0.1


def test_directions_without_noise_are_left_out():
    found = surroundings_of(bowl([1.0, 0.7, 0.5], silent=1), 3, 0)
    np.testing.assert_allclose(found.curvatures, [1.0, 0.5])
    assert found.samples.shape == (60, 2)


def bowl(curvatures, *, start=(0.0, 0.0, 0.0), silent=None, left=0.0):
    """Return the quadratic loss of these curvatures with constant noise, none or little along one direction."""
    noise = np.random.default_rng(0).normal(size=(60, 3))
    noise -= noise.mean(axis=0)
    if silent is not None:
        noise[:, silent] *= left
    curved = torch.tensor(curvatures, dtype=torch.float64)

    def losses(params, pulls):
        return pulls @ params["x"] + (curved * params["x"] ** 2).sum() / 2

    return Network.from_function(losses, {"x": np.array(start)}, noise)
