import os
import signal
import threading
import time

import numpy as np
import pytest
import torch
from asserts import assert_same_bits

import sgdphys
from sgdphys import SGD
from sgdphys.errors import MemoryLimitError, StoreError
from sgdphys.network import LangevinDescent, Network, train
from sgdphys.network.clouds.cloud_frames import StoredFrames

SETTINGS = {"n_replicas": 4, "n_steps": 40, "save_at": 9, "seed": 3}
MOMENTUM = SGD(0.1, 4, momentum=0.5)


@pytest.fixture
def batch_norm(classes):
    """Return a classifier with batch normalisation in training mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 3))
    return Network(model, torch.nn.CrossEntropyLoss(), classes)


class KilledError(Exception):
    """What ends a run in the middle."""


def killed_after(monkeypatch, frames):
    """Let the run stop once so many frames were appended, the last of them not committed."""
    keep = StoredFrames.keep

    def counted(self, snapshot, step):
        if self.kept == frames:
            self._writer._held, self._writer._held_frames = [], 0  # what a kill would lose
            raise KilledError
        keep(self, snapshot, step)
        if self.kept < frames:
            self._writer.commit()

    monkeypatch.setattr(StoredFrames, "keep", counted)


def test_a_store_holds_the_cloud(perceptron, tmp_path):
    plain = train(perceptron, MOMENTUM, record_potential=True, **SETTINGS)
    stored = train(perceptron, MOMENTUM, record_potential=True, store=tmp_path / "cloud", **SETTINGS)
    assert_same_bits(stored.load(), plain)
    again = sgdphys.open(tmp_path / "cloud").load()
    assert_same_bits(again, plain)
    assert again.attrs["configuration"] == plain.attrs["configuration"] and again.attrs["engine"] == "vectorised"


@pytest.mark.parametrize("engine", ["vectorised", "loop"])
@pytest.mark.parametrize("frames", [1, 5])
def test_a_killed_training_goes_on_to_the_bit(batch_norm, tmp_path, monkeypatch, engine, frames):
    whole = train(batch_norm, MOMENTUM, engine=engine, **SETTINGS)
    killed_after(monkeypatch, frames)
    with pytest.raises(KilledError):
        train(batch_norm, MOMENTUM, engine=engine, store=tmp_path / "cloud", **SETTINGS)
    monkeypatch.undo()
    if frames > 1:
        assert sgdphys.open(tmp_path / "cloud").sizes["time"] == frames - 1
    resumed = train(batch_norm, MOMENTUM, store=tmp_path / "cloud", resume=True, **SETTINGS)
    assert_same_bits(resumed.load(), whole)
    assert resumed.attrs["engine"] == engine
    complete = train(batch_norm, MOMENTUM, store=tmp_path / "cloud", resume=True, **SETTINGS)
    assert_same_bits(complete.load(), whole)


class Slow(torch.nn.Module):
    """A linear map that takes a hundredth of a second."""

    def __init__(self):
        super().__init__()
        self.map = torch.nn.Linear(3, 3)

    def forward(self, x):
        time.sleep(0.01)
        return self.map(x)


@pytest.mark.parametrize("engine", ["vectorised", "loop"])
def test_an_interrupt_ends_a_run_within_a_step_and_leaves_its_store(classes, tmp_path, monkeypatch, engine):
    network = Network(Slow(), torch.nn.CrossEntropyLoss(), classes)
    keep = StoredFrames.keep

    def kept(self, snapshot, step):
        keep(self, snapshot, step)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()

    monkeypatch.setattr(StoredFrames, "keep", kept)
    settings = {"n_replicas": 3, "n_steps": 200_000, "save_at": 2, "engine": engine, "store": tmp_path / "cloud"}
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        train(network, SGD(0.1, 4), **settings)
    assert time.monotonic() - begin < 15  # a piece of the run, 2000 steps, takes twenty seconds and more
    np.testing.assert_array_equal(sgdphys.open(tmp_path / "cloud")["step"], [0])


def test_a_kick_of_every_step_is_the_same_after_resumption(perceptron, tmp_path, monkeypatch):
    whole = train(perceptron, SGD(0.1, 4), dynamics=LangevinDescent(0.1), **SETTINGS)
    killed_after(monkeypatch, 4)
    with pytest.raises(KilledError):
        train(perceptron, SGD(0.1, 4), dynamics=LangevinDescent(0.1), store=tmp_path / "cloud", **SETTINGS)
    monkeypatch.undo()
    resumed = train(
        perceptron, SGD(0.1, 4), dynamics=LangevinDescent(0.1), store=tmp_path / "cloud", resume=True, **SETTINGS
    )
    assert_same_bits(resumed.load(), whole)


def test_a_store_of_another_run_is_refused_or_replaced(perceptron, tmp_path):
    path = tmp_path / "cloud"
    train(perceptron, MOMENTUM, store=path, **SETTINGS)
    with pytest.raises(StoreError, match="belongs to another run"):
        train(perceptron, MOMENTUM, store=path, resume=True, **(SETTINGS | {"seed": 4}))
    with pytest.raises(StoreError, match="belongs to another run"):
        train(perceptron.at(np.ones(31)), MOMENTUM, store=path, resume=True, **SETTINGS)
    with pytest.raises(StoreError):
        train(perceptron, MOMENTUM, store=path, **SETTINGS)
    replaced = train(perceptron, SGD(0.1, 4), store=path, overwrite=True, **SETTINGS)
    assert "velocity" not in replaced


def test_a_stored_cloud_is_continued(perceptron, tmp_path):
    half = train(perceptron, MOMENTUM, store=tmp_path / "cloud", **SETTINGS)
    rest = train(perceptron, MOMENTUM, start=half, n_steps=5, seed=3)
    whole = train(perceptron, MOMENTUM, **(SETTINGS | {"n_steps": 45}))
    np.testing.assert_array_equal(rest["position"][-1], whole["position"][-1])


def test_a_store_needs_memory_for_the_state_alone(perceptron, tmp_path, monkeypatch):
    with pytest.raises(MemoryLimitError, match="the state of 1000000000000 replicas"):
        train(perceptron, MOMENTUM, n_replicas=10**12, n_steps=2, store=tmp_path / "cloud")
    monkeypatch.setattr("sgdphys.simulation.memory.available_memory", lambda: 100_000)
    with pytest.raises(MemoryLimitError, match=r"a cloud of 41 frames.* or store="):
        train(perceptron, MOMENTUM, n_replicas=10, n_steps=40, save_at=41)
    train(perceptron, MOMENTUM, n_replicas=10, n_steps=40, save_at=41, store=tmp_path / "cloud")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resume": True}, "give store="),
        ({"overwrite": True}, "give store="),
        ({"store": "x", "resume": True, "overwrite": True}, "give one of resume="),
        ({"store": 3}, "store must be a path, got 3"),
    ],
)
def test_what_to_do_with_a_store_is_checked(perceptron, settings, message):
    with pytest.raises(ValueError, match=message):
        train(perceptron, MOMENTUM, **SETTINGS, **settings)
