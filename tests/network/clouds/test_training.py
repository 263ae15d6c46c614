import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from asserts import assert_within

from sgdphys import SGD, theory
from sgdphys.errors import DivergenceWarning, MemoryLimitError
from sgdphys.kernels.philox import key_of
from sgdphys.network import Network, train
from sgdphys.network.clouds.indices import IndexStream


def spread(cloud, centre, burn_in):
    """Return mean squared distance from ``centre`` along each coordinate, and its standard error from the replicas."""
    frames = cloud["position"].values[cloud["time"].values >= burn_in]
    squares = ((frames - centre) ** 2).mean(axis=0)
    return squares.mean(axis=0), squares.std(axis=0, ddof=1) / len(squares) ** 0.5


@pytest.mark.parametrize(
    ("sgd", "exact"),
    [
        (SGD(0.2, 1), 0.03506948),
        (SGD(0.2, 2), 0.01603756),
        (SGD(0.2, 2, sampling="without"), 0.01039583),
        (SGD(0.4, 2, sampling="without"), 0.02775114),
    ],
)
def test_least_squares_has_the_exact_variance(line, sgd, exact):
    # physics.md G1; 4000 replicas, 40 frames 12 steps apart, relative standard error .3 to .6 %
    cloud = train(line(), sgd, n_replicas=4000, n_steps=540, save_at=46)
    variance, error = spread(cloud, 0.64, 60 * sgd.lr)
    assert_within(variance, exact, error)
    result = theory.exact_sgd_covariance([1.0, 2.0, -1.0, 0.5], [1.0, 1.0, 0.0, 2.0], sgd)
    assert exact == pytest.approx(result["stationary_covariance"].item(), rel=1e-6)
    for wrong in ("lyapunov", "additive"):  # .0249344 and .0295519 in the first case
        assert abs(result[wrong].item() - variance) > 10 * error


def test_momentum_has_the_exact_covariance_of_position_and_velocity():
    # physics.md G6: mu = .8, B = 4, lr = .05
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(20, 3)) @ np.diag([1.5, 1.0, 0.5])
    targets = inputs @ [1.0, -1.0, 2.0] + 0.7 * rng.normal(size=20)
    sgd = SGD(0.05, 4, momentum=0.8)
    exact = theory.exact_sgd_covariance(inputs, targets, sgd)
    model = torch.nn.Linear(3, 1, bias=False)
    network = Network(model, lambda output, target: 0.5 * (output[:, 0] - target) ** 2, (inputs, targets)).minimum()
    np.testing.assert_allclose(network.parameters, exact["minimum"], atol=1e-7)
    cloud = train(network, sgd, n_replicas=2000, n_steps=1500, save_at=51)
    variance, error = spread(cloud, network.parameters, 15.0)
    assert_within(variance, [0.01701764, 0.01671381, 0.02275092], error)
    assert np.all(np.abs(variance - np.diag(exact["lyapunov"]))[:2] > 10 * error[:2])
    velocity = cloud["velocity"].values[cloud["time"].values >= 15.0]
    squares = (velocity**2).mean(axis=0)
    assert_within(squares.mean(axis=0), np.diag(exact["velocity_covariance"]), squares.std(axis=0) / 2000**0.5)


def test_the_whole_data_set_as_batch_has_no_noise(line):
    cloud = train(line(start=0.3), SGD(0.2, 4, sampling="without"), n_replicas=5, n_steps=60, save_at=2)
    last = cloud["position"].values[-1]
    assert np.ptp(last) == 0.0 and last[0] == pytest.approx(0.64 - 0.34 * (1 - 0.2 * 1.5625) ** 60, abs=1e-12)


def test_epoch_shuffling_has_its_own_variance():
    # physics.md 20: additive noise, 20 samples, B = 1; at epoch ends .269428 of the independent value at lr h = .1
    offsets = np.random.default_rng(0).normal(size=20)
    model = torch.nn.Linear(1, 1, bias=False)
    parabola = Network(
        model, lambda output, target: (0.5 * output**2)[:, 0] - target * output[:, 0], (np.ones((20, 1)), offsets)
    )
    sgd, ages = SGD(0.1, 1, sampling="shuffle"), 0.9 ** np.arange(20)
    exact = 0.01 * offsets.var() * 20 / 19 * (np.sum(ages**2) - np.sum(ages) ** 2 / 20) / (1 - 0.9**40)
    independent = 0.1 * offsets.var() / 1.9
    assert exact / independent == pytest.approx(0.269428, rel=1e-5)
    low = parabola.at([offsets.mean()])
    ends = 0.1 * 20 * np.arange(3, 23)
    cloud = train(low, sgd, n_replicas=3000, n_steps=440, save_at=ends)
    variance, error = spread(cloud, offsets.mean(), 0.0)
    assert_within(variance, exact, error)
    assert independent - variance > 10 * error


def test_weight_decay_belongs_to_the_loss(line):
    network = line(weight_decay=0.3)
    exact = theory.exact_sgd_covariance([1.0, 2.0, -1.0, 0.5], [1.0, 1.0, 0.0, 2.0], SGD(0.2, 1, weight_decay=0.3))
    for sgd in (SGD(0.2, 1), SGD(0.2, 1, weight_decay=0.3)):
        cloud = train(network.minimum(), sgd, n_replicas=3000, n_steps=400, save_at=21)
        variance, error = spread(cloud, exact["minimum"].values, 10.0)
        assert_within(variance, exact["stationary_covariance"].values[0], error)


@pytest.mark.parametrize(
    ("form", "sampling"),
    [
        ({}, "replacement"),
        ({"momentum": 0.7}, "without"),
        ({"momentum": 0.7}, "shuffle"),
        ({"momentum": 0.7, "nesterov": True}, "replacement"),
        ({"momentum": 0.7, "dampening": 0.4}, "replacement"),
    ],
)
def test_a_replica_follows_the_optimiser_of_torch(perceptron, classes, form, sampling):
    sgd = SGD(0.3, 4, sampling=sampling, **form)
    cloud = train(perceptron, sgd, n_replicas=3, n_steps=25, seed=5, point=(2,), save_at=2)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3)).double()
    torch.nn.utils.vector_to_parameters(torch.tensor(perceptron.parameters), model.parameters())
    optimiser = torch.optim.SGD(model.parameters(), lr=0.3, weight_decay=0.02, **form)
    inputs, labels = torch.tensor(classes[0]), torch.tensor(classes[1])
    stream = IndexStream(key_of(5, 2), 30, 4, sampling, torch.device("cpu"))
    for rows in stream.draw(0, 25, 1, 1)[:, 0]:
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs[rows]), labels[rows]).backward()
        optimiser.step()
    expected = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
    np.testing.assert_allclose(cloud["position"].values[-1, 1], expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("sampling", ["replacement", "without", "shuffle"])
def test_a_continued_run_is_the_run_without_the_break(perceptron, sampling):
    sgd = SGD(0.2, 7, momentum=0.5, sampling=sampling, dampening=0.3)  # spares the first step of the whole run alone
    whole = train(perceptron, sgd, n_replicas=6, n_steps=41, save_at=2, seed=3)
    half = train(perceptron, sgd, n_replicas=6, n_steps=18, save_at=1, seed=3)
    rest = train(perceptron, sgd, start=half, n_steps=23, save_at=2, seed=3)
    assert np.array_equal(rest["position"].values[-1], whole["position"].values[-1])
    assert np.array_equal(rest["velocity"].values[-1], whole["velocity"].values[-1])
    assert rest["step"].values.tolist() == [18, 41] and rest["time"].values[-1] == pytest.approx(8.2)


def test_threads_and_ensemble_size_change_rounding_alone(perceptron, monkeypatch):
    monkeypatch.setattr("sgdphys.network.clouds.division._BYTES_PER_THREAD", 1000)
    sgd = SGD(0.2, 6)
    reference = train(perceptron, sgd, n_replicas=12, n_steps=30, threads=1)["position"]
    parallel = train(perceptron, sgd, n_replicas=12, n_steps=30, threads=3)["position"]
    larger = train(perceptron, sgd, n_replicas=40, n_steps=30, threads=2)["position"]
    np.testing.assert_allclose(parallel, reference, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(larger[:, :12], reference, rtol=1e-11, atol=1e-13)
    other = train(perceptron, sgd, n_replicas=12, n_steps=30, point=(1,))["position"]
    assert np.abs(other - reference).max() > 1e-3


def test_replicas_are_independent(line):
    # with shared minibatches the variance of the cloud's mean would be that of one replica: 1000 times as large
    cloud = train(line(), SGD(0.2, 1), n_replicas=1000, n_steps=400, save_at=41)
    means = cloud["position"].values[10:, :, 0].mean(axis=1) - 0.64
    expected = 0.03506948 / 1000
    assert abs(np.mean(means**2) / expected - 1) < 4 * (2 / 31) ** 0.5


class Quartic(torch.nn.Module):
    """One weight w with output w^2: a loss of output^2/4 falls as w^4/4, too fast for any step far out."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor([0.5]))

    def forward(self, x):
        return self.w**2 * x


def test_a_replica_that_diverges_is_marked_and_leaves_the_others_alone():
    network = Network(
        Quartic(), lambda output, target: (0.25 * output**2)[:, 0] - target, (np.ones((4, 1)), np.arange(4.0))
    )
    start = np.array([[0.5], [30.0], [-0.7]])
    with pytest.warns(
        DivergenceWarning, match=r"1 of 3 replicas left for infinity.*lr \* lambda_max = .*use a smaller lr"
    ):
        cloud = train(network, SGD(0.1, 2), start=start, n_steps=50, save_at=3)
    assert cloud["diverged"].values.tolist() == [False, True, False]
    position = cloud["position"].values[:, :, 0]
    assert position[0, 1] == 30.0 and np.isnan(position[1:, 1]).all()
    alone = train(network, SGD(0.1, 2), start=start[[0]], n_steps=50, save_at=3)["position"].values[:, 0, 0]
    np.testing.assert_allclose(position[:, 0], alone, rtol=1e-14)


def test_a_replica_that_is_lost_in_one_parameter_shows_none_of_the_others():
    network = Network.from_function(
        lambda parameters, batch: 0.5 * parameters["calm"] ** 2 - parameters["wild"] ** 4 + batch,
        {"calm": 1.0, "wild": 0.0},
        np.zeros(4),
    )
    with pytest.warns(DivergenceWarning, match="1 of 2 replicas"):
        cloud = train(network, SGD(0.1, 2), start=[[1.0, 0.0], [1.0, 3.0]], n_steps=40, save_at=41, engine="loop")
    lost = np.isnan(cloud["position"].values[:, 1])
    assert lost[-1].all() and not lost[0].any() and np.array_equal(lost[:, 0], lost[:, 1])
    assert np.isfinite(cloud["position"].values[~lost.any(axis=1), 1]).all()
    assert cloud["diverged"].values.tolist() == [False, True]


@pytest.mark.parametrize(
    ("form", "limit", "text"),
    [
        ({"momentum": 0.5}, 3.0, r"2 \(1 \+ momentum\) = 3:"),
        ({"momentum": 0.5, "nesterov": True}, 1.5, r"2 \(1 \+ momentum\) / \(1 \+ 2 momentum\) = 1.5:"),
        ({"momentum": 0.5, "dampening": 0.25}, 4.0, r"2 \(1 \+ momentum\) / \(1 - dampening\) = 4:"),
    ],
)
def test_replicas_diverge_above_the_limit_that_the_warning_names(line, form, limit, text):
    # the whole data set as batch, curvature 1.5625: five percent below the limit the replica settles, above it is lost
    network = line(start=1.0)
    sgd = SGD(0.95 * limit / 1.5625, 4, sampling="without", **form)
    last = train(network, sgd, n_replicas=1, n_steps=500, save_at=1)["position"].item()
    assert last == pytest.approx(0.64, abs=1e-3)
    with pytest.warns(DivergenceWarning, match=text):
        train(network, replace(sgd, lr=1.2 * limit / 1.5625), n_replicas=1, n_steps=4000, save_at=1)


def test_frames_times_and_configuration(perceptron):
    cloud = train(perceptron, SGD(0.1, 4, momentum=0.5), n_replicas=3, n_steps=10, save_at=[0.0, 0.34, 1.0], seed=4)
    assert cloud["position"].dims == ("time", "particle", "coordinate") and cloud["position"].shape == (3, 3, 31)
    assert cloud["step"].values.tolist() == [0, 3, 10]
    np.testing.assert_allclose(cloud["time"], [0.0, 0.3, 1.0])
    np.testing.assert_array_equal(cloud["position"].values[0], np.tile(perceptron.parameters, (3, 1)))
    told = json.loads(cloud.attrs["configuration"])
    assert told["seed"] == 4 and told["verb"] == "train" and told["sgd"]["sampling"] == "replacement"
    assert told["sgd"]["n_samples"] == 30 == told["network"]["n_samples"] and told["sgd"]["weight_decay"] == 0.02


def test_only_the_final_state(perceptron):
    cloud = train(perceptron, SGD(0.1, 4), n_replicas=3, n_steps=10, save_at=1)
    assert cloud["step"].values.tolist() == [10] and "velocity" not in cloud


def test_the_potential_at_the_frames(perceptron):
    cloud = train(
        perceptron, SGD(0.1, 4), n_replicas=3, n_steps=10, save_at=2, record_potential=True, storage="float32"
    )
    assert cloud["position"].dtype == np.float32 and cloud["potential"].dims == ("time", "particle")
    assert cloud["potential"].values[0] == pytest.approx(perceptron.loss_value, rel=1e-6)
    np.testing.assert_allclose(cloud["potential"][-1], perceptron.potential(cloud["position"].values[-1]), rtol=1e-6)


def test_torch_is_left_as_it_was(perceptron):
    before, generator = torch.get_num_threads(), torch.get_rng_state()
    train(perceptron, SGD(0.1, 4), n_replicas=3, n_steps=3, threads=1)
    assert torch.get_num_threads() == before and torch.equal(torch.get_rng_state(), generator)


@pytest.mark.parametrize(
    ("sgd", "settings", "message"),
    [
        (0.1, {}, r"sgd must be settings such as SGD\(lr=0.1, batch_size=8\), got 0.1"),
        (SGD(0.1, 31), {}, "batch_size must not exceed the number of samples, got 31 > 30"),
        (SGD(0.1, 3, n_samples=29), {}, "n_samples=29 is not the size of the data set, 30"),
        (SGD(0.1, 3, weight_decay=0.1), {}, "weight_decay=0.1 is not that of the network, 0.02"),
        (SGD(0.1, 3), {"n_steps": -1}, "n_steps must be a positive integer, got -1"),
        (SGD(0.1, 3), {"n_replicas": "a"}, "n_replicas must be a positive integer, got a"),
        (SGD(0.1, 3), {"n_replicas": float("nan")}, "n_replicas must be a positive integer, got nan"),
        (SGD(0.1, 3), {"n_replicas": True}, "n_replicas must be a positive integer, got True"),
        (SGD(0.1, 3), {"save_at": -5}, "save_at, .* must be an integer, not negative, got -5"),
        (SGD(0.1, 3), {"save_at": "a"}, "save_at, .* must be an integer, not negative, got a"),
        (SGD(0.1, 3), {"save_at": []}, "save_at would keep nothing"),
        (SGD(0.1, 3), {"threads": 1.5}, "threads must be a positive integer, got 1.5"),
        (SGD(0.1, 3), {"threads": float("nan")}, "threads must be a positive integer, got nan"),
        (SGD(0.1, 3), {"point": 3}, "point must be a sequence such as a list, got 3"),
        (SGD(0.1, 3), {"n_replicas": 0}, "n_replicas must be a positive integer, got 0"),
        (SGD(0.1, 3), {"start": np.zeros(30)}, r"start must have shape \(31,\) or \(5, 31\), got \(30,\)"),
        (SGD(0.1, 3), {"start": np.zeros((4, 31))}, r"got \(4, 31\)"),
        (SGD(0.1, 3), {"start": np.full(31, np.nan)}, "start must be finite"),
        (SGD(0.1, 3), {"save_at": [0.0, 5.0]}, "save_at must lie between 0 and 1, got 0 to 5"),
        (SGD(0.1, 3), {"save_at": 0}, "use save_at=1 for the final state alone"),
        (SGD(0.1, 3), {"storage": "float16"}, "storage must be 'float64' or 'float32', got 'float16'"),
        (SGD(0.1, 3), {"threads": 0}, "threads must be a positive integer, got 0"),
        (SGD(0.1, 3), {"seed": -1}, "seed must not be negative"),
        (SGD(0.1, 3), {"seed": [2**64, -1], "n_replicas": None}, "seed must not be negative, got -1"),
        (SGD(0.1, 3), {"n_replicas": 2**70}, "number at most 281474976710656 particles"),
        (SGD(0.1, 3), {"n_steps": 10**25}, "number at most 281474976710656 steps"),
        (SGD(0.1, 3), {"start": "abc"}, "start must be real numbers, got 'abc'"),
        (SGD(0.1, 3), {"start": [[1.0], [1.0, 2.0]]}, "start must be real numbers"),
        (SGD(0.1, 3), {"start": np.full(31, 1j)}, "start must be real numbers"),
        (SGD(0.1, 3), {"start": np.ones((0, 31)), "n_replicas": None}, r"got \(0, 31\)"),
        (SGD(0.1, 3), {"record_potential": "no"}, "record_potential must be True or False, got 'no'"),
        (SGD(0.1, 3), {"compile": "yes"}, "compile must be True, False or None, got 'yes'"),
        (SGD(0.1, 3), {"compile": False, "engine": "compiled"}, "what compile=False forbids"),
        (SGD(0.1, 3), {"devices": "cpu"}, "devices must be a list such as .* got 'cpu'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(perceptron, sgd, settings, message):
    with pytest.raises(ValueError, match=message):
        train(perceptron, sgd, **{"n_replicas": 5, "n_steps": 10, **settings})


@pytest.mark.parametrize("network", [None, torch.nn.Linear(2, 1), Network])
def test_what_is_no_network_is_refused(network):
    with pytest.raises(ValueError, match=r"network must be sp.Network\(model, loss, data\), got"):
        train(network, SGD(0.1, 1), n_steps=2)


def test_whole_numbers_are_a_start_and_large_ones_are_seeds(perceptron):
    ones = train(perceptron, SGD(0.1, 3), start=np.ones((2, 31), int), n_steps=3)
    same = train(perceptron, SGD(0.1, 3), start=torch.ones(2, 31), n_steps=3)
    np.testing.assert_array_equal(ones["position"], same["position"])
    seeds = [2**64 + 1, np.int64(3)]
    told = json.loads(train(perceptron, SGD(0.1, 3), seed=seeds, n_steps=2).attrs["configuration"])
    assert told["seed"] == [2**64 + 1, 3]


def test_too_many_replicas_are_refused_before_anything_of_them_is_allocated(perceptron):
    """The wrong variant asks for the memory of their velocities first, 32 TB of it."""
    with pytest.raises(MemoryLimitError, match="1000000000000 replicas"):
        train(perceptron, SGD(0.1, 3, momentum=0.5), n_replicas=10**12, n_steps=10)


def test_a_cloud_larger_than_memory_is_refused_before_it_starts(perceptron):
    with pytest.raises(MemoryLimitError, match=r"a cloud of 1000001 frames, 100000 replicas .* save fewer frames"):
        train(perceptron, SGD(0.1, 3), n_replicas=100_000, n_steps=1_000_000, save_at=1_000_001)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("sampling", ["replacement", "without", "shuffle"])
def test_cuda_follows_the_same_minibatches(perceptron, classes, sampling):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3))
    cuda = Network(model, torch.nn.CrossEntropyLoss(), classes, weight_decay=0.02, device="cuda").at(
        perceptron.parameters
    )
    sgd = SGD(0.2, 5, momentum=0.5, sampling=sampling)
    clouds = [train(network, sgd, n_replicas=20, n_steps=50) for network in (perceptron, cuda)]
    np.testing.assert_allclose(clouds[1]["position"], clouds[0]["position"], rtol=1e-9, atol=1e-11)
