"""What several pictures are drawn of."""

import numpy as np
import pytest
import xarray as xr

import sgdphys as sp
from sgdphys import schema
from sgdphys.landscapes import DoubleWell

WELL = DoubleWell()


@pytest.fixture(scope="session")
def well():
    return WELL


@pytest.fixture
def labels():
    """Return a function that reads the legend of a panel."""
    return lambda axes: [text.get_text() for text in axes.get_legend().get_texts()]


@pytest.fixture(scope="session")
def cloud():
    return sp.simulate(WELL, temperature=0.1, dt=0.02, n_steps=1000, n_particles=4000, start=1.0, save_at=5)


@pytest.fixture(scope="session")
def density():
    grid = sp.Grid([(-2.2, 2.2, 200)])
    return sp.fokker_planck.evolve(WELL, temperature=0.1, grid=grid, start=1.0, times=[0, 5, 10, 15, 20])


@pytest.fixture(scope="session")
def stationary():
    return sp.fokker_planck.stationary(WELL, temperature=0.1, grid=sp.Grid([(-2.2, 2.2, 200)]))


@pytest.fixture(scope="session")
def temperature_sweep():
    return sp.sweep(WELL, temperatures=[0.1, 0.2, 0.4], seeds=[0, 1], dt=0.02, n_steps=200, n_particles=500, start=0.0)


@pytest.fixture
def network_sweep():
    rng = np.random.default_rng(0)
    points, k = ("lr", "batch_size", "seed"), 4
    temperature = np.array([[0.003, 0.0008], [0.006, 0.0016]])
    sweep = xr.Dataset(
        coords={
            "lr": [0.05, 0.1], "batch_size": [8, 32], "seed": [0, 1], "coordinate": [f"x{i}" for i in range(k)],
            "temperature": (("lr", "batch_size"), temperature, schema.describe("temperature")),
        }
    )  # fmt: skip
    compared = ("mean_ratio_real", "mean_ratio_sim", "entropy_real", "entropy_sim")
    for name in (*compared, "excess_loss", "test_error", "hessian_trace"):
        values = 1 + 0.1 * rng.random((2, 2, 2))
        sweep[name] = (points, values, schema.describe(name))
        sweep[f"{name}_standard_error"] = (points, 0.02 * np.ones((2, 2, 2)))
    for name in ("entropy_predicted", "excess_loss_predicted"):
        sweep[name] = (points, np.ones((2, 2, 2)), schema.describe(name))
    sweep["variance_real"] = ((*points, "coordinate"), 1.1 * np.ones((2, 2, 2, k)))
    sweep["variance_real_standard_error"] = ((*points, "coordinate"), 0.05 * np.ones((2, 2, 2, k)))
    sweep["variance_predicted"] = ((*points, "coordinate"), np.ones((2, 2, 2, k)))
    sweep["minimum_hessian_trace"], sweep["minimum_test_error"] = 22.0, 0.02
    return sweep
