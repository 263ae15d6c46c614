import numpy as np
import pytest
import torch

from sgdphys import SGD
from sgdphys.network import Network, train
from sgdphys.network.clouds.placed_models import PlacedModel


class Tied(torch.nn.Module):
    """Two layers with one weight matrix."""

    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


@pytest.mark.parametrize("params", [None, "first.*"])
def test_shared_and_selected_parameters_stand_in_all_their_places(classes, params):
    network = Network(Tied(), torch.nn.CrossEntropyLoss(), classes, params=params)
    clouds = [train(network, SGD(0.1, 4), n_replicas=2, n_steps=6, engine=e) for e in ("loop", "vectorised")]
    np.testing.assert_allclose(clouds[0]["position"], clouds[1]["position"], rtol=1e-11, atol=1e-13)
    assert network.dim == 12


def test_other_parameters_take_the_place_of_those_before(perceptron):
    model = perceptron.objective.model.clone()
    placed = PlacedModel(model)
    inputs = perceptron.objective.inputs
    for point in (model.initial, 2 * model.initial):
        weights = [torch.nn.Parameter(piece) for piece in model.pieces(point)]
        torch.testing.assert_close(placed(weights, inputs, {}), perceptron.objective.model(point, inputs))


def test_a_function_of_parameters_is_called_as_it_is(classes):
    def losses(parameters, batch):
        return ((batch[0] @ parameters["w"] - batch[1]) ** 2).sum(dim=1)

    network = Network.from_function(losses, {"w": np.ones((3, 1))}, (classes[0], np.ones((30, 1))))
    clouds = [train(network, SGD(0.01, 4), n_replicas=2, n_steps=6, engine=e) for e in ("loop", "vectorised")]
    np.testing.assert_allclose(clouds[0]["position"], clouds[1]["position"], rtol=1e-11, atol=1e-13)
