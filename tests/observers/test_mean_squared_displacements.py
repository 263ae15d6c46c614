"""Displacements during the run: those of the saved cloud, diffusion, and anomalous exponents of many modes."""

import numpy as np
import pytest
from asserts import assert_excluded, assert_within

import sgdphys as sp
from sgdphys.noises import Diagonal, Isotropic
from sgdphys.observers import MeanSquaredDisplacement

BOWL = sp.landscapes.Quadratic([[1.0, 0.3], [0.3, 2.0]])


def run(observer, **options):
    defaults = {"temperature": 0.3, "dt": 0.05, "n_steps": 40, "n_particles": 5000, "save_at": 41, "seed": 2}
    return sp.simulate(BOWL, start=[0.5, -0.5], observers=[observer], **{**defaults, **options})


@pytest.mark.parametrize("observer", [
    MeanSquaredDisplacement(lags=[0.0, 0.05, 0.52, 1.0], origin=[0.0, 0.5, 1.0]), MeanSquaredDisplacement(lags=9),
])  # fmt: skip
def test_equal_those_of_the_saved_cloud(observer):
    cloud = run(observer)
    x, time = cloud["position"].values, cloud["time"].values
    for i, origin in enumerate(cloud["displacement_origin"].values):
        for j, lag in enumerate(cloud["displacement_lag"].values):
            first, last = (int(np.argmin(np.abs(time - t))) for t in (origin, origin + lag))
            squares = (x[last] - x[first]) ** 2
            here = {"displacement_origin": i, "displacement_lag": j}
            chosen = cloud.isel(here)
            np.testing.assert_allclose(chosen["squared_displacement"], squares.mean(axis=0), rtol=1e-11)
            total = squares.sum(axis=1)
            np.testing.assert_allclose(chosen["mean_squared_displacement"], total.mean(), rtol=1e-11)
            error = chosen["mean_squared_displacement_standard_error"]
            np.testing.assert_allclose(error, total.std() / np.sqrt(5000), rtol=1e-9)


def test_lags_are_spaced_logarithmically():
    lags = run(MeanSquaredDisplacement(lags=5, origin=0.5))["displacement_lag"].values / 0.05
    np.testing.assert_allclose(lags, [1, 2, 5, 13, 30])


def test_one_coordinate():
    cloud = run(MeanSquaredDisplacement(lags=[1.0], coordinates=["y"]))
    both = run(MeanSquaredDisplacement(lags=[1.0]))
    np.testing.assert_allclose(
        cloud["mean_squared_displacement"], both["squared_displacement"].sel(coordinate="y"), rtol=1e-12
    )


def test_free_diffusion():
    """2 T c t for each coordinate; T c t would be the wrong factor."""
    cloud = sp.simulate(
        sp.landscapes.Quadratic(np.zeros((2, 2))), Isotropic(2.0), temperature=0.25, dt=0.1, n_steps=100, save_at=0,
        n_particles=20_000, start=0.0, observers=[MeanSquaredDisplacement(lags=6)],
    )  # fmt: skip
    exact = 4 * 0.25 * 2.0 * cloud["displacement_lag"].values
    errors = cloud["mean_squared_displacement_standard_error"].values[0]
    assert_within(cloud["mean_squared_displacement"].values[0], exact, errors)
    assert_excluded(cloud["mean_squared_displacement"].values[0, -1], exact[-1] / 2, errors[-1], smallest=50)
    np.testing.assert_allclose(errors, exact / np.sqrt(20_000), rtol=0.05)


def test_many_modes_diffuse_anomalously():
    """h_i = i^-2 and D = H: each mode has variance T/(1 - h dt/2); the sum grows as t^(1/2) while modes are left."""
    modes, n, dt, temperature = 200, 256, 0.5, 0.5
    h = np.arange(1, modes + 1) ** -2.0
    variance = temperature / (1 - h * dt / 2)
    start = np.sqrt(variance) * np.random.default_rng(1).normal(size=(n, modes))
    cloud = sp.simulate(
        sp.landscapes.Quadratic(np.diag(h)), Diagonal(h), temperature=temperature, dt=dt, n_steps=2000, save_at=0,
        start=start, observers=[MeanSquaredDisplacement(lags=[1.0, 10.0, 100.0, 1000.0])],
    )  # fmt: skip
    steps = np.array([2, 20, 200, 2000])
    exact = np.array([np.sum(2 * variance * (1 - (1 - h * dt) ** k)) for k in steps])
    msd = cloud["mean_squared_displacement"].values[0]
    error = cloud["mean_squared_displacement_standard_error"].values[0]
    assert_within(msd, exact, error)
    exponents = np.diff(np.log10(msd))
    assert_within(
        exponents[1:], np.diff(np.log10(exact))[1:], np.hypot(error[1:-1] / exact[1:-1], error[2:] / exact[2:])
    )
    assert np.all(np.abs(exponents[1:] - 0.5) < 0.03)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"lags": [-1.0]}, "a lag"), ({"lags": 0}, "lags"), ({"lags": [np.inf]}, "a lag"), ({"origin": np.nan}, "origin")],
)
def test_numbers_that_are_none_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MeanSquaredDisplacement(**arguments)


@pytest.mark.parametrize("arguments", [{"origin": 2.0}, {"origin": -1.0}, {"origin": 1.5, "lags": [1.0]}])
def test_times_outside_the_run_are_refused(arguments):
    with pytest.raises(ValueError, match="origin"):
        run(MeanSquaredDisplacement(**arguments))


def test_lags_snap_to_the_nearest_step():
    cloud = sp.simulate(
        sp.landscapes.Quadratic(1.0), temperature=1.0, dt=0.1, n_steps=10, n_particles=3,
        observers=[MeanSquaredDisplacement(lags=[0.14, 0.26, 0.38], origin=0.19)],
    )  # fmt: skip
    np.testing.assert_allclose(cloud["displacement_origin"], [0.2])
    np.testing.assert_allclose(cloud["displacement_lag"], [0.1, 0.3, 0.4])
