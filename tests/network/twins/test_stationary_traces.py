import numpy as np
import pytest
import torch

from sgdphys.network import Network
from sgdphys.network.twins.stationary_traces import stationary_traces


def test_probes_find_what_the_dense_matrices_tell(perceptron):
    # 32 probes: an error of about sqrt(2 / 32) over the root of the effective number of directions
    network = perceptron.minimum(tolerance=1e-9)
    leading = network.curvature().top(5)
    h, V = leading["eigenvalue"].values, leading["eigenvector"].values
    exact, probed = (stationary_traces(network, h, V, network.noise().project(V), dense) for dense in (True, False))
    hessian, covariance = network.curvature().dense(), network.noise().dense()
    assert exact.noise == pytest.approx(np.trace(covariance))
    assert exact.variance == pytest.approx(np.trace(np.linalg.solve(hessian, covariance)))
    P = np.eye(31) - V @ V.T
    beside = np.trace(P @ covariance) / np.trace(P @ np.linalg.solve(hessian, covariance))
    assert exact.matched == pytest.approx(beside, rel=1e-6)
    assert probed.variance == pytest.approx(exact.variance, rel=0.15)
    assert probed.matched == pytest.approx(exact.matched, rel=0.2)


def test_probes_are_centred_where_weight_decay_leaves_the_losses_a_mean_gradient():
    # 29 of 30 inputs have a mean, and wd x = -mean gradient lies beside the one leading eigenvector; probes that are
    # not centred add g'g/(h + wd) of this g to tr(P H^-1 C)
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(200, 30)) * np.where(np.arange(30) == 0, 5.0, 0.1) + (np.arange(30) > 0) * 0.3
    model = torch.nn.Linear(30, 1, bias=False)
    loss = torch.nn.MSELoss()
    network = Network(model, loss, (inputs, 2 + 0.1 * rng.normal(size=(200, 1))), weight_decay=3.0).minimum()
    leading = network.curvature().top(1)
    h, V = leading["eigenvalue"].values, leading["eigenvector"].values
    exact, probed = (stationary_traces(network, h, V, network.noise().project(V), dense) for dense in (True, False))
    along = network.noise().project(V)[0, 0] / h[0]
    gradient = 3.0 * network.parameters
    beside = gradient - V @ (V.T @ gradient)
    wrong = beside @ np.linalg.solve(network.curvature().dense(), beside)
    assert probed.variance - along == pytest.approx(exact.variance - along, rel=0.2)
    assert wrong > 2 * (exact.variance - along)
    assert probed.matched == pytest.approx(exact.matched, rel=0.2)


def test_without_noise_beside_the_directions_the_last_curvature_is_kept(perceptron):
    network = perceptron.minimum(tolerance=1e-9)
    every = network.curvature().top(31)
    h, V = every["eigenvalue"].values, every["eigenvector"].values
    traces = stationary_traces(network, h, V, network.noise().project(V))
    assert traces.matched == h[-1] < h[0]
    exact = np.trace(np.linalg.solve(network.curvature().dense(), network.noise().dense()))
    assert traces.variance == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("dense", [True, False])
def test_a_negative_curvature_beside_the_directions_is_refused(perceptron, dense):
    saddle = perceptron.at(2 * perceptron.parameters)
    leading = saddle.curvature().top(2)
    h, V = leading["eigenvalue"].values, leading["eigenvector"].values
    assert h[-1] > 0 > np.linalg.eigvalsh(saddle.curvature().dense())[0]
    with pytest.raises(ValueError, match=r"has a curvature of -.* no stationary state"):
        stationary_traces(saddle, h, V, saddle.noise().project(V), dense)
