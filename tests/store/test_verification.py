"""Lost and damaged chunks are found; zarr itself would read them as fill values."""

import json

import numpy as np
import pytest
import xarray as xr

from sgdphys.store import save_dataset, verify


@pytest.fixture
def complete(new_run, frames):
    with new_run() as writer:
        writer.append(frames(0, 10))
        writer.finish({"diverged": np.zeros(6, bool)})
    return writer.path


def test_a_sound_store(complete):
    found = verify(complete)
    assert found.sound
    assert found.n_chunks == 4  # position, diverged (all False, yet on disk), time, step
    assert "complete, 10 of 10 frames" in found.line


@pytest.mark.parametrize("chunk", ["position/c/0/0/0", "diverged/c/0", "time/c/0"])
def test_a_lost_chunk(complete, chunk):
    (complete / chunk).unlink()
    assert verify(complete).missing == (chunk,)


@pytest.mark.parametrize("damage", ["truncated", "one bit"])
def test_a_damaged_chunk(complete, damage):
    path = complete / "position/c/0/0/0"
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    else:
        content[-6] ^= 1
    path.write_bytes(content)
    assert verify(complete).corrupt == ("position/c/0/0/0",)


def test_a_lost_array(complete):
    (complete / "position/zarr.json").unlink()
    assert verify(complete).missing == ("position/zarr.json",)


def test_a_run_of_own_functions_is_not_repeatable_from_the_store_alone(tmp_path):
    landscape = {"landscape": "Custom", "potential": "thesis.bowl", "gradient": "thesis.slope", "source_hash": "ab"}
    configuration = json.dumps({"landscape": {"landscape": "Sum", "parts": [landscape]}, "seed": 0})
    attributes = {"sgdphys_format": 1, "configuration": configuration}
    save_dataset(tmp_path / "s.zarr", xr.Dataset({"density": ("x", [1.0])}, attrs=attributes))
    assert verify(tmp_path / "s.zarr").own_code == ("thesis.bowl", "thesis.slope")


def test_uncommitted_chunks_may_be_absent(new_sweep, frames):
    with new_sweep() as writer:
        writer.append(frames(0, 10), point=(1, 1))
    found = verify(writer.path)
    assert found.sound
    assert found.n_chunks == 5  # one of position, and temperature, seed, time, step
