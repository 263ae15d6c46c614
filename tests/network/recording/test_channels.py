import numpy as np
import pytest
import torch
from asserts import assert_within

import sgdphys as sp
from sgdphys import schema
from sgdphys.network.recording import channels as channels_module
from sgdphys.network.recording.channels import Channels
from sgdphys.network.recording.count_sketches import CountSketch
from sgdphys.network.recording.settings import Recording


def walk(steps=60, replicas=3, dim=20, seed=0):
    rng = np.random.default_rng(seed)
    moves = rng.normal(size=(steps + 1, replicas, dim))
    moves[0] = rng.normal(size=(1, dim))
    return np.cumsum(moves, axis=0)


def recorded(path, recording, **more):
    channels = Channels(recording, path.shape[2], path.shape[1], torch.as_tensor(path[0]), "cpu")
    for step, x in enumerate(path):
        channels.observe(step, torch.as_tensor(x), **{name: torch.as_tensor(v[step]) for name, v in more.items()})
    return channels.result(0.1)


def test_scalars_are_those_of_a_plain_loop():
    path = walk()
    losses = np.random.default_rng(1).normal(size=path.shape[:2])
    every = 4
    result = recorded(path, Recording(every=every, sketch=0, anchors=0), losses=losses)
    before = path[0]
    for index, step in enumerate(result["line_step"].values):
        x = path[step]
        assert step == every * (index + 1)
        line = result.isel(line=index)
        np.testing.assert_allclose(line["distance_from_start"], np.linalg.norm(x - path[0], axis=1), rtol=1e-12)
        np.testing.assert_allclose(line["step_length"], np.linalg.norm(x - before, axis=1), rtol=1e-12)
        alignment = ((before - path[0]) * (x - before)).sum(axis=1)
        np.testing.assert_allclose(line["step_alignment"], alignment, atol=1e-11)
        np.testing.assert_array_equal(line["training_loss"], losses[step])
        before = x
    assert result["line_time"].values[0] == pytest.approx(0.4) and np.isnan(result["gradient_norm"]).all()


def test_the_three_numbers_of_a_line_telescope():
    result = recorded(walk(), Recording(sketch=0, anchors=0))
    squares = result["distance_from_start"].values ** 2
    rise = 2 * result["step_alignment"].values + result["step_length"].values ** 2
    np.testing.assert_allclose(np.cumsum(rise, axis=0), squares, rtol=1e-11)


def test_projections_are_exact_and_a_cloud_for_analyses():
    path = walk(replicas=12)
    basis = np.linalg.qr(np.random.default_rng(2).normal(size=(20, 2)))[0]
    cloud = recorded(path, Recording(frames=2, basis=basis, sketch=32))
    schema.validate_cloud(cloud)
    np.testing.assert_allclose(cloud["position"], (path[::2] - path[0, 0]) @ basis, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(cloud["step"], np.arange(0, 61, 2))
    moved = cloud.isel(time=slice(1, None))
    assert np.isfinite(sp.analysis.entropy(moved, method="gaussian")["entropy"]).all()
    for analysis in (sp.analysis.area_rates, sp.analysis.linear_drift):
        assert all(np.isfinite(array).all() for array in analysis(moved).values() if array.dtype.kind == "f")


@pytest.mark.parametrize("origin", [None, np.arange(20.0)])
def test_origins_that_are_given_and_starts_that_differ(origin):
    path = walk()
    path[0] = np.random.default_rng(3).normal(size=path.shape[1:])
    basis = np.linalg.qr(np.random.default_rng(2).normal(size=(20, 2)))[0]
    cloud = recorded(path, Recording(basis=basis, origin=origin, sketch=0))
    offset = path[30] - (path[0, 0] if origin is None else origin)
    np.testing.assert_allclose(cloud["position"][3], offset @ basis, rtol=0, atol=1e-12)
    np.testing.assert_allclose(cloud["distance_from_start"][29], np.linalg.norm(path[30] - path[0], axis=1), rtol=1e-12)


@pytest.mark.parametrize("origin", [None, np.arange(20.0)])
def test_results_do_not_depend_on_the_pieces(origin, monkeypatch):
    path = walk()
    basis = np.linalg.qr(np.random.default_rng(2).normal(size=(20, 2)))[0]
    settings = Recording(every=3, frames=2, sketch=8, basis=basis, origin=origin, seed=4)
    whole = recorded(path, settings)
    np.testing.assert_allclose(
        whole["sketch"], CountSketch(20, 8, 4)(path[::2] - whole["origin"].values), rtol=0, atol=1e-12
    )
    monkeypatch.setattr(channels_module, "_PIECE", 21)  # numbers of three replicas: seven parameters a piece
    pieces = recorded(path, settings)
    for name in whole.data_vars:
        np.testing.assert_allclose(pieces[name], whole[name], rtol=1e-12, atol=1e-12, err_msg=name)


def test_anchors_are_whole_states_at_steps_evenly_spaced_in_the_logarithm():
    path = walk(steps=120)
    result = recorded(path, Recording(anchors=3, sketch=0), velocities=-path)
    np.testing.assert_array_equal(result["anchor_step"], [0, 1, 2, 5, 10, 22, 46, 100])
    np.testing.assert_array_equal(result["anchor"], path[result["anchor_step"].values])
    np.testing.assert_array_equal(result["anchor_velocity"], -path[result["anchor_step"].values])
    assert "anchor" not in recorded(path, Recording(anchors=0))


def test_the_caller_may_go_on_in_the_same_tensor():
    path = walk(steps=10)
    x = torch.tensor(path[0])
    channels = Channels(Recording(sketch=0), 20, 3, x, "cpu")
    for step, moved in enumerate(path):
        x.copy_(torch.as_tensor(moved))
        channels.observe(step, x, velocities=x)
    result, expected = channels.result(0.1), recorded(path, Recording(sketch=0), velocities=path)
    assert result.equals(expected)


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="every must be"):
        Recording(every=0)
    with pytest.raises(ValueError, match="orthonormal"):
        Recording(basis=np.ones((3, 2)))
    with pytest.raises(ValueError, match="basis of the recording has 4 parameters, the network has 20"):
        recorded(walk(), Recording(basis=np.eye(4)))


def test_sketched_displacements_are_those_of_the_path_within_their_error():
    # 200 independent sketches of one walk in 500 dimensions
    path = walk(steps=100, replicas=1, dim=500)
    cloud = recorded(path, Recording(frames=1, sketch=64, anchors=0))
    estimates = []
    for seed in range(200):
        sketched = cloud.assign(sketch=(cloud["sketch"].dims, CountSketch(500, 64, seed)(path - path[0])))
        result = sp.analysis.sketched_displacement(sketched, 5)
        estimates.append(result["sketched_displacement"].values)
    np.testing.assert_allclose(estimates[0], sp.analysis.sketched_displacement(cloud, 5)["sketched_displacement"])
    lags = np.round(result["lag"].values / 0.1).astype(int)
    exact = np.array([((path[lag:] - path[:-lag]) ** 2).sum(axis=2).mean() for lag in lags])
    spread = np.std(estimates, axis=0, ddof=1)
    assert_within(np.mean(estimates, axis=0), exact, spread / 200**0.5)
    assert np.all(spread < 1.2 * exact * (2 / 64) ** 0.5)  # a spread of 200 is known to 5 %


def test_groups_of_replicas_record_what_the_whole_cloud_would():
    path, settings = walk(replicas=4), Recording(frames=2, sketch=16, origin=np.zeros(20))
    whole, part = recorded(path, settings), recorded(path[:, 2:], settings)
    assert whole.isel(particle=slice(2, None)).drop_vars("origin").equals(part.drop_vars("origin"))


@pytest.mark.gpu
def test_cuda_records_the_same():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    path, settings = walk(), Recording(frames=2, sketch=16, basis=np.eye(20)[:, :2])
    channels = Channels(settings, 20, 3, torch.as_tensor(path[0]), "cuda")
    for step, x in enumerate(path):
        channels.observe(step, torch.as_tensor(x, device="cuda"))
    on_device, here = channels.result(0.1), recorded(path, settings)
    for name in here.data_vars:
        np.testing.assert_allclose(on_device[name], here[name], rtol=1e-10, atol=1e-10)
