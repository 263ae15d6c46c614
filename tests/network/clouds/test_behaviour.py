import numpy as np
import pytest
import torch
from asserts import assert_excluded, assert_within

from sgdphys import SGD
from sgdphys.kernels.philox import key_of
from sgdphys.network import Network, VarianceAmplifiedDescent, train
from sgdphys.network.clouds.behaviour import Behaviour, behaviour_of
from sgdphys.network.clouds.indices import IndexStream


def normalised():
    """Return 3-4-3 units with batch normalisation, always at the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torch.nn.Sequential(
            torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Tanh(), torch.nn.Linear(4, 3)
        )


@pytest.fixture
def batch_norm(classes):
    """Return the classifier with batch normalisation in training mode."""
    return Network(normalised(), torch.nn.CrossEntropyLoss(), classes, weight_decay=0.02)


@pytest.fixture
def dropout():
    """Return sum_i m_i w_i for 4 weights with dropout of one half, as one sample: the gradient is the mask."""
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(4, 1, bias=False))
    model[1].weight.data.zero_()
    return Network(model, lambda output, target: output[:, 0] - target, (np.ones((1, 4)), np.zeros(1)))


def test_side_effects_of_models(perceptron, batch_norm, dropout, classes):
    assert behaviour_of(perceptron.objective) == Behaviour((), random=False, mixes=False)
    names = ("1.running_mean", "1.running_var", "1.num_batches_tracked")
    assert behaviour_of(batch_norm.objective) == Behaviour(names, random=False, mixes=True)
    assert behaviour_of(dropout.objective) == Behaviour((), random=True, mixes=False)
    frozen = Network(normalised(), torch.nn.CrossEntropyLoss(), classes, mode="eval")
    assert behaviour_of(frozen.objective) == Behaviour((), random=False, mixes=False)


@pytest.mark.parametrize("engine", ["vectorised", "loop"])
def test_batch_norm_trains_as_a_loop_of_modules(batch_norm, classes, engine):
    sgds = [SGD(0.1, 8, momentum=0.5), SGD(0.1, 5, momentum=0.5), SGD(0.1, 8, momentum=0.5)]
    cloud = train(batch_norm, sgds, n_steps=20, engine=engine, seed=6)
    inputs, labels = torch.tensor(classes[0]), torch.tensor(classes[1])
    for replica, sgd in enumerate(sgds):
        model = normalised().double()
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5, weight_decay=0.02)
        stream = IndexStream(key_of(6), 30, sgd.batch_size, "replacement", torch.device("cpu"))
        for rows in stream.draw(0, 20, replica, 1)[:, 0]:
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs[rows]), labels[rows]).backward()
            optimiser.step()
        weights = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
        np.testing.assert_allclose(cloud["position"].values[-1, replica], weights, rtol=0, atol=1e-12)
        buffers = torch.cat([buffer.double().reshape(-1) for buffer in model.buffers()])
        np.testing.assert_allclose(cloud["buffer"].values[-1, replica], buffers, rtol=0, atol=1e-12)


@pytest.mark.parametrize("engine", ["vectorised", "loop"])
def test_running_statistics_go_on_where_they_stopped(batch_norm, engine):
    whole = train(batch_norm, SGD(0.1, 8), n_replicas=3, n_steps=9, engine=engine)
    half = train(batch_norm, SGD(0.1, 8), n_replicas=3, n_steps=4, engine=engine)
    rest = train(batch_norm, SGD(0.1, 8), start=half, n_steps=5, engine=engine)
    for name in ("position", "buffer"):
        np.testing.assert_array_equal(rest[name].values[-1], whole[name].values[-1])
    np.testing.assert_array_equal(half["buffer"].values[0], [[0] * 4 + [1] * 4 + [0]] * 3)


def test_svag_does_not_mix_its_two_batches(batch_norm):
    with pytest.raises(ValueError, match=r"two minibatches into one call; .*BatchNorm1d"):
        train(batch_norm, SGD(0.1, 4), dynamics=VarianceAmplifiedDescent(2), n_steps=2)


@pytest.mark.parametrize("engine", ["vectorised", "loop"])
def test_dropout_masks_differ_between_replicas_and_repeat(dropout, engine):
    # each weight moves by -lr m with m = 0 or 2: mean 1, variance 1, independent between replicas, steps and weights
    settings = {"n_replicas": 40, "n_steps": 30, "save_at": 31, "engine": engine, "threads": 2}
    generator = torch.get_rng_state()
    cloud = train(dropout, SGD(0.5, 1), seed=3, **settings)
    assert torch.equal(torch.get_rng_state(), generator)
    masks = -np.diff(cloud["position"].values, axis=0) / 0.5
    np.testing.assert_allclose(masks * (masks - 2), 0, atol=1e-12)
    assert_within(masks.mean(), 1.0, masks.size**-0.5)
    centred = masks - 1
    for a, b in ((centred[1:], centred[:-1]), (centred[:, 1:], centred[:, :-1]), (centred[..., 1:], centred[..., :-1])):
        assert_within((a * b).mean(), 0.0, a.size**-0.5)
        assert_excluded(0.0, 1.0, a.size**-0.5)  # one mask for all of them
    np.testing.assert_array_equal(train(dropout, SGD(0.5, 1), seed=3, **settings)["position"], cloud["position"])
    half = train(dropout, SGD(0.5, 1), seed=3, **(settings | {"n_steps": 13}))
    rest = train(dropout, SGD(0.5, 1), seed=3, start=half, n_steps=17, engine=engine)
    np.testing.assert_array_equal(rest["position"][-1], cloud["position"][-1])


def test_masks_of_the_loop_do_not_depend_on_the_size_of_the_cloud(dropout):
    few, many = (train(dropout, SGD(0.5, 1), n_replicas=n, n_steps=5, engine="loop")["position"] for n in (2, 5))
    np.testing.assert_array_equal(few, many[:, :2])


def test_a_loss_of_the_whole_data_set_has_no_meaning_under_dropout(dropout):
    with pytest.raises(ValueError, match=r"record_potential .*draws random numbers"):
        train(dropout, SGD(0.1, 1), n_replicas=2, n_steps=2, record_potential=True)


class Counting(torch.nn.Module):
    """A linear map that counts its calls and follows the mean of its inputs, in buffers that it writes or replaces."""

    def __init__(self, *, replaces):
        super().__init__()
        self.map, self.replaces = torch.nn.Linear(3, 3), replaces
        self.register_buffer("calls", torch.zeros(2, dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, x):
        self.calls += 1
        mean = 0.9 * self.mean + 0.1 * x.detach().mean(dim=0)
        if self.replaces:
            self.mean = mean
        else:
            self.mean.copy_(mean)
        return self.map(x - mean)


@pytest.mark.parametrize("engine", ["vectorised", "loop"])
def test_buffers_of_a_users_layer_start_as_the_user_gave_them(classes, engine):
    network = Network(Counting(replaces=False), torch.nn.CrossEntropyLoss(), classes)
    network.configuration()
    cloud = train(network, SGD(0.1, 4), n_replicas=2, n_steps=5, save_at=6, engine=engine)
    np.testing.assert_array_equal(cloud["buffer"].values[:, 1, :2], np.arange(6)[:, None] * [1, 1])
    inputs, mean = torch.tensor(classes[0]), torch.zeros(3, dtype=torch.float64)
    for rows in IndexStream(key_of(0), 30, 4, "replacement", torch.device("cpu")).draw(0, 5, 1, 1)[:, 0]:
        mean = 0.9 * mean + 0.1 * inputs[rows].mean(dim=0)
    np.testing.assert_allclose(cloud["buffer"].values[-1, 1, 2:], mean, rtol=0, atol=1e-14)


def test_buffers_that_are_replaced_are_refused(classes):
    network = Network(Counting(replaces=True), torch.nn.CrossEntropyLoss(), classes)
    with pytest.raises(ValueError, match=r"in the place of its buffer 'mean', .*self.buffer.copy_"):
        train(network, SGD(0.1, 4), n_steps=2)
