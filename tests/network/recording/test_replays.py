import numpy as np
import pytest

import sgdphys as sp
from sgdphys import SGD, SGDSchedule
from sgdphys.network import LangevinDescent, Recording, replay, train

RUNS = {
    "plain": {"sgd": SGD(0.1, 4)},
    "momentum and shuffling": {"sgd": SGD(0.1, 7, momentum=0.9, sampling="shuffle")},
    "schedule": {"sgd": SGDSchedule([(SGD(0.1, 4), 15), (SGD(0.05, 8), 30)])},
    "settings of each": {"sgd": [SGD(0.1, 4), SGD(0.2, 4), SGD(0.1, 2)]},
    "seeds of each": {"sgd": SGD(0.1, 4), "seed": [3, 4, 5]},
    "Langevin": {"sgd": SGD(0.1, 4), "dynamics": LangevinDescent(0.01)},
}


@pytest.mark.parametrize("name", RUNS)
def test_a_window_is_that_of_a_run_that_kept_everything(name, perceptron):
    run = {"n_replicas": 3, "n_steps": 45, "point": (2,), "engine": "vectorised", **RUNS[name]}
    sgd = run.pop("sgd")
    whole = train(perceptron, sgd, **run, save_at=46)
    few = train(perceptron, sgd, **run, save_at=4)
    window = replay(perceptron, few, 17, 29)
    np.testing.assert_array_equal(window["step"], np.arange(17, 30))
    np.testing.assert_array_equal(window["position"], whole["position"][17:30])
    np.testing.assert_allclose(window["time"], whole["time"][17:30], rtol=1e-12)
    if "velocity" in whole:
        np.testing.assert_array_equal(window["velocity"], whole["velocity"][17:30])


def test_a_run_from_the_networks_point_needs_its_seed_alone(perceptron):
    whole = train(perceptron, SGD(0.1, 4), n_replicas=3, n_steps=20, save_at=21)
    end = train(perceptron, SGD(0.1, 4), n_replicas=3, n_steps=20, save_at=1)
    window = replay(perceptron, end, 5, 9, save_at=3)
    np.testing.assert_array_equal(window["position"], whole["position"][[5, 7, 9]])


@pytest.mark.parametrize("n_directions", [2, 31])  # with 31, frames are as long as states, but no states
def test_the_anchors_of_a_recording_are_enough(n_directions, perceptron):
    run = {"n_replicas": 3, "n_steps": 20, "start": np.linspace(-1, 1, 31)}
    sgd = SGD(0.1, 4, momentum=0.5)
    whole = train(perceptron, sgd, **run, save_at=21)
    recording = train(
        perceptron, sgd, **run, record=Recording(anchors=2, sketch=16, basis=np.eye(31)[:, :n_directions])
    )
    assert list(recording["anchor_step"].values) == [0, 1, 3, 10]
    for window in ((6, 12), (10, 20)):
        again = replay(perceptron, recording, *window)
        for name in ("position", "velocity"):
            np.testing.assert_array_equal(again[name], whole[name][window[0] : window[1] + 1])


def test_a_window_may_begin_at_the_only_state_that_was_kept(perceptron):
    run, sgd = {"n_replicas": 2, "start": np.linspace(-1, 1, 31)}, SGD(0.1, 4)
    whole = train(perceptron, sgd, **run, n_steps=25, save_at=26)
    end = train(perceptron, sgd, **run, n_steps=20, save_at=1)
    recording = train(perceptron, sgd, **run, n_steps=20, record=Recording(anchors=1, sketch=0))
    for kept, first, last in ((end, 20, 25), (recording, 0, 4)):
        np.testing.assert_array_equal(
            replay(perceptron, kept, first, last)["position"], whole["position"][first : last + 1]
        )


def test_a_store_is_replayed(perceptron, tmp_path):
    whole = train(perceptron, SGD(0.1, 4), n_replicas=2, n_steps=20, save_at=21)
    train(perceptron, SGD(0.1, 4), n_replicas=2, n_steps=20, save_at=3, store=tmp_path / "run")
    np.testing.assert_array_equal(replay(perceptron, tmp_path / "run", 12, 14)["position"], whole["position"][12:15])


def test_frames_that_were_rounded_are_passed_over(perceptron):
    run = {"n_replicas": 3, "n_steps": 20}
    whole = train(perceptron, SGD(0.1, 4), **run, save_at=21)
    rounded = train(perceptron, SGD(0.1, 4), **run, save_at=5, storage="float32")
    np.testing.assert_array_equal(replay(perceptron, rounded, 12, 14)["position"], whole["position"][12:15])


def test_what_cannot_be_replayed_is_refused(perceptron):
    cloud = train(perceptron, SGD(0.1, 4), n_replicas=2, n_steps=20, save_at=1, start=np.zeros(31))
    with pytest.raises(ValueError, match="no state at or before step 3"):
        replay(perceptron, cloud, 3, 5)
    with pytest.raises(ValueError, match="last_step must lie after"):
        replay(perceptron, cloud, 3, 3)
    with pytest.raises(ValueError, match="only a cloud of"):
        replay(perceptron, cloud.assign_attrs(configuration="{}"), 3, 5)
    with pytest.raises(ValueError, match="give that one"):
        replay(sp.network.digits_network(), cloud, 3, 5)
    with pytest.raises(ValueError, match="replay needs the network that was trained"):
        replay(perceptron, None, 3, 5)
    with pytest.raises(ValueError, match="save_at must hold at least one time"):
        replay(perceptron, train(perceptron, SGD(0.1, 4), n_replicas=2, n_steps=20, save_at=1), 3, 5, save_at=[])
