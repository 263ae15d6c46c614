import numpy as np
import pytest

from sgdphys import SGD
from sgdphys.errors import DivergenceWarning, MemoryLimitError
from sgdphys.network import GradientDescent, Network, train
from sgdphys.network.clouds.plan import plan_of
from sgdphys.network.clouds.recorded_clouds import recorded_bytes
from sgdphys.network.recording.settings import Recording

MOMENTUM = SGD(0.1, 6, momentum=0.5)


@pytest.fixture
def directions():
    """Return three orthonormal directions of 31 parameters."""
    return np.linalg.qr(np.random.default_rng(0).normal(size=(31, 3)))[0]


@pytest.mark.parametrize(
    "resources", [{}, {"engine": "loop"}, {"devices": ["cpu", "cpu"]}, {"engine": "processes", "threads": 1}]
)
def test_a_recording_shows_what_the_frames_would(perceptron, directions, resources):
    starts = perceptron.parameters + np.random.default_rng(1).normal(size=(5, 31))
    recorded = train(
        perceptron, MOMENTUM, start=starts, n_steps=20, record=Recording(basis=directions, sketch=8), **resources
    )
    cloud = train(perceptron, MOMENTUM, start=starts, n_steps=20, save_at=21)
    expected = (cloud["position"].values - starts[0]) @ directions
    assert recorded["step"].values.tolist() == [0, 10, 20] and recorded["anchor_step"].values[0] == 0
    np.testing.assert_allclose(recorded["position"], expected[recorded["step"].values], rtol=0, atol=1e-12)
    np.testing.assert_allclose(recorded["time"], 0.1 * recorded["step"])
    anchors = recorded["anchor_step"].values
    np.testing.assert_allclose(recorded["anchor"], cloud["position"].values[anchors], rtol=0, atol=1e-12)
    np.testing.assert_allclose(recorded["anchor_velocity"], cloud["velocity"].values[anchors], rtol=0, atol=1e-12)
    lengths = np.linalg.norm(np.diff(cloud["position"].values, axis=0), axis=2)
    np.testing.assert_allclose(recorded["step_length"], lengths, rtol=1e-9)
    assert not recorded["diverged"].values.any()


def test_replicas_of_groups_that_interleave_keep_their_own_rows(perceptron):
    # batches of 2 and of 8 are stacked apart: groups of the replicas 0, 2, 4 and 1, 3
    settings = {"start": perceptron.parameters + np.random.default_rng(1).normal(size=(5, 31)), "n_steps": 6}
    sgds = [SGD(0.1, size) for size in (2, 8, 2, 8, 2)]
    recorded = train(perceptron, sgds, record=Recording(sketch=0, anchors=8), engine="vectorised", **settings)
    cloud = train(perceptron, sgds, save_at=7, **settings)
    whole = cloud["position"].values[recorded["anchor_step"].values]
    np.testing.assert_allclose(recorded["anchor"], whole, rtol=0, atol=1e-12)


def test_a_replica_that_is_lost_in_one_parameter_is_marked():
    network = Network.from_function(
        lambda parameters, batch: 0.5 * parameters["calm"] ** 2 - parameters["wild"] ** 4 + batch,
        {"calm": 1.0, "wild": 0.0},
        np.zeros(4),
    )
    starts = [[1.0, 0.0], [1.0, 3.0]]
    with pytest.warns(DivergenceWarning, match="1 of 2 replicas"):
        recorded = train(network, SGD(0.1, 2), start=starts, n_steps=40, record=Recording(sketch=0), engine="loop")
    assert recorded["diverged"].values.tolist() == [False, True]


@pytest.mark.parametrize("engine", ["vectorised", "loop"])
def test_losses_and_gradient_norms_are_those_of_the_minibatch(perceptron, engine):
    whole = train(
        perceptron, SGD(0.1, 30, sampling="without"), n_replicas=2, n_steps=5, record=Recording(), engine=engine
    )
    full = train(perceptron, SGD(0.1, 3), dynamics=GradientDescent(), n_replicas=2, n_steps=5, record=Recording())
    cloud = train(perceptron, SGD(0.1, 3), dynamics=GradientDescent(), n_replicas=2, n_steps=5, save_at=6)
    x = cloud["position"].values[:5, 0]
    losses = perceptron.potential(x) - 0.01 * (x**2).sum(axis=1)  # weight decay is no part of the minibatch's loss
    norms = np.linalg.norm(perceptron.gradient(x) - 0.02 * x, axis=1)
    for recorded in (whole, full):
        np.testing.assert_allclose(recorded["training_loss"][:, 1], losses, rtol=1e-12)
        np.testing.assert_allclose(recorded["gradient_norm"][:, 1], norms, rtol=1e-10)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"record": 3}, "record must be settings such as"),
        ({"record": Recording(), "store": "x"}, "leave store= out"),
        ({"record": Recording(), "record_potential": True}, "leave record_potential= out"),
    ],
)
def test_a_recording_takes_the_place_of_frames(perceptron, settings, message):
    with pytest.raises(ValueError, match=message):
        train(perceptron, MOMENTUM, n_replicas=2, n_steps=3, **settings)


@pytest.mark.parametrize("sgd", [SGD(0.1, 6), MOMENTUM])
def test_the_memory_of_a_recording_is_foreseen(perceptron, directions, sgd):
    record = Recording(every=2, frames=3, sketch=8, basis=directions, anchors=3)
    half = train(perceptron, sgd, n_replicas=5, n_steps=7)
    for start, n_steps in ((None, 60), (half, 30)):
        settings = {"start": start, "n_replicas": 5, "n_steps": n_steps, "save_at": 0, "record": record}
        result = train(perceptron, sgd, **settings)
        kept = sum(result[name].nbytes for name in result if "particle" in result[name].dims and name != "diverged")
        assert recorded_bytes(plan_of(perceptron, sgd, **settings), record) == 2 * kept + 2 * 5 * 31 * 8


def test_a_recording_larger_than_memory_is_refused_before_it_starts(perceptron):
    with pytest.raises(MemoryLimitError, match=r"a recording of 1000 replicas over 1000000000 steps.* fewer lines"):
        train(perceptron, MOMENTUM, n_replicas=1000, n_steps=10**9, record=Recording())
