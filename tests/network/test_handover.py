"""Models, losses and data in the forms in which users have them."""

import copy

import numpy as np
import pytest
import torch

from sgdphys import SGD, train
from sgdphys.network import Network


def seeded(make):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make()


class TwoInputs(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)

    def forward(self, x, scale):
        return {"logits": self.second(torch.tanh(self.first(x)) * scale)}


def logits_loss(output, target):
    return torch.nn.functional.cross_entropy(output["logits"], target, reduction="none")


@pytest.mark.parametrize("form", ["dictionary", "tuple"])
def test_a_model_of_several_inputs_and_named_outputs_is_measured_and_trained(form):
    rng = np.random.default_rng(0)
    x, scale, labels = rng.normal(size=(20, 3)), rng.uniform(1, 2, size=(20, 1)), np.arange(20) % 2
    model = seeded(TwoInputs)
    inputs = {"x": x, "scale": scale} if form == "dictionary" else (x, scale)
    network = Network(model, logits_loss, (inputs, labels))
    double = copy.deepcopy(model).double()
    loss = logits_loss(double(torch.tensor(x), torch.tensor(scale)), torch.tensor(labels)).mean()
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(double.parameters()))]).numpy()
    loss = float(loss.detach())
    assert network.loss_value == pytest.approx(loss, rel=1e-13)
    np.testing.assert_allclose(network.gradient(), gradient, atol=1e-14)
    np.testing.assert_allclose(network.per_sample_gradients().mean(axis=0), gradient, atol=1e-14)
    points = network.parameters + np.zeros((2, 1))
    np.testing.assert_allclose(network.potential(points), loss, rtol=1e-13)
    matrix = network.curvature().dense()
    np.testing.assert_allclose(network.hessian(), matrix, atol=1e-14)
    cloud = train(network, SGD(0.1, 20, sampling="without"), n_replicas=2, n_steps=1)
    np.testing.assert_allclose(cloud.position[-1], points - 0.1 * gradient, atol=1e-14)


def test_chosen_parameters_vary_and_the_others_stay_fixed():
    model = seeded(lambda: torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3)))
    rng = np.random.default_rng(1)
    data = rng.normal(size=(30, 3)), rng.integers(3, size=30)
    whole = Network(model, torch.nn.CrossEntropyLoss(), data)
    assert whole.layers == {"0": slice(0, 16), "2": slice(16, 31)}
    part = Network(model, torch.nn.CrossEntropyLoss(), data, params="2.*")
    assert part.dim == 15 and part.loss_value == whole.loss_value
    np.testing.assert_allclose(part.hessian(), whole.hessian()[16:, 16:], atol=1e-14)
    np.testing.assert_allclose(part.noise().dense(), whole.noise().dense()[16:, 16:], atol=1e-14)
    weights = Network(model, torch.nn.CrossEntropyLoss(), data, params=["0.weight", "2.b*"])
    np.testing.assert_allclose(weights.gradient(), whole.gradient()[[*range(12), 28, 29, 30]], atol=1e-14)
    with pytest.raises(ValueError, match=r"params='3\.\*' fits none of the trainable parameters 0\.weight, 0\.bias"):
        Network(model, torch.nn.CrossEntropyLoss(), data, params=["2.*", "3.*"])


def test_a_function_of_parameters_and_a_batch_is_a_network():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(40, 3)), rng.normal(size=40)

    def half_squares(params, batch):
        return 0.5 * (batch["x"] @ params["slope"] + params["offset"] - batch["y"]) ** 2

    network = Network.from_function(
        half_squares, {"slope": np.zeros(3), "offset": 0.0}, {"x": x, "y": y}, weight_decay=0.1
    )
    features = np.column_stack([x, np.ones(40)])
    hessian = features.T @ features / 40 + 0.1 * np.eye(4)
    np.testing.assert_allclose(network.hessian(), hessian, atol=1e-14)
    minimum = network.minimum()
    np.testing.assert_allclose(minimum.parameters, np.linalg.solve(hessian, features.T @ y / 40), atol=1e-7)
    residuals = features @ minimum.parameters - y
    gradients = features * residuals[:, None]
    np.testing.assert_allclose(minimum.noise().dense(), np.cov(gradients.T, bias=True), atol=1e-12)
    cloud = train(minimum, SGD(0.05, 4), n_replicas=3, n_steps=2, seed=1)
    assert np.isfinite(cloud.position).all() and float(cloud.position[-1].std("particle").max()) > 0
    assert repr(network).startswith("Network(test_a_function_of_parameters_and_a_batch_is_a_network.<locals>.half_squ")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((lambda p, b: b, {}, np.ones(3)), ValueError, "params must be a dictionary of arrays by name, got dict"),
        ((lambda p, b: b, np.ones(3), np.ones(3)), ValueError, "params must be a dictionary"),
        ((3, {"w": 1.0}, np.ones(3)), TypeError, "per_sample must be a function"),
        ((lambda p, b: (p["w"] * b).sum(), {"w": 1.0}, np.ones(3)), ValueError, r"one value per sample, shape \(3,\)"),
    ],
)
def test_functions_that_make_no_network_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        Network.from_function(*arguments)


def test_the_mode_is_that_of_the_private_copy():
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
    data = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 3
    network = Network(model, torch.nn.CrossEntropyLoss(), data, mode="eval")
    assert model.training and np.isfinite(network.loss_value)
    with pytest.raises(ValueError, match="mode must be 'train', 'eval' or None, got 'test'"):
        Network(model, torch.nn.CrossEntropyLoss(), data, mode="test")


def test_a_loss_of_derivatives_by_torch_func_is_measured_and_trained():
    """A physics-informed network: u'' = -sin x on points, u a sum of sines."""
    x = np.linspace(0, np.pi, 20)[:, None]

    def residuals(params, points):
        def u(at):
            return (params["weight"] * torch.sin(params["rate"] * at)).sum()

        second = torch.func.vmap(torch.func.grad(lambda at: torch.func.grad(u)(at[0])))(points)[:, 0]
        return 0.5 * (second + torch.sin(points[:, 0])) ** 2

    start = {"weight": np.array([0.8, 0.1]), "rate": np.array([1.1, 1.9])}
    network = Network.from_function(residuals, start, x)
    exact = (
        0.5
        * (np.sin(x) - (start["weight"] * start["rate"] ** 2 * np.sin(x * start["rate"])).sum(1, keepdims=True)) ** 2
    )
    assert network.loss_value == pytest.approx(exact.mean(), rel=1e-12)
    minimum = network.minimum(tolerance=1e-6)
    assert minimum.loss_value < 1e-8
    assert np.isfinite(network.noise().trace()) and np.isfinite(float(network.curvature().trace()))
    assert np.isfinite(train(network, SGD(0.01, 4), n_replicas=3, n_steps=2).position).all()
