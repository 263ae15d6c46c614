import copy

import numpy as np
import pytest
import torch

from sgdphys.network import Network
from sgdphys.network.digests import difference


class Scaled(torch.nn.Module):
    """A linear map times a number that no parameter tells."""

    def __init__(self, scale):
        super().__init__()
        self.map, self.scale, self.calls = torch.nn.Linear(3, 1), scale, 0
        self.register_buffer("shift", torch.zeros(1))

    def forward(self, x):
        self.calls += 1
        return self.scale * self.map(x)[:, 0] + self.shift


def half_square(output, target):
    """Return half the squared residual."""
    return 0.5 * (output - target) ** 2


def quarter_square(output, target):
    """Return a quarter of the squared residual."""
    return 0.25 * (output - target) ** 2


@pytest.fixture
def model():
    """Return a model at fixed weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Scaled(2.0)


@pytest.fixture
def data():
    """Return 6 samples."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(6, 3)), rng.normal(size=6)


def changed(model, change):
    """Return a copy of the model after a change."""
    other = copy.deepcopy(model)
    change(other)
    return other


def test_the_same_network_has_the_same_digests_wherever_its_weights_are(model, data):
    told = Network(model, half_square, data).configuration()
    moved = changed(model, lambda other: other.map.weight.data.add_(1.0))
    moved(torch.zeros(2, 3))
    again = Network(moved, half_square, tuple(array.copy() for array in data))
    again.potential()
    assert again.configuration() == told == again.at(np.ones(4)).configuration()
    assert difference(told, again.configuration()) is None


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda model: setattr(model, "scale", 2.5), "model"),
        (lambda model: model.shift.data.fill_(1e-9), "model"),
        (lambda model: model.eval(), "model"),
        (lambda model: setattr(model, "map", torch.nn.Linear(3, 1, bias=False)), "dim"),
    ],
)
def test_a_model_of_other_fixed_parts_is_another(model, data, change, name):
    told = Network(model, half_square, data).configuration()
    assert difference(told, Network(changed(model, change), half_square, data).configuration()) == name


def test_frozen_parameters_belong_to_the_model(model, data):
    bias = Network(model, half_square, data, params="map.bias").configuration()
    moved = changed(model, lambda other: other.map.weight.data.add_(1e-9))
    assert difference(bias, Network(moved, half_square, data, params="map.bias").configuration()) == "model"


def test_other_data_and_other_losses_are_told(model, data):
    told = Network(model, half_square, data).configuration()
    inputs = data[0].copy()
    inputs[5, 2] = np.nextafter(inputs[5, 2], 1.0)
    assert difference(told, Network(model, half_square, (inputs, data[1])).configuration()) == "data"
    swapped = data[0], data[1][::-1].copy()
    assert difference(told, Network(model, half_square, swapped).configuration()) == "data"
    assert difference(told, Network(model, quarter_square, data).configuration()) == "loss"
    huber = [Network(model, torch.nn.HuberLoss(delta=delta), data).configuration() for delta in (1.0, 2.0)]
    assert difference(*huber) == "loss"


def test_a_configuration_from_before_there_were_digests_is_not_held_to_them(model, data):
    told = Network(model, half_square, data).configuration()
    old = {name: value for name, value in told.items() if name != "digests"}
    assert difference(old, told) is None
    assert difference(old | {"weight_decay": 0.5}, told) == "weight_decay"


def test_functions_of_parameters_are_told_by_their_source(data):
    starts = {"w": np.ones(3)}
    one = Network.from_function(lambda p, batch: 0.5 * (batch[0] @ p["w"] - batch[1]) ** 2, starts, data)
    two = Network.from_function(lambda p, batch: 0.6 * (batch[0] @ p["w"] - batch[1]) ** 2, starts, data)
    assert difference(one.configuration(), two.configuration()) == "model"
