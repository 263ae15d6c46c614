import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

import sgdphys as sp
from sgdphys.errors import StoreError
from sgdphys.network import Recorder, named_basis
from sgdphys.store import verify
from sgdphys.store.commit import read_commit

TRAIN_FOR_EVER = """
import sys, torch
import sgdphys.network.recording.recorder as recorder
recorder._SECONDS, recorder._ROWS = 0.02, 50
model = torch.nn.Linear(30, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
with recorder.Recorder(model, sys.argv[1], optimizer=optimizer, sketch=32, frames=3) as record:
    print("ready", flush=True)
    while True:
        loss = model(torch.randn(4, 30)).square().mean()
        optimizer.zero_grad(); loss.backward(); optimizer.step(); record.step(loss)
"""

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
}


@pytest.fixture
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()


def flat(model):
    return torch.cat([p.detach().reshape(-1) for p in model.parameters() if p.requires_grad]).numpy()


def train(model, optimizer, steps, record, scheduler=None, generator=None):
    """Return the path, losses and gradient norms of a plain loop that is recorded."""
    generator = generator or torch.Generator().manual_seed(1)
    told = []
    for _ in range(steps):
        x = torch.randn(8, 3, generator=generator, dtype=torch.float64)
        loss = (model(x)[:, 0] - x.sum(dim=1)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        norm = float(torch.cat([p.grad.reshape(-1) for p in model.parameters() if p.grad is not None]).norm())
        optimizer.step()
        record.step(loss)
        if scheduler is not None:
            scheduler.step()
        told.append((flat(model), loss.item(), norm))
    path, losses, norms = zip(*told, strict=True)
    return np.array(path), np.array(losses), np.array(norms)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_any_optimizer_is_recorded_as_it_is(name, model, tmp_path):
    optimizer = OPTIMIZERS[name](model.parameters())
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10, gamma=0.5)
    lr = optimizer.param_groups[0]["lr"]
    start = flat(model)
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(21, 2)))[0]
    with Recorder(model, tmp_path / "run", optimizer=optimizer, basis=basis, sketch=16, frames=4) as record:
        path, losses, norms = train(model, optimizer, 30, record, scheduler)
    result = sp.open(tmp_path / "run")
    moves = np.diff(np.vstack([start, path]), axis=0)
    np.testing.assert_allclose(result["training_loss"][:, 0], losses, rtol=1e-14)
    np.testing.assert_allclose(result["gradient_norm"][:, 0], norms, rtol=1e-12)
    np.testing.assert_allclose(result["step_length"][:, 0], np.linalg.norm(moves, axis=1), rtol=1e-12)
    np.testing.assert_allclose(result["distance_from_start"][:, 0], np.linalg.norm(path - start, axis=1), rtol=1e-12)
    rates = lr * 0.5 ** (np.arange(30) // 10)
    np.testing.assert_allclose(result["line_time"], np.cumsum(rates), rtol=1e-13)
    frames = np.vstack([start, path])[::4]
    np.testing.assert_allclose(result["position"][:, 0], (frames - start) @ basis, rtol=0, atol=1e-12)
    assert result.attrs["complete"] == 1 and result.attrs["time_unit"] == "x^2/loss"
    assert verify(tmp_path / "run").sound


def test_frozen_parameters_and_steps_as_time(model, tmp_path):
    model[0].weight.requires_grad_(False)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.01)
    with Recorder(model, tmp_path / "run", sketch=0, every=5) as record:
        train(model, optimizer, 12, record)
    result = sp.open(tmp_path / "run")
    assert result.sizes["parameter"] == 9 and result.attrs["time_unit"] == "1"
    np.testing.assert_array_equal(result["line_time"], [5, 10])


def test_half_precision_models_are_recorded_in_single(tmp_path):
    model = torch.nn.Linear(3, 1).to(torch.bfloat16)
    with Recorder(model, tmp_path / "run", sketch=4, lr=0.1) as record:
        record.step()
    assert sp.open(tmp_path / "run")["anchor"].dtype == np.float32


@pytest.mark.parametrize("rows", [7, 1024])
def test_a_resumed_recording_is_that_of_the_run_without_the_break(rows, model, tmp_path, monkeypatch):
    monkeypatch.setattr("sgdphys.network.recording.recorder._ROWS", rows)
    settings = {"sketch": 8, "frames": 3, "basis": np.eye(21)[:, :2]}
    one, two = (OPTIMIZERS["sgd"](model.parameters()) for _ in range(2))
    state = {name: value.clone() for name, value in model.state_dict().items()}
    with Recorder(model, tmp_path / "whole", optimizer=one, **settings) as record:
        train(model, one, 40, record)
    model.load_state_dict(state)
    generator = torch.Generator().manual_seed(1)
    for steps, resume in ((25, False), (15, True)):
        with Recorder(model, tmp_path / "parts", optimizer=two, resume=resume, **settings) as record:
            train(model, two, steps, record, generator=generator)
    whole, parts = sp.open(tmp_path / "whole").load(), sp.open(tmp_path / "parts").load()
    assert whole.identical(parts)


def test_a_resumed_line_does_not_invent_a_move_that_nobody_saw(model, tmp_path):
    """Step 20 has a frame and no line; the line before, of step 14, is lost with the process."""
    optimizer = OPTIMIZERS["sgd"](model.parameters())
    for resume in (False, True):
        with Recorder(model, tmp_path / "run", optimizer=optimizer, every=7, frames=5, resume=resume) as record:
            train(model, optimizer, 20, record)
    lines = sp.open(tmp_path / "run")
    np.testing.assert_array_equal(lines["line_step"], [7, 14, 21, 28, 35])
    np.testing.assert_array_equal(np.isnan(lines["step_length"][:, 0]), [False, False, True, False, False])
    np.testing.assert_array_equal(np.isnan(lines["step_alignment"][:, 0]), [False, False, True, False, False])
    assert np.isfinite(lines["distance_from_start"]).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"basis": np.eye(21)[:, 1:3]}, "with another basis"),
        ({}, "with another basis"),
        ({"basis": np.eye(21)[:, :2], "origin": np.ones(21)}, "with another origin"),
        ({"basis": np.eye(21)[:, :2], "lr": 0.1}, "with time_unit="),
    ],
)
def test_other_directions_origins_and_clocks_are_no_continuation(settings, message, model, tmp_path):
    with Recorder(model, tmp_path / "run", sketch=8, basis=np.eye(21)[:, :2]) as record:
        record.step()
    for _ in range(2):  # a refusal leaves the store unlocked
        with pytest.raises(ValueError, match=message):
            Recorder(model, tmp_path / "run", sketch=8, resume=True, **settings)


def test_what_is_no_model_optimizer_or_loss_is_refused(model, tmp_path):
    for wrong in (None, torch.nn.Linear):
        with pytest.raises(TypeError, match=r"model must be a torch\.nn\.Module"):
            Recorder(wrong, tmp_path / "run")
    with pytest.raises(TypeError, match="optimizer must be a torch optimizer, got int"):
        Recorder(model, tmp_path / "run", optimizer=3)
    with pytest.raises(ValueError, match="not both"):
        Recorder(model, tmp_path / "run", optimizer=OPTIMIZERS["sgd"](model.parameters()), lr=0.1)
    with pytest.raises(ValueError, match="origin holds NaN"):
        Recorder(model, tmp_path / "run", origin=np.full(21, np.nan))
    with Recorder(model, tmp_path / "run") as record:
        for wrong in (torch.ones(2), "a", np.ones(3)):
            with pytest.raises(ValueError, match="loss must be"):
                record.step(wrong)
        assert record.steps == 0  # such a step does not count


def test_an_existing_store_is_refused_unless_resumed_with_the_same_settings(model, tmp_path):
    with Recorder(model, tmp_path / "run", sketch=8) as record:
        record.step(1.0)
    with pytest.raises(StoreError, match="exists already"):
        Recorder(model, tmp_path / "run", sketch=8)
    with pytest.raises(ValueError, match="was recorded with recording="):
        Recorder(model, tmp_path / "run", sketch=9, resume=True)
    with pytest.raises(ValueError, match="was recorded with parameters="):
        Recorder(torch.nn.Linear(3, 1), tmp_path / "run", sketch=8, resume=True)
    with pytest.raises(ValueError, match="no parameter"):
        Recorder(torch.nn.Tanh(), tmp_path / "none")


def test_an_exception_leaves_an_unfinished_recording_with_all_lines(model, tmp_path):
    def interrupted():
        with Recorder(model, tmp_path / "run", sketch=8) as record:
            record.step(1.0)
            record.step(0.5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    result = sp.open(tmp_path / "run")
    assert result.attrs["complete"] == 0
    np.testing.assert_array_equal(result["training_loss"][:, 0], [1.0, 0.5])


@pytest.mark.parametrize(
    ("name", "value", "anchors", "committed"),
    [
        ("_ROWS", 7, 0, {6: 0, 7: 7, 13: 7, 14: 14}),
        ("_ROWS", 99, 1, {9: 1, 10: 10}),
        ("_SECONDS", 0.0, 0, {1: 1, 5: 5}),
    ],
)
def test_rows_are_committed_when_they_are_many_or_old_or_hold_an_anchor(
    name, value, anchors, committed, model, tmp_path, monkeypatch
):
    monkeypatch.setattr("sgdphys.network.recording.recorder._SECONDS", 1e9)
    monkeypatch.setattr(f"sgdphys.network.recording.recorder.{name}", value)
    with Recorder(model, tmp_path / "run", lr=0.1, sketch=4, anchors=anchors) as record:
        for step in range(1, 1 + max(committed)):
            record.step(1.0)
            if step in committed:
                assert sp.open(tmp_path / "run").sizes["line"] == committed[step]


def test_a_killed_training_leaves_a_store_that_opens(tmp_path):
    path = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-c", TRAIN_FOR_EVER, str(path)], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    end = time.monotonic() + 20
    while read_commit(path).lengths["line"] < 300 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.003)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    result = sp.open(path).load()
    assert result.sizes["line"] >= 300 and result.attrs["complete"] == 0
    np.testing.assert_array_equal(result["line_step"], 1 + np.arange(result.sizes["line"]))
    np.testing.assert_array_equal(result["step"], 3 * np.arange(result.sizes["time"]))
    for name in ("training_loss", "distance_from_start", "sketch", "anchor"):
        assert np.isfinite(result[name]).all()
    assert verify(path).sound


def test_other_ranks_record_nothing(model, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    with Recorder(model, tmp_path / "run") as record:
        record.step(1.0)
    assert not (tmp_path / "run").exists()


def test_named_directions_reach_the_store(perceptron, tmp_path):
    module = perceptron.objective.model.module
    module.requires_grad_()
    with Recorder(module, tmp_path / "run", basis=named_basis(perceptron, hessian=1, noise=1, random=1)) as record:
        record.step()
    result = sp.open(tmp_path / "run")
    assert list(result["direction_kind"].values) == ["hessian", "noise", "random"]
    np.testing.assert_allclose(result["position"][0], 0, atol=1e-12)
