import numpy as np
import pytest
import torch
from asserts import assert_excluded, assert_within

import sgdphys as sp
from sgdphys import SGD, theory
from sgdphys.network.twins.last_layer import last_layer_twin_of


def half_squares(output, target):
    return 0.5 * (output - target).square().sum(dim=1)


def last_layer_network(loss=half_squares, outputs=1, weight_decay=0.0, bias=True, frozen=True):
    """Return three inputs through two tanh units to a linear last layer, which alone is trained."""
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(30, 3))
    targets = inputs[:, :1] @ np.ones((1, outputs)) + 0.7 * rng.normal(size=(30, outputs))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh(), torch.nn.Linear(2, outputs, bias=bias))
    model[0].weight.data *= 3
    if frozen:
        model[0].requires_grad_(False)
    return sp.Network(model, loss, (inputs, targets), weight_decay=weight_decay)


@pytest.mark.parametrize("loss", [half_squares, torch.nn.MSELoss()])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("frozen", [True, False])
def test_loss_gradient_hessian_and_noise_are_those_of_the_network(loss, outputs, bias, frozen):
    network = last_layer_network(loss, outputs, bias=bias, frozen=frozen)
    for output in range(outputs):
        landscape = last_layer_twin_of(network, output).landscape
        x = np.random.default_rng(0).normal(size=(4, landscape.dim))
        others = network.parameters - landscape.basis @ (landscape.basis.T @ network.parameters)
        np.testing.assert_array_equal(landscape.fixed_parameters, others)
        points = landscape.fixed_parameters + x @ landscape.basis.T
        np.testing.assert_allclose(np.ptp(network.potential(points) - landscape.potential(x)), 0, atol=1e-12)
        np.testing.assert_allclose(network.gradient(points) @ landscape.basis, landscape.gradient(x), atol=1e-12)
        hessian = landscape.basis.T @ network.hessian(points[0]) @ landscape.basis
        np.testing.assert_allclose(hessian, landscape.hessian(x)[0], atol=1e-12)
        noise = network.at(points[0]).noise().project(landscape.basis.copy())
        np.testing.assert_allclose(noise, landscape.gradient_covariance(x[:1])[0], atol=1e-12)


def test_training_the_last_layer_has_the_exact_covariance_of_least_squares():
    # 6000 replicas after 300 steps; standard errors from the fourth moments
    network = last_layer_network(weight_decay=0.05)
    twin = last_layer_twin_of(network)
    sgd = SGD(0.5, 2, weight_decay=twin.weight_decay)
    exact = theory.exact_sgd_covariance(twin.landscape.inputs, twin.landscape.targets, sgd)
    assert 0 < float(exact["second_moment_radius"]) < 1
    settings = {"sgd": sgd, "n_steps": 300, "save_at": [150.0]}
    real = sp.train(network, n_replicas=6000, start=exact["minimum"].values, **settings)
    simulated = sp.simulate(*twin, n_particles=6000, start=exact["minimum"].values, **settings)
    for cloud in (sp.analysis.project(real, simulated), simulated):
        squares = (cloud["position"].values[-1] - exact["minimum"].values) ** 2
        error = squares.std(axis=0) / 6000**0.5
        assert_within(squares.mean(axis=0), np.diag(exact["stationary_covariance"]), error)
        assert_excluded(squares.mean(axis=0), np.diag(exact["lyapunov"]), error)


def test_lyapunov_misses_by_more_than_ten_errors_where_the_exact_solution_holds():
    # the case above in numbers: lr h is not small, so the continuous limit is far off
    twin = last_layer_twin_of(last_layer_network(weight_decay=0.05))
    exact = theory.exact_sgd_covariance(twin.landscape.inputs, twin.landscape.targets, SGD(0.5, 2, weight_decay=0.05))
    ratio = np.diag(exact["stationary_covariance"]) / np.diag(exact["lyapunov"])
    assert ratio.min() > 1.2


def test_the_repr_names_the_weight_decay():
    assert repr(last_layer_twin_of(last_layer_network())) == "LastLayerTwin(N=30, 3 weights)"
    twin = last_layer_twin_of(last_layer_network(weight_decay=0.05))
    assert repr(twin) == "LastLayerTwin(N=30, 3 weights, run with SGD(weight_decay=0.05))"


def test_a_linear_model_alone_is_its_own_last_layer():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(20, 3)), rng.normal(size=20)
    network = sp.Network(torch.nn.Linear(3, 1), lambda output, target: (output[:, 0] - target) ** 2, data)
    landscape, _ = last_layer_twin_of(network)
    np.testing.assert_allclose(landscape.potential(network.parameters[None]), network.loss_value, rtol=1e-12)


@pytest.mark.parametrize("model", [
    lambda: torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh()),
    lambda: torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.PReLU()),
])  # fmt: skip
def test_a_model_that_ends_otherwise_is_refused(model):
    network = sp.Network(model(), half_squares, (np.ones((4, 3)), np.ones((4, 2))))
    with pytest.raises(ValueError, match=r"of its last trained layer|Linear layer whose weights are trained"):
        last_layer_twin_of(network, 0)


class SharedWeights(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 3)

    def forward(self, x):
        return self.layer(torch.nn.functional.linear(x, self.layer.weight).tanh())


def test_a_last_layer_that_shares_its_weights_is_refused():
    network = sp.Network(SharedWeights(), half_squares, (np.eye(3), np.ones((3, 3))))
    with pytest.raises(ValueError, match="another layer shares them"):
        last_layer_twin_of(network, 0)


def test_other_losses_and_outputs_are_refused():
    rng = np.random.default_rng(0)
    classifier = sp.Network(
        torch.nn.Linear(3, 2), torch.nn.CrossEntropyLoss(), (rng.normal(size=(6, 3)), rng.integers(2, size=6))
    )
    with pytest.raises(ValueError, match="needs a loss of squared errors"):
        last_layer_twin_of(classifier, 0)
    huber = sp.Network(torch.nn.Linear(3, 1), torch.nn.HuberLoss(), (rng.normal(size=(6, 3)), rng.normal(size=(6, 1))))
    with pytest.raises(ValueError, match="needs a loss of squared errors"):
        last_layer_twin_of(huber)
    network = last_layer_network(outputs=3)
    for output in (None, 3, -1, True):
        with pytest.raises(ValueError, match=f"output must be 0 to 2, got {output}"):
            last_layer_twin_of(network, output)


def test_a_bias_that_is_frozen_belongs_to_the_targets():
    torch.manual_seed(3)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    model[2].bias.requires_grad_(False)
    rng = np.random.default_rng(2)
    network = sp.network.Network(model, torch.nn.MSELoss(), (rng.normal(size=(9, 3)), rng.normal(size=(9, 2))))
    landscape = last_layer_twin_of(network, 1).landscape
    own = network.parameters @ landscape.basis
    found, expected = landscape.gradient(own[None])[0], network.gradient() @ landscape.basis
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert abs(float(model[2].bias[1].detach())) > 0.01  # else its sign would not matter
