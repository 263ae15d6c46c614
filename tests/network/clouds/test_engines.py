import logging

import numpy as np
import pytest
import torch
from network_models import network_with

from sgdphys import SGD
from sgdphys.errors import DivergenceWarning
from sgdphys.network import (
    GaussianDescent,
    GradientDescent,
    LangevinDescent,
    MinibatchDescent,
    Network,
    VarianceAmplifiedDescent,
    train,
)
from sgdphys.network.clouds import engines, gradients
from sgdphys.network.clouds.plan import plan_of
from sgdphys.network.clouds.training import steady_engine

ENGINES = [
    {"engine": "vectorised"},
    {"engine": "loop"},
    {"devices": ["cpu", "cpu"]},
    {"engine": "loop", "devices": ["cpu", "cpu"]},
    {"engine": "loop", "threads": 2},
]


class Quartic(torch.nn.Module):
    """One weight w with output w^2: a loss of output^2/4 falls as w^4/4, too fast for any step far out."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor([0.5]))

    def forward(self, x):
        return self.w**2 * x


def quarter_square(output, target):
    """Return a quarter of the squared output less the target."""
    return (0.25 * output**2)[:, 0] - target


@pytest.fixture
def quartic():
    """Return the problem of a weight that is lost where it starts far out."""
    return Network(Quartic(), quarter_square, (np.ones((4, 1)), np.arange(4.0)))


@pytest.fixture
def convolution():
    """Return a small classifier of images, 9 x 9, with convolutions."""
    rng = np.random.default_rng(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = torch.nn.Sequential(
            torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(27, 2)
        )
    return Network(model, torch.nn.CrossEntropyLoss(), (rng.normal(size=(20, 1, 9, 9)), rng.integers(2, size=20)))


@pytest.mark.parametrize("resources", ENGINES)
def test_every_engine_follows_the_optimiser_of_torch(convolution, resources):
    sgd = SGD(0.2, 5, momentum=0.6)
    cloud = train(convolution, sgd, n_replicas=3, n_steps=20, **resources)
    plain = train(convolution, sgd, n_replicas=3, n_steps=20, engine="loop", threads=1)
    np.testing.assert_allclose(cloud["position"], plain["position"], rtol=1e-11, atol=1e-12)
    assert cloud.attrs["engine"] == resources.get("engine", cloud.attrs["engine"])


@pytest.mark.parametrize("resources", ENGINES)
@pytest.mark.parametrize(
    "dynamics",
    [
        MinibatchDescent(),
        GradientDescent(),
        LangevinDescent(0.001),
        VarianceAmplifiedDescent(2),
        GaussianDescent([[0.1]]),
    ],
)
def test_a_replica_that_is_lost_leaves_the_bits_of_the_others(quartic, resources, dynamics):
    settings = {"dynamics": dynamics, "n_steps": 30, "save_at": 4, **resources}
    start = np.array([[0.5], [0.6], [-0.7], [0.3]])
    calm = train(quartic, SGD(0.1, 2), start=start, **settings)["position"].values
    start[1] = 300.0
    with pytest.warns(DivergenceWarning, match="1 of 4 replicas left for infinity"):
        cloud = train(quartic, SGD(0.1, 2), start=start, **settings)
    assert cloud["diverged"].values.tolist() == [False, True, False, False]
    assert np.isnan(cloud["position"].values[-1, 1]).all()
    np.testing.assert_array_equal(cloud["position"].values[:, [0, 2, 3]], calm[:, [0, 2, 3]])


@pytest.mark.parametrize("resources", [{"compile": True}, {"compile": True, "devices": ["cpu", "cpu"]}])
def test_a_compiled_replica_that_is_lost_leaves_the_bits_of_the_others(quartic, traced, resources):
    settings = {"n_steps": 12, "save_at": 4, **resources}
    start = np.array([[0.5], [0.6], [-0.7], [0.3]])
    calm = train(quartic, SGD(0.1, 2), start=start, **settings)["position"].values
    start[1] = 300.0
    with pytest.warns(DivergenceWarning, match="1 of 4 replicas left for infinity"):
        cloud = train(quartic, SGD(0.1, 2), start=start, **settings)
    assert cloud["diverged"].values.tolist() == [False, True, False, False]
    np.testing.assert_array_equal(cloud["position"].values[:, [0, 2, 3]], calm[:, [0, 2, 3]])


@pytest.mark.slow  # two interpreters that import torch
def test_processes_compute_the_same(quartic):
    start = np.array([[0.5], [300.0], [-0.7], [0.3]])
    settings = {"start": start, "n_steps": 12, "save_at": 3}
    with pytest.warns(DivergenceWarning):
        cloud = train(quartic, SGD(0.1, 2), engine="processes", threads=2, **settings)
    with pytest.warns(DivergenceWarning):
        plain = train(quartic, SGD(0.1, 2), engine="loop", **settings)
    np.testing.assert_array_equal(cloud["diverged"], plain["diverged"])
    np.testing.assert_allclose(cloud["position"], plain["position"], rtol=1e-13)
    assert cloud.attrs["engine"] == "processes"


def test_what_cannot_be_sent_to_a_process_is_refused():
    network = Network(torch.nn.Linear(1, 1), lambda output, target: output[:, 0] - target, (np.ones((2, 1)), [0, 1]))
    with pytest.raises(ValueError, match=r"cannot be pickled .*use engine='loop'"):
        train(network, SGD(0.1, 1), n_steps=1, n_replicas=2, engine="processes")


def test_auto_stacks_small_networks_and_times_others(perceptron, convolution, monkeypatch, caplog):
    assert train(perceptron, SGD(0.1, 4), n_replicas=2, n_steps=2).attrs["engine"] == "vectorised"
    assert train(perceptron, SGD(0.1, 4), n_replicas=1, n_steps=2).attrs["engine"] == "loop"
    monkeypatch.setattr(engines, "_SMALL", 0)
    assert train(convolution, SGD(0.1, 4), n_replicas=3, n_steps=4).attrs["engine"] == "loop"
    assert train(perceptron, SGD(0.1, 4), n_replicas=3, n_steps=4).attrs["engine"] == "vectorised"
    monkeypatch.setattr(engines, "_SHORT", 0)
    monkeypatch.setattr(engines, "_SHORT_OF_CONVOLUTIONS", 0)
    before = convolution.parameters
    for seconds, engine in (((1.0, 0.1), "loop"), ((0.1, 1.0), "vectorised"), ((1.0, 0.8), "vectorised")):
        own = iter(seconds)  # of all three replicas stacked, and of two in a loop
        monkeypatch.setattr(engines, "_seconds", lambda team, step, own=own: next(own))
        with caplog.at_level(logging.INFO, "sgdphys"):
            cloud = train(convolution, SGD(0.1, 4), n_replicas=3, n_steps=4)
        assert cloud.attrs["engine"] == engine
        assert not list(own), "no clock was looked at: the engine was chosen before"
        assert f"engine '{engine}'" in caplog.text
    monkeypatch.undo()
    monkeypatch.setattr(engines, "_SMALL", 0)
    monkeypatch.setattr(engines, "_SHORT", 0)
    monkeypatch.setattr(engines, "_SHORT_OF_CONVOLUTIONS", 0)
    timed = train(convolution, SGD(0.1, 4), n_replicas=3, n_steps=4)
    np.testing.assert_array_equal(timed["position"].values[0, 0], before)
    plain = train(convolution, SGD(0.1, 4), n_replicas=3, n_steps=4, engine="loop")
    np.testing.assert_allclose(timed["position"], plain["position"], rtol=1e-11, atol=1e-13)


def test_the_engine_of_a_cloud_in_pieces_asks_no_clock(perceptron, convolution, monkeypatch):
    monkeypatch.setattr(engines, "_SMALL", 0)
    monkeypatch.setattr(engines, "_seconds", None)
    sgd = SGD(0.1, 4, momentum=0.5)
    assert steady_engine(perceptron, sgd, 3) == "vectorised" and steady_engine(perceptron, sgd, 1) == "loop"
    assert steady_engine(convolution, sgd, 3) == "loop"
    assert steady_engine(network_with("gru"), sgd, 3) == "loop"
    cloud = train(convolution, sgd, n_replicas=2, n_steps=300, save_at=1)
    assert cloud.attrs["engine"] == "loop"  # stacking hardly ever pays, and would cost a second to find out
    monkeypatch.undo()
    assert steady_engine(convolution, sgd, 3) == "vectorised"


@pytest.fixture
def traced(monkeypatch):
    """Let torch.compile trace the step, and run the trace as it is: no C++ compiler, and a hundredth of the time."""
    monkeypatch.setattr(gradients, "BACKEND", "eager")


@pytest.mark.parametrize("sgd", [SGD(0.1, 4, momentum=0.5), [SGD(0.1, 4), SGD(0.1, 5), SGD(0.2, 4)]])
def test_a_compiled_step_is_the_step(perceptron, traced, sgd):
    plain = train(perceptron, sgd, n_replicas=3, n_steps=12, engine="vectorised")
    cloud = train(perceptron, sgd, n_replicas=3, n_steps=12, compile=True)
    np.testing.assert_allclose(cloud["position"], plain["position"], rtol=1e-11, atol=1e-13)
    assert cloud.attrs["engine"] == "compiled"
    half = train(perceptron, sgd, n_replicas=3, n_steps=5, compile=True)
    rest = train(perceptron, sgd, start=half, n_steps=7)
    np.testing.assert_array_equal(rest["position"][-1], cloud["position"][-1])
    assert rest.attrs["engine"] == "compiled"


def test_what_cannot_be_compiled_runs_as_it_is(perceptron, monkeypatch, caplog):
    monkeypatch.setattr(gradients, "BACKEND", _without_a_compiler)
    cloud = train(perceptron, SGD(0.1, 4), n_replicas=3, n_steps=5, compile=True)
    plain = train(perceptron, SGD(0.1, 4), n_replicas=3, n_steps=5)
    np.testing.assert_allclose(cloud["position"], plain["position"], rtol=1e-12)
    assert "not compiled" in caplog.text and "no C++ compiler" in caplog.text


def _without_a_compiler(graph, examples):
    raise RuntimeError("there is no C++ compiler")


def test_long_runs_are_compiled_where_that_saves_a_minute(perceptron, monkeypatch):
    plan = {"n_replicas": 3, "start": None, "save_at": 1, "seed": 0, "point": (), "storage": "float64"}
    for seconds, steps, engine in ((1e-3, 200_000, "compiled"), (1e-3, 50_000, "vectorised"), (9.0, 100, "vectorised")):
        monkeypatch.setattr(engines, "_seconds", lambda team, step, seconds=seconds: seconds)
        long = plan_of(perceptron, SGD(0.1, 4), None, n_steps=steps, record_potential=False, **plan)
        state = long.beginning.state(perceptron, long.rule.behaviour, momentum=False)
        assert engines.chosen_engine(long, state, engines.Resources()) == engine
        assert engines.chosen_engine(long, state, engines.Resources(compile=False)) == "vectorised"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"engine": "fast"}, "engine must be one of auto, vectorised, compiled, loop, processes, got 'fast'"),
        ({"compile": True, "engine": "loop"}, "compile=True needs stacked replicas, got engine='loop'"),
        ({"compile": True, "dynamics": GradientDescent()}, "compile=True needs minibatches"),
        ({"devices": []}, "devices must name at least one device"),
        ({"devices": ["nowhere"]}, "device 'nowhere' cannot be used"),
        ({"devices": 3}, "devices must be a sequence"),
        ({"devices": ["cpu"], "engine": "processes"}, "no engine='processes' then"),
    ],
)
def test_resources_that_are_none_are_refused(perceptron, settings, message):
    with pytest.raises(ValueError, match=message):
        train(perceptron, SGD(0.1, 4), n_steps=2, **settings)
