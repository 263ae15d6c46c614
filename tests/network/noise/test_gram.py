import numpy as np
import pytest
import torch
from naive_networks import loop_over_samples
from network_models import network_with

from sgdphys.network import Network
from sgdphys.network.noise.gram import GramMaker


def maker(network, max_bytes=2**28):
    """Return what makes the Gram matrix of a network."""
    return GramMaker(network.objective, torch.tensor(network.parameters), max_bytes)


@pytest.mark.parametrize("name", ["linear", "convolution 1d", "tied embedding", "attention", "gru"])
def test_pieces_give_the_same_matrix(name):
    network = network_with(name)
    gradients = loop_over_samples(network) - network.weight_decay * network.parameters  # of the losses alone
    small = maker(network, 4000)
    (matrix,) = small.matrices([network.objective.model.names])
    assert len(small.record_rows) > 1
    np.testing.assert_allclose(matrix, gradients @ gradients.T, rtol=1e-9, atol=1e-12)


class SecondAxis(torch.nn.Module):
    """A linear map of sequences whose samples lie on the second axis, as recurrent layers have them by default."""

    def __init__(self):
        super().__init__()
        self.map, self.scores = torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)

    def forward(self, x):
        return self.scores(torch.tanh(self.map(x.transpose(0, 1))).mean(dim=0))


class Merged(SecondAxis):
    """The same with samples and positions merged into one axis."""

    def forward(self, x):
        return self.scores(torch.tanh(self.map(x.flatten(0, 1))).view(len(x), -1, 4).mean(dim=1))


@pytest.mark.parametrize("n_samples", [12, 4, 7])
@pytest.mark.parametrize("layout", [SecondAxis, Merged])
def test_samples_are_found_on_other_axes(layout, n_samples):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(n_samples, 4, 3)), rng.integers(2, size=n_samples)
    network = Network(layout(), torch.nn.CrossEntropyLoss(), data)
    gradients = loop_over_samples(network)
    np.testing.assert_allclose(network.noise().gram(centred=False), gradients @ gradients.T, rtol=1e-9, atol=1e-13)


def test_layers_of_a_function_go_by_gradients():
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(9, 3)), rng.normal(size=9)

    def losses(parameters, batch):
        return (batch["x"] @ parameters["w"] - batch["y"]) ** 2

    network = Network.from_function(losses, {"w": np.ones(3)}, {"x": inputs, "y": targets})
    exact = 2 * (inputs @ np.ones(3) - targets)[:, None] * inputs
    assert maker(network).known == ()
    np.testing.assert_allclose(network.noise().gram(centred=False), exact @ exact.T, rtol=1e-12)


class Gated(torch.nn.Module):
    """A linear map whose matrix is used once more, by a gate that is shut at first."""

    def __init__(self):
        super().__init__()
        self.map, self.gate = torch.nn.Linear(3, 3), torch.nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return self.map(x) + self.gate * (x**2 @ self.map.weight)


def test_a_trial_at_one_point_does_not_stand_for_another():
    rng = np.random.default_rng(0)
    network = Network(Gated(), torch.nn.CrossEntropyLoss(), (rng.normal(size=(9, 3)), rng.integers(3, size=9)))
    assert "map.weight" in maker(network).known
    network.noise().gram()
    opened = network.at(network.parameters + 0.5)
    gradients = loop_over_samples(opened)
    np.testing.assert_allclose(opened.noise().gram(centred=False), gradients @ gradients.T, rtol=1e-9, atol=1e-13)
    spread = np.mean(np.sum((gradients - gradients.mean(axis=0)) ** 2, axis=1))
    network.noise().trace()
    assert opened.noise().trace() == pytest.approx(spread, rel=1e-10)


def test_a_second_point_pays_no_trial(perceptron, monkeypatch):
    perceptron.noise().gram()
    monkeypatch.setattr(GramMaker, "_tried", None)
    other = perceptron.at(perceptron.parameters + 1)
    gradients = loop_over_samples(other)
    np.testing.assert_allclose(other.noise().gram(centred=False), gradients @ gradients.T, rtol=1e-9)
