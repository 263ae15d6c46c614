"""Runs that write to a store: the same cloud as in memory, also after interruptions, with other threads and blocks."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from asserts import assert_same_bits

import sgdphys as sp
from sgdphys.errors import DivergenceWarning, StoreError
from sgdphys.noises import Full
from sgdphys.observers import FirstPassage, Moments
from sgdphys.simulation.engine import Ensemble

BOWL = sp.landscapes.Quadratic([[1.0, 0.3], [0.3, 2.0]])
NOISE = Full([[1.0, 0.5], [0.5, 1.0]])


def run(**options):
    defaults = {
        "sgd": sp.SGD(lr=0.05, batch_size=2, momentum=0.8, weight_decay=0.1), "n_steps": 40, "n_particles": 300,
        "start": 1.0, "save_at": 21, "seed": 5, "observers": [FirstPassage("x < 0"), Moments(at=5)],
        "record_potential": True,
    }  # fmt: skip
    return sp.simulate(BOWL, NOISE, **{**defaults, **options})


@pytest.fixture
def interrupted(monkeypatch):
    """Return a function that makes a run stop by Ctrl-C after some stretches of a few steps."""

    def stop_after(stretches, run):
        monkeypatch.setattr("sgdphys.simulation.stretches.SECONDS", 1e-12)
        calls, advance = iter(range(stretches)), Ensemble.advance

        def advance_some(*arguments):
            if next(calls, None) is None:
                raise KeyboardInterrupt
            advance(*arguments)

        monkeypatch.setattr(Ensemble, "advance", advance_some)
        with pytest.raises(KeyboardInterrupt):
            run()
        monkeypatch.undo()

    return stop_after


@pytest.mark.parametrize("storage", ["float64", "float32"])
def test_a_store_holds_what_memory_holds(tmp_path, storage):
    stored, held = run(store=tmp_path / "run.zarr", storage=storage), run(storage=storage)
    assert_same_bits(stored.drop_attrs(), held)
    assert_same_bits(sp.open(tmp_path / "run.zarr"), held)
    assert json.loads(stored.attrs["configuration"]) == json.loads(held.attrs["configuration"])
    assert stored.attrs["complete"] == 1


@pytest.mark.parametrize("stretches", [1, 7, 38])
@pytest.mark.parametrize("options", [{"threads": 1, "block_size": 64}, {"threads": 2, "block_size": 1024}])
def test_an_interrupted_run_goes_on_bit_for_bit(tmp_path, interrupted, stretches, options):
    path = tmp_path / "run.zarr"
    interrupted(stretches, lambda: run(store=path, block_size=256))
    resumed = run(store=path, resume=True, **options)
    assert_same_bits(resumed.drop_attrs(), run())


def test_interrupted_twice_before_the_first_frame_and_later(tmp_path, interrupted):
    path = tmp_path / "run.zarr"
    interrupted(0, lambda: run(store=path))
    interrupted(5, lambda: run(store=path, resume=True))
    interrupted(6, lambda: run(store=path, resume=True, block_size=64))
    assert sp.open(path).sizes["time"] < 21
    assert_same_bits(run(store=path, resume=True).drop_attrs(), run())


def test_particles_lost_before_the_interruption_stay_lost(tmp_path, interrupted):
    quartic = sp.landscapes.Expression("x**4/4")
    start = np.linspace(0.0, 6.0, 200)[:, np.newaxis]

    def steep(**options):
        return sp.simulate(quartic, temperature=0.01, dt=0.1, n_steps=50, save_at=26, start=start, **options)

    path = tmp_path / "run.zarr"
    with pytest.warns(DivergenceWarning) as whole:
        reference = steep()
    interrupted(40, lambda: steep(store=path))
    with pytest.warns(DivergenceWarning) as resumed:
        assert_same_bits(steep(store=path, resume=True)[["position", "diverged"]], reference[["position", "diverged"]])
    count = str(whole[0].message).split(" particles")[0]
    assert str(resumed[0].message).startswith(count)


def test_resume_of_a_complete_run_computes_nothing(tmp_path, monkeypatch):
    first = run(store=tmp_path / "run.zarr").load()
    monkeypatch.setattr(Ensemble, "advance", None)
    assert_same_bits(run(store=tmp_path / "run.zarr", resume=True), first)


def test_without_frames_the_observers_are_stored(tmp_path, interrupted):
    path = tmp_path / "run.zarr"
    stored = run(store=path, save_at=0)
    assert "position" not in stored
    assert "time" not in stored.dims
    assert_same_bits(stored.drop_vars(["start_position", "start_velocity"], errors="ignore"), run(save_at=0))
    other = tmp_path / "other.zarr"
    interrupted(3, lambda: run(store=other, save_at=0))
    assert_same_bits(run(store=other, save_at=0, resume=True), stored)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 6},
        {"n_steps": 41},
        {"start": 2.0},
        {"save_at": 22},
        {"save_at": [0.5, 1.0]},
        {"observers": [Moments(at=5)]},
        {"observers": [FirstPassage("x < 0.1"), Moments(at=5)]},
        {"record_potential": False},
        {"storage": "float32"},
        {"point": (1,)},
        {"sgd": sp.SGD(lr=0.05, batch_size=2, momentum=0.8)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_store_of_another_run_is_not_continued(tmp_path, interrupted, change):
    path = tmp_path / "run.zarr"
    interrupted(9, lambda: run(store=path))
    with pytest.raises(StoreError, match="belongs to another run"):
        run(store=path, resume=True, **change)


def test_a_store_that_is_there_is_not_overwritten_unless_told(tmp_path):
    path = tmp_path / "run.zarr"
    run(store=path)
    with pytest.raises(StoreError, match=r"run\.zarr"):
        run(store=path, seed=6)
    other = run(store=path, seed=6, overwrite=True)
    assert_same_bits(other.drop_attrs(), run(seed=6))


def test_a_start_that_no_frame_holds_is_stored(tmp_path):
    start = np.random.default_rng(0).normal(size=(300, 2))
    stored = run(store=tmp_path / "one.zarr", start=start, save_at=1)
    assert_same_bits(stored["start_position"].values, start)
    assert np.all(stored["start_velocity"] == 0)
    assert "start_position" not in run(store=tmp_path / "two.zarr", start=start, save_at=2)
    assert "start_position" not in run(store=tmp_path / "three.zarr", start=1.0, save_at=1)


HOURS = """
import sys
import sgdphys as sp

sp.simulate(
    sp.landscapes.DoubleWell(), temperature=0.1, dt=0.01, n_steps=10**10, n_particles=2000, start=-1.0,
    save_at=100_001, store=sys.argv[1], progress=False,
)
"""  # frames are 100,000 steps apart, on a fast idle machine a tenth of a second; the whole run takes hours on any
HANG = 300  # seconds after which a process counts as stuck; a stretch between two looks at the signal takes about one


def test_ctrl_c_stops_the_threads_and_keeps_what_was_done(tmp_path):
    path = tmp_path / "run.zarr"
    process = subprocess.Popen([sys.executable, "-c", HOURS, str(path)], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + HANG
    while sp_frames(path) < 2:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=HANG)
    assert process.returncode == -signal.SIGINT or "KeyboardInterrupt" in errors
    done = sp.open(path)
    again = sp.simulate(
        sp.landscapes.DoubleWell(), temperature=0.1, dt=0.01, n_steps=100_000, n_particles=2000, start=-1.0, save_at=1,
    )  # fmt: skip
    assert_same_bits(done["position"].isel(time=1).values, again["position"].values[0])
    assert np.isfinite(done["position"].isel(time=-1).values).all()


def sp_frames(path):
    from sgdphys.errors import StoreError

    try:
        return sp.open(path).sizes["time"]
    except StoreError:
        return 0


def test_an_interrupted_run_holds_no_lock(tmp_path, interrupted):
    path = tmp_path / "run.zarr"
    interrupted(9, lambda: run(store=path))
    assert os.path.isdir(path)
    run(store=path, overwrite=True)


@pytest.mark.parametrize("stretches", [9, 1000])
def test_other_random_numbers_are_not_continued(tmp_path, interrupted, stretches):
    """The wrong variant goes on, with the second half of the noise of another generator."""
    path = tmp_path / "run.zarr"
    if stretches == 9:
        interrupted(stretches, lambda: run(store=path))
    else:
        run(store=path)
    metadata = json.loads((path / "zarr.json").read_text())
    metadata["attributes"]["rng_version"] = 77
    (path / "zarr.json").write_text(json.dumps(metadata))
    with pytest.raises(StoreError, match="random numbers of version 77, this sgdphys makes version 1; overwrite=True"):
        run(store=path, resume=True)


def test_a_complete_store_that_lost_a_chunk_is_refused_on_resume(tmp_path):
    path = tmp_path / "run.zarr"
    run(store=path)
    (path / "position/c/0/0/0").unlink()
    with pytest.raises(StoreError, match="1 committed chunk is missing"):
        run(store=path, resume=True)
