import numpy as np
import pytest
import torch

from sgdphys.network import Network
from sgdphys.network.twins.relaxation import relaxed


def test_relaxed_points_are_minima_across_the_directions(perceptron):
    network = perceptron.minimum(tolerance=1e-9)
    V = network.curvature().top(2)["eigenvector"].values
    y = np.stack(np.meshgrid([-0.05, 0.0, 0.05], [-0.025, 0.025], indexing="ij"), axis=-1)
    start = network.parameters + y @ V.T
    points = relaxed(network, start, V)
    np.testing.assert_allclose((points - network.parameters) @ V, y.reshape(-1, 2), atol=1e-12)
    slope = network.gradient(points)
    assert np.linalg.norm(slope - slope @ V @ V.T, axis=1).max() < 1e-6
    assert np.all(network.potential(points) < network.potential(start.reshape(6, -1)))


def test_a_minimum_stays_where_it_is(perceptron):
    network = perceptron.minimum(tolerance=1e-9)
    V = network.curvature().top(1)["eigenvector"].values
    points = relaxed(network, network.parameters[None], V)
    np.testing.assert_allclose(points[0], network.parameters, atol=1e-6)


def test_a_loss_without_minimum_beside_the_line_is_told():
    network = Network(torch.nn.Linear(3, 1), lambda output, target: target - output[:, 0], (np.eye(3), np.zeros(3)))
    with pytest.warns(RuntimeWarning, match="1 of 1 knots did not settle"):
        relaxed(network, network.parameters[None], np.eye(4)[:, :1])
