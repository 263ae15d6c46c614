import numpy as np
import pytest
import torch

from sgdphys import SGD
from sgdphys.network import Network, train
from sgdphys.network.functional import FlatModel

CPU, DOUBLE = torch.device("cpu"), torch.float64


def test_the_flat_vector_lists_the_trainable_parameters_in_order():
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    model[0].bias.requires_grad_(False)
    flat = FlatModel(model, CPU, DOUBLE)
    expected = [p.detach().double().ravel() for name, p in model.named_parameters() if name != "0.bias"]
    assert torch.equal(flat.initial, torch.cat(expected))
    x = torch.ones(5, 2, dtype=DOUBLE)
    assert torch.allclose(flat(flat.initial, x), model.double()(x))


def test_pieces_of_many_points_keep_their_shapes():
    flat = FlatModel(torch.nn.Linear(2, 3), CPU, DOUBLE)
    points = torch.arange(18.0, dtype=DOUBLE).view(2, 9)
    weight, bias = flat.pieces(points)
    assert weight.shape == (2, 3, 2) and torch.equal(bias[1], torch.tensor([15.0, 16.0, 17.0], dtype=DOUBLE))


def test_the_users_model_is_left_alone():
    torch.manual_seed(5)
    model = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 2)
    )
    model.eval()
    model[0].bias.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    generator = torch.get_rng_state()
    data = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    network = Network(model, torch.nn.CrossEntropyLoss(), data, weight_decay=0.1)
    network.minimum(tolerance=1e-4)
    network.noise().trace()
    network.curvature().top(2)
    train(network, SGD(0.1, 4), n_replicas=3, n_steps=5)
    assert torch.equal(torch.get_rng_state(), generator)
    assert not model.training and [p.requires_grad for p in model.parameters()] == [True, False] + [True] * 4
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


MEASUREMENTS = [
    Network.potential,
    Network.gradient,
    Network.hessian,
    Network.per_sample_gradients,
    Network.minimum,
    Network.noise,
    Network.curvature,
    lambda network: network.twin(rank=1),
]


@pytest.mark.parametrize("measure", MEASUREMENTS)
@pytest.mark.parametrize("layer", [torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3, track_running_stats=False).eval()])
def test_with_batch_statistics_nothing_is_measured_by_sample(layer, measure):
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), layer)
    data = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 3
    network = Network(model, torch.nn.CrossEntropyLoss(), data)
    with pytest.raises(
        ValueError, match=r"layer '1' is BatchNorm1d with batch statistics.*model\.eval\(\).*unit='batch'"
    ):
        measure(network)


def test_running_statistics_of_the_private_copy_do_not_move():
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    data = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 3
    network = Network(model, torch.nn.CrossEntropyLoss(), data)
    before = {name: buffer.clone() for name, buffer in network.objective.model.buffers.items()}
    network.objective.sample_losses(network.objective.model.initial, slice(0, 20))
    assert len(before) == 3
    assert all(torch.equal(before[name], value) for name, value in network.objective.model.buffers.items())


@pytest.mark.parametrize("measure", MEASUREMENTS)
def test_dropout_in_training_mode_is_refused_without_using_up_random_numbers(measure):
    model = torch.nn.Sequential(torch.nn.Linear(3, 40), torch.nn.Dropout(0.5), torch.nn.Linear(40, 2))
    data = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    generator = torch.get_rng_state()
    network = Network(model, torch.nn.CrossEntropyLoss(), data)
    with pytest.raises(ValueError, match=r"dropout in training mode\?.*call model\.eval\(\)"):
        measure(network)
    assert torch.equal(torch.get_rng_state(), generator)
    evaluated = Network(model, torch.nn.CrossEntropyLoss(), data, mode="eval")
    assert np.isfinite(evaluated.noise().trace())
    assert model.training


def test_a_model_without_parameters_is_refused():
    with pytest.raises(ValueError, match="Tanh has no trainable parameter"):
        FlatModel(torch.nn.Tanh(), CPU, DOUBLE)
