from dataclasses import replace

import numpy as np
import pytest
import torch
from asserts import assert_excluded, assert_within

from sgdphys import SGD, SGDSchedule
from sgdphys.kernels.philox import key_of
from sgdphys.network import Network, replicas_of, train
from sgdphys.network.clouds.indices import IndexStream

KINDS = (
    SGD(0.1, 4),
    SGD(0.2, 4, momentum=0.5),
    SGD(0.1, 9, sampling="without"),
    SGD(0.3, 30, sampling="without"),
    SGD(0.1, 7, sampling="shuffle", momentum=0.3, nesterov=True),
    SGD(0.05, 2, momentum=0.5, dampening=0.2),
)


@pytest.mark.parametrize("engine", ["vectorised", "loop"])
def test_every_replica_runs_as_in_a_cloud_of_its_own_setting(perceptron, engine):
    mixed = train(perceptron, KINDS * 2, n_steps=30, save_at=4, engine=engine, seed=2)
    assert mixed["time"].attrs["units"] == "1" and mixed["time"].values.tolist() == [0.0, 10.0, 20.0, 30.0]
    np.testing.assert_array_equal(mixed["lr"], [sgd.lr for sgd in KINDS * 2])
    np.testing.assert_array_equal(mixed["batch_size"], [sgd.batch_size for sgd in KINDS * 2])
    np.testing.assert_array_equal(mixed["momentum"], [sgd.momentum for sgd in KINDS * 2])
    for number, sgd in enumerate(KINDS):
        alone = train(perceptron, sgd, n_replicas=12, n_steps=30, save_at=4, engine="vectorised", seed=2)
        own = replicas_of(mixed, sgd)
        np.testing.assert_allclose(
            own["position"], alone["position"][:, [number, number + 6]], rtol=1e-12, atol=1e-13, err_msg=str(sgd)
        )
        np.testing.assert_allclose(own["time"], alone["time"])


def test_noise_scales_with_the_batch_size_of_each_replica(line):
    # physics.md G1 in one cloud: batches of 1 and 2 at lr .2, padded to 2; a mask forgotten gives .0160 to both
    sgds = [SGD(0.2, 1)] * 2000 + [SGD(0.2, 2)] * 2000 + [SGD(0.2, 2, sampling="without")] * 2000
    cloud = train(line(), sgds, n_steps=300, save_at=26)
    assert cloud["time"].values[-1] == pytest.approx(60.0)  # one learning rate, one clock
    squares = ((cloud["position"].values[cloud["time"].values > 12, :, 0] - 0.64) ** 2).mean(axis=0).reshape(3, 2000)
    variance, error = squares.mean(axis=1), squares.std(axis=1, ddof=1) / 2000**0.5
    assert_within(variance, [0.03506948, 0.01603756, 0.01039583], error)
    assert_excluded(variance[[0, 2]], 0.01603756, error[[0, 2]])


def test_a_seed_for_each_replica_names_its_minibatches(perceptron):
    seeds = [5, 0, 5, 7]
    cloud = train(perceptron, SGD(0.2, 4), seed=seeds, n_steps=9, start=None)["position"].values[-1]
    for replica, seed in enumerate(seeds):
        alone = train(perceptron, SGD(0.2, 4), seed=seed, n_replicas=4, n_steps=9)["position"].values[-1]
        np.testing.assert_allclose(cloud[replica], alone[replica], rtol=1e-12, atol=1e-14)
    assert np.abs(cloud[0] - cloud[2]).max() > 1e-3  # equal seeds, other replicas


def test_a_start_for_each_replica(perceptron):
    starts = np.random.default_rng(0).normal(size=(3, 31))
    cloud = train(perceptron, [SGD(0.1, 4), SGD(0.1, 8), SGD(0.1, 4)], start=starts, n_steps=5)
    np.testing.assert_array_equal(cloud["position"][0], starts)


@pytest.mark.parametrize("sampling", ["replacement", "without", "shuffle"])
def test_a_schedule_changes_learning_rate_and_batch_size(perceptron, classes, sampling):
    first, second = (SGD(lr, size, sampling=sampling, momentum=0.5) for lr, size in ((0.3, 4), (0.1, 7)))
    schedule = SGDSchedule([(first, 9), (second, 8)])
    cloud = train(perceptron, schedule, n_replicas=2, save_at=[0.0, 2.7, 3.5], seed=1)
    np.testing.assert_allclose(cloud["time"], [0.0, 2.7, 3.5])
    assert cloud["step"].values.tolist() == [0, 9, 17]
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3)).double()
    torch.nn.utils.vector_to_parameters(torch.tensor(perceptron.parameters), model.parameters())
    optimiser = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.5, weight_decay=0.02)
    inputs, labels = torch.tensor(classes[0]), torch.tensor(classes[1])
    known = SGDSchedule([(replace(sgd, n_samples=30), steps) for sgd, steps in schedule.stages])
    for sgd, steps in ((first, range(9)), (second, range(9, 17))):
        optimiser.param_groups[0]["lr"] = sgd.lr
        stream = IndexStream(key_of(1), 30, sgd.batch_size, sampling, torch.device("cpu"))
        epochs, offsets = known.epoch_and_offset(list(steps))
        places = list(zip(epochs.tolist(), offsets.tolist(), strict=True))
        for rows in stream.draw_for(steps, torch.tensor([1]), places)[:, 0]:
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs[rows]), labels[rows]).backward()
            optimiser.step()
    expected = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
    np.testing.assert_allclose(cloud["position"].values[-1, 1], expected, rtol=1e-11, atol=1e-13)


def test_a_schedule_is_continued_at_its_place(perceptron):
    schedule = SGDSchedule([(SGD(0.3, 4, sampling="shuffle"), 9), (SGD(0.1, 7, sampling="shuffle"), 8)])
    whole = train(perceptron, schedule, n_replicas=2, save_at=1)
    half = train(perceptron, schedule, n_replicas=2, n_steps=11, save_at=1)
    rest = train(perceptron, schedule, start=half, save_at=1)
    np.testing.assert_array_equal(rest["position"], whole["position"])
    np.testing.assert_allclose(rest["time"], whole["time"])


def test_time_goes_on_where_another_learning_rate_stopped(perceptron):
    half = train(perceptron, SGD(0.3, 4), n_replicas=2, n_steps=10)
    rest = train(perceptron, SGD(0.1, 4), start=half, n_steps=10, save_at=[3.0, 3.5, 4.0])
    np.testing.assert_allclose(rest["time"], [3.0, 3.5, 4.0])
    assert rest["step"].values.tolist() == [10, 15, 20]


@pytest.mark.parametrize(
    ("sgd", "settings", "message"),
    [
        ([], {}, "sgd must be one SGD for each of the R replicas, got 0"),
        ([SGD(0.1, 2)] * 3, {"n_replicas": 4}, "one SGD for each of the 4 replicas, got 3"),
        ([SGD(0.1, 2), 0.1], {}, "sgd must be settings such as SGD"),
        ("abc", {}, "sgd must be settings such as SGD"),
        ([SGD(0.1, 2), SGD(0.1, 31)], {}, "batch_size must not exceed the number of samples, got 31 > 30"),
        ([SGD(0.1, 2)] * 3, {"start": np.zeros((2, 31))}, r"start must have shape \(31,\) or \(3, 31\), got \(2, 31\)"),
        (SGD(0.1, 2), {"seed": [1, 2], "n_replicas": 3}, "seed must be one number, or one for each of the 3 replicas"),
        (SGD(0.1, 2), {"seed": [1, -2]}, "seed must not be negative"),
        (SGD(0.1, 2), {"n_steps": None}, "n_steps must be a positive integer, got None"),
        (SGDSchedule([(SGD(0.1, 2), 5)]), {"n_steps": 6}, "the schedule has 5 steps"),
    ],
)
def test_settings_of_replicas_that_do_not_fit_are_refused(perceptron, sgd, settings, message):
    with pytest.raises(ValueError, match=message):
        train(perceptron, sgd, **{"n_steps": 5, **settings})


@pytest.mark.parametrize(("n_replicas", "largest"), [(2500, 0.008), pytest.param(9000, 0.0033, marks=pytest.mark.slow)])
def test_momentum_has_the_stationary_relation_of_fluctuation_and_dissipation(n_replicas, largest):
    # physics.md 5 and G6: <x.g> = (eta/2)(1 + mu) <v.v> = .0976655 exactly; (1 - mu) would be a ninth of it. x counts
    # from the minimum, where <g> = 0 lets it and the fluctuations are smallest
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(20, 3)) @ np.diag([1.5, 1.0, 0.5])
    targets = inputs @ [1.0, -1.0, 2.0] + 0.7 * rng.normal(size=20)
    network = Network(
        torch.nn.Linear(3, 1, bias=False), lambda output, target: 0.5 * (output[:, 0] - target) ** 2, (inputs, targets)
    ).minimum()
    cloud = train(network, SGD(0.05, 4, momentum=0.8), n_replicas=n_replicas, n_steps=1400, save_at=57, seed=1)
    late = cloud["time"].values > 15
    positions, velocities = cloud["position"].values[late], cloud["velocity"].values[late]
    gradients = network.gradient(positions.reshape(-1, 3)).reshape(positions.shape)
    left = ((positions - network.parameters) * gradients).sum(axis=2).mean(axis=0)
    right = 0.05 / 2 * 1.8 * (velocities**2).sum(axis=2).mean(axis=0)
    ratio = left.mean() / right.mean()
    error = (left / left.mean() - right / right.mean()).std(ddof=1) / n_replicas**0.5
    assert error < largest and abs(ratio - 1) < 3 * largest  # one percent in the slow test
    assert_within(ratio, 1.0, error)
    assert_within(right.mean(), 0.0976655, right.std(ddof=1) / n_replicas**0.5)
    assert_excluded(left.mean() / (right.mean() / 9), 1.0, 9 * error)


def test_fluctuation_and_dissipation_telescope_without_momentum(line):
    # physics.md 5: mean(x.g - (eta/2) |g|^2) = (|x_0|^2 - |x_t|^2)/(2 eta t) for the minibatch gradients g themselves
    inputs, targets = np.array([1.0, 2.0, -1.0, 0.5]), np.array([1.0, 1.0, 0.0, 2.0])
    cloud = train(line(start=2.0, weight_decay=0.1), SGD(0.1, 2), n_replicas=3, n_steps=400, save_at=401, seed=4)
    x = cloud["position"].values[:, :, 0]
    rows = IndexStream(key_of(4), 4, 2, "replacement", torch.device("cpu")).draw(0, 400, 0, 3).numpy()
    gradients = (inputs[rows] * (inputs[rows] * x[:-1, :, None] - targets[rows])).mean(axis=2) + 0.1 * x[:-1]
    balance = (x[:-1] * gradients - 0.05 * gradients**2).mean(axis=0)
    np.testing.assert_allclose(balance, (x[0] ** 2 - x[-1] ** 2) / (2 * 0.1 * 400), rtol=0, atol=1e-10)
    centred = gradients - (inputs**2).mean() * x[:-1] + (inputs * targets).mean() - 0.1 * x[:-1]
    assert np.abs((x[:-1] * gradients - 0.05 * centred**2).mean(axis=0) - balance).min() > 1e-4
