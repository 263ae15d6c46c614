import numpy as np
import pytest
import torch
from naive_networks import loop_over_samples
from torch import nn

from sgdphys.network import Network
from sgdphys.network.noise.layer_products import weighted_sum
from sgdphys.network.noise.layer_records import LayoutError, record_layers


class Images(nn.Module):
    """A layer on the four images of each sample, merged with the samples into one axis, then two scores."""

    def __init__(self, layer, width):
        super().__init__()
        self.layer, self.scores = layer, nn.Linear(width, 2)

    def forward(self, x):
        maps = torch.tanh(self.layer(x.flatten(0, 1).unsqueeze(1)))
        return self.scores(maps.flatten(1)).view(len(x), -1, 2).sum(dim=1)


class SecondAxis(nn.Module):
    """A linear map of sequences whose samples lie on the second axis, then two scores."""

    def __init__(self):
        super().__init__()
        self.map, self.scores = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.scores(torch.tanh(self.map(x.transpose(0, 1))).mean(dim=0))


def frozen(layer):
    """Return a batch normalisation with statistics of its own in evaluation mode."""
    layer.running_mean.fill_(0.3)
    layer.running_var.fill_(0.1)
    return layer.eval()


CASES = {  # the input of a sample is (4, 3)
    "linear twice": lambda: nn.Sequential(layer := nn.Linear(3, 3), nn.Tanh(), layer, nn.Flatten(), nn.Linear(12, 2)),
    "view that is overwritten": lambda: nn.Sequential(
        nn.Linear(3, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(12, 2)
    ),
    "second axis": SecondAxis,
    "convolution of four images": lambda: Images(nn.Conv1d(1, 2, 2, padding=1), 8),
    "layer norm": lambda: Images(nn.LayerNorm(3, eps=0.5), 3),
    "root mean square norm": lambda: Images(nn.RMSNorm(3, eps=0.5), 3),
    "group norm": lambda: nn.Sequential(nn.GroupNorm(2, 4, eps=0.5), nn.Flatten(), nn.Linear(12, 2)),
    "group norm of four images": lambda: Images(nn.GroupNorm(1, 1, eps=0.5), 3),
    "instance norm": lambda: nn.Sequential(nn.InstanceNorm1d(4, eps=0.5, affine=True), nn.Flatten(), nn.Linear(12, 2)),
    "batch norm": lambda: nn.Sequential(frozen(nn.BatchNorm1d(4, eps=0.5)), nn.Flatten(), nn.Linear(12, 2)).eval(),
}


def network_of(name):
    """Return a classifier of seven random samples (4, 3)."""
    rng = np.random.default_rng(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = CASES[name]()
    return Network(model, nn.CrossEntropyLoss(), (rng.normal(size=(7, 4, 3)), rng.integers(2, size=7)))


def recorded(network, n=7, **options):
    """Return the record of the first samples."""
    return record_layers(network.objective, torch.tensor(network.parameters), slice(0, n), **options)


@pytest.mark.parametrize("name", CASES)
def test_every_parameter_has_uses_that_make_up_its_gradients(name):
    network = network_of(name)
    records, shapes = recorded(network), network.objective.model.shapes
    assert set(records.uses) == set(network.objective.model.names)
    gradients = torch.split(torch.tensor(loop_over_samples(network)), network.objective.model.sizes, dim=1)
    for own, exact, shape in zip(network.objective.model.names, gradients, shapes, strict=True):
        for weights in torch.eye(7, dtype=torch.float64):
            found = weighted_sum(records.uses[own], weights, shape)
            torch.testing.assert_close(found.flatten(), weights @ exact, rtol=1e-9, atol=1e-13)
        torch.testing.assert_close(records.gradients[own].flatten(), exact.sum(dim=0), rtol=1e-9, atol=1e-13)


def test_weights_are_in_the_gradients_and_not_in_the_uses():
    network, weights = network_of("linear twice"), torch.arange(7.0, dtype=torch.float64)
    plain, weighted = recorded(network), recorded(network, weights=weights)
    for name, uses in plain.uses.items():
        shape = plain.gradients[name].shape
        torch.testing.assert_close(weighted.gradients[name], weighted_sum(uses, weights, shape))
        torch.testing.assert_close(weighted_sum(weighted.uses[name], weights, shape), weighted.gradients[name])


def test_a_bias_goes_with_the_matrix_of_the_same_calls():
    records = recorded(network_of("linear twice"))
    assert {name: len(uses) for name, uses in records.uses.items()} == {
        "0.weight": 2, "0.bias": 2, "4.weight": 1, "4.bias": 1
    }  # fmt: skip
    assert records.matrix_of_bias == {"0.bias": "0.weight", "4.bias": "4.weight"}


def test_a_layer_of_unknown_layout_leaves_no_uses():
    network = network_of("convolution of four images")
    layouts = recorded(network).layouts
    assert [layout for layout, _ in layouts] == ["merged", "merged"]
    some = recorded(network, layouts=[(None, names) for _, names in layouts])
    assert some.uses == {}
    assert set(some.gradients) == set(network.objective.model.names)


@pytest.mark.parametrize("change", ["another axis", "one call less"])
def test_samples_that_do_not_lie_where_they_lay_are_refused(change):
    network = network_of("linear twice")
    layouts = recorded(network).layouts
    assert [layout for layout, _ in layouts] == ["first"] * 3
    wrong = layouts[1:] if change == "one call less" else [("second", names) for _, names in layouts]
    with pytest.raises(LayoutError):
        recorded(network, layouts=wrong)
