"""What is kept of a torch cloud, against exact least squares, and Yaida's relations of torch's SGD."""

import numpy as np
import pytest
import torch
from asserts import assert_excluded, assert_within
from least_squares_data import twenty_samples

import sgdphys as sp
from sgdphys import SGD, analysis, theory
from sgdphys.network import Network
from sgdphys.network.validity.equilibrium import Run, measure_equilibrium
from sgdphys.network.validity.surroundings import surroundings_of

DATA = twenty_samples()


@pytest.fixture(scope="module")
def network():
    def half_square(output, target):
        return 0.5 * (output[:, 0] - target) ** 2

    return Network(torch.nn.Linear(3, 1, bias=False), half_square, (DATA.inputs, DATA.targets)).minimum()


def test_frames_do_not_touch_and_begin_after_the_burn_in():
    for n_steps in (16, 60, 151, 1563):
        steps = Run(10, n_steps, 0, None, False).measured_steps()
        assert steps[0] == n_steps // 3
        assert steps[-1] == n_steps - 1 or len(steps) == 1
        assert len(steps) <= 16
        assert np.all(np.diff(steps) > 2)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_gradients_and_noise_of_a_torch_cloud_are_those_of_the_exact_covariance(network, momentum):
    sgd = SGD(0.05, 4, momentum=momentum, n_samples=20)
    surroundings = surroundings_of(network, 3, 0)
    cloud = measure_equilibrium(network, sgd, surroundings, Run(1500, 600, 0, None, False))
    exact = theory.exact_sgd_covariance(DATA.inputs, DATA.targets, SGD(0.05, 4, momentum=momentum))
    H, S = DATA.inputs.T @ DATA.inputs / 20, exact["stationary_covariance"].values
    squares = np.mean(cloud.squared_gradient, axis=0)
    assert_within(squares.mean(), np.trace(H @ S @ H), squares.std() / 1500**0.5)
    excess = np.mean(cloud.loss, axis=0) - network.loss_value
    assert_within(excess.mean(), np.trace(H @ S) / 2, excess.std() / 1500**0.5)
    residuals = DATA.inputs @ network.parameters - DATA.targets
    at_minimum = np.mean(residuals**2 * np.sum(DATA.inputs**2, axis=1))
    spread = np.einsum("ni,ij,nj,nk,nk->", *[DATA.inputs, S], *[DATA.inputs] * 3) / 20 - np.trace(H @ S @ H)
    noise = np.mean(cloud.squared_noise, axis=0)
    assert_within(noise.mean(), (at_minimum + spread) / 4, noise.std() / 1500**0.5)
    assert_excluded(noise.mean(), (at_minimum + spread) / 4 * 20 / 19, noise.std() / 1500**0.5, smallest=5.0)
    variances = cloud.points().var(axis=1, ddof=1).mean(axis=0)
    along = np.diag(surroundings.directions.T @ S @ surroundings.directions)
    np.testing.assert_allclose(variances, along, rtol=0.1)


@pytest.mark.parametrize(("momentum", "value"), [(0.8, 0.0976655)])
def test_the_first_relation_of_torch_with_momentum(network, momentum, value):
    """physics.md 5 and G6: OL = OR = .0976655; 1 - mu in place of 1 + mu would make the ratio 9."""
    sgd = SGD(0.05, 4, momentum=momentum)
    cloud = sp.train(network, sgd, n_replicas=800, n_steps=600, save_at=sgd.lr * np.arange(200, 601, 4), progress=False)
    result = analysis.fluctuation_dissipation(cloud, network.gradient, origin=network.parameters)
    for name in ("dissipation_term", "fluctuation_term"):
        assert_within(result[name], value, result[f"{name}_standard_error"])
    ratio, error = result["fluctuation_dissipation_ratio"], result["fluctuation_dissipation_ratio_standard_error"]
    assert ratio.item() == pytest.approx(1.0, abs=0.01)
    assert_excluded(ratio, 9.0, error)


def test_the_telescoping_identity_of_torch(network):
    sgd = SGD(0.05, 4)
    cloud = sp.train(network, sgd, n_replicas=4, n_steps=250, save_at=251, progress=False)
    result = analysis.fluctuation_dissipation(cloud)
    squares = np.sum(cloud["position"].values ** 2, axis=-1)
    exact = (squares[0] - squares[-1]).mean() / (2 * sgd.lr * 250)
    difference = (result["dissipation_term"] - result["fluctuation_term"]).item()
    assert abs(exact) > 1e-5
    assert difference == pytest.approx(exact, abs=1e-10)
