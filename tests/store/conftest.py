"""A small store whose every value is known: position[k, i, c] = k + i/1000 + c/2 (plus 100 per sweep point)."""

import json

import numpy as np
import pytest
import xarray as xr

from sgdphys import schema
from sgdphys.store import PlannedArray, create_store

N_FRAMES, N_PARTICLES, DIM = 10, 6, 2


def _fixed(n_frames=N_FRAMES, **coords):
    dataset = xr.Dataset(
        coords={
            "time": ("time", 0.1 * np.arange(n_frames), schema.describe("time")),
            "step": ("time", np.arange(n_frames), schema.describe("step")),
            "coordinate": schema.coordinate_names(DIM),
            **coords,
        }
    )
    dataset.attrs = schema.attributes_of(json.dumps({"seed": 1}), "0.1.0")
    return dataset


def _frames(first, last, point_number=0):
    k, i, c = np.arange(first, last), np.arange(N_PARTICLES), np.arange(DIM)
    position = k[:, None, None] + i[:, None] / 1000 + c / 2 + 100.0 * point_number
    return {"position": position}


@pytest.fixture
def frames():
    return _frames


@pytest.fixture
def new_run(tmp_path):
    """Return a function that makes the store of a single run."""

    def make(path=tmp_path / "run.zarr", dtype="float64", **options):
        planned = [PlannedArray.named("position", dtype=dtype), PlannedArray.named("diverged")]
        return create_store(path, _fixed(), planned, sizes={"particle": N_PARTICLES}, **options)

    return make


@pytest.fixture
def new_sweep(tmp_path):
    """Return a function that makes the store of a sweep over two temperatures and three seeds."""

    def make(path=tmp_path / "sweep.zarr", **options):
        points = ("temperature", "seed")
        fixed = _fixed(temperature=[0.1, 0.2], seed=[0, 1, 2])
        planned = [PlannedArray.named(name, points=points) for name in ("position", "diverged")]
        return create_store(path, fixed, planned, sizes={"particle": N_PARTICLES}, points=points, **options)

    return make
