"""kill -9 at random moments: the store always opens, and below the commit there is no fill value."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import sgdphys as sp
from sgdphys.errors import StoreError
from sgdphys.store import resume_store, verify
from sgdphys.store.commit import read_commit

WRITE_FOR_EVER = """
import sys, numpy as np, xarray as xr
from sgdphys.store import PlannedArray, create_store
fixed = xr.Dataset(coords={"time": np.arange(400.0), "seed": np.arange(50)}, attrs={"sgdphys_format": 1})
points = ("seed",)
position = PlannedArray.named("position", points=points, dtype="float32")
planned = [position, PlannedArray.named("diverged", points=points)]
with create_store(sys.argv[1], fixed, planned, sizes={"particle": 5000, "coordinate": 1}, points=points) as writer:
    print("ready", flush=True)
    for point in range(50):
        for k in range(0, 400, 10):
            frames = (np.arange(k, k + 10)[:, None, None] + np.arange(5000)[:, None] / 5000).astype("float32")
            writer.append({"position": frames}, point=(point,), state={"last": frames[-1] + np.float32(point)})
        writer.finish({"diverged": np.zeros(5000, bool)}, point=(point,))
"""


def _kill_after(path, seconds, frames=0):
    """Kill the writer some seconds after it began, but not before it has committed some frames."""
    process = subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, str(path)], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    time.sleep(seconds)
    while frames and read_commit(path).frames.sum() < frames and process.poll() is None:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def _assert_committed_part_is_whole(path):
    if not read_commit(path).frames.any():
        with pytest.raises(StoreError, match="no committed frame yet"):
            sp.open(path)
        return 0
    dataset = sp.open(path)
    total = 0
    for point, count in enumerate(dataset["committed_frames"].values):
        values = dataset["position"].isel(seed=point, coordinate=0).values
        expected = (np.arange(count)[:, None] + np.arange(5000) / 5000).astype("float32")
        np.testing.assert_array_equal(values[:count], expected)
        assert np.isnan(values[count:]).all()
        total += int(count)
    assert verify(path).sound
    return total


def _assert_state_belongs_to_the_commit(path):
    with resume_store(path) as writer:
        for point in range(50):
            state = writer.state((point,))
            if state is not None:
                assert state["last"][0, 0] == writer.frames((point,)) - 1 + point


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_kill_at_random_moments(tmp_path):
    moments = random.Random(5)
    frames = []
    for trial in range(6):
        path = tmp_path / f"{trial}.zarr"
        _kill_after(path, moments.uniform(0.0, 0.4), frames=64 * (trial % 2))
        frames.append(_assert_committed_part_is_whole(path))
        _assert_state_belongs_to_the_commit(path)
    assert min(frames[1::2]) >= 64


@pytest.mark.slow
def test_kill_sixty_times(tmp_path):
    moments = random.Random(6)
    for trial in range(60):
        path = tmp_path / f"{trial}.zarr"
        _kill_after(path, moments.uniform(0.0, 0.6))
        _assert_committed_part_is_whole(path)
        _assert_state_belongs_to_the_commit(path)
