import math

import numpy as np
import pytest
import scipy.linalg
import xarray as xr
from asserts import assert_falls, assert_within
from clouds import cloud_of
from grid_landscapes import Bowl

from sgdphys import schema
from sgdphys.analysis import free_energy, h_theorem
from sgdphys.fokker_planck import Grid, evolve
from sgdphys.landscapes import Quadratic
from sgdphys.noises import Full
from sgdphys.simulation import simulate
from sgdphys.theory import decompose_linear

# physics.md C1: the canonical system of broken balance, started in the Gibbs state of its loss
T = 0.1
HESSIAN = np.diag([2.0, 0.5])
NOISE = np.array([[0.55, 0.45], [0.45, 0.55]])
GIBBS = T * np.linalg.inv(HESSIAN)
RISE = 0.427521  # of (E[loss] - T H)/T
TIMES = np.array([0.0, 0.1, 0.3, 0.6, 1.0, 2.0, 4.0, 8.0])


@pytest.fixture(scope="module")
def linear():
    return decompose_linear(HESSIAN, NOISE, temperature=T)


def covariance_at(time, linear):
    stationary = linear["stationary_covariance"].values
    decay = scipy.linalg.expm(-HESSIAN * time)
    return stationary + decay @ (GIBBS - stationary) @ decay.T


def exact_free_energy(time, linear, matrix):
    """E[x' M x / 2] - T H of the Gaussian at a time."""
    covariance = covariance_at(time, linear)
    entropy = math.log(2 * math.pi * math.e) + 0.5 * math.log(np.linalg.det(covariance))
    return 0.5 * np.trace(matrix @ covariance) - T * entropy


def linear_cloud(count, linear, seed, times=TIMES):
    """The process at the times, exact: x <- e^{-Ht} x + the noise in between."""
    rng = np.random.default_rng(seed)
    stationary = linear["stationary_covariance"].values
    frames = [rng.multivariate_normal([0, 0], GIBBS, size=count)]
    for lag in np.diff(times):
        decay = scipy.linalg.expm(-HESSIAN * lag)
        noise = stationary - decay @ stationary @ decay.T
        frames.append(frames[-1] @ decay.T + rng.multivariate_normal([0, 0], noise, size=count))
    return cloud_of(*frames, times=times)


@pytest.mark.parametrize("method", ["gaussian", "nearest-neighbour"])
def test_the_free_energy_of_a_cloud_falls_where_energy_of_the_loss_rises(linear, method):
    cloud = linear_cloud(20_000, linear, 1)
    found = h_theorem(cloud, linear, temperature=T, method=method)
    assert bool(found["holds"])
    assert float(found["free_energy_rate_z"][0]) < -20
    exact = [exact_free_energy(time, linear, linear["potential_matrix"].values) for time in TIMES]
    rates = np.diff(exact) / np.diff(TIMES)
    assert_within(found["free_energy_rate"], rates, found["free_energy_rate_standard_error"])
    wrong = h_theorem(cloud, Quadratic(HESSIAN), temperature=T, method=method)
    assert not bool(wrong["holds"])
    change = wrong["free_energy"][-1] - wrong["free_energy"][0]
    assert_within(change, T * RISE, wrong["largest_rise_standard_error"])
    assert float(wrong["largest_rise_z"]) > 10
    assert float(wrong["rise_start"]) <= 0.1
    assert float(wrong["rise_end"]) >= 4


def test_a_simulated_cloud_from_the_gibbs_state_shows_the_same(linear):
    run = simulate(
        Quadratic(HESSIAN), Full(NOISE), temperature=T, dt=0.005, t1=8.0, n_particles=20_000, save_at=9, seed=3,
        start=lambda rng: np.sqrt(np.diag(GIBBS)) * rng.normal(size=(20_000, 2)),
    )  # fmt: skip
    with pytest.warns(UserWarning, match="the noise of this run is not D = c I"):
        wrong = h_theorem(run, Quadratic(HESSIAN), temperature=T, method="gaussian")
    # one step of Euler shifts variances by lr h / 2, half a percent
    assert_within(wrong["largest_rise"], T * RISE, np.hypot(wrong["largest_rise_standard_error"], 0.01 * T * RISE))
    assert not bool(wrong["holds"])
    assert bool(h_theorem(run, linear, temperature=T, method="gaussian")["holds"])


def test_a_grid_agrees_and_its_current_says_why(linear):
    grid = Grid([(-1.1, 1.1, 66), (-2.0, 2.0, 60)])
    times = np.array([0, 0.05, 0.1, 0.2, 0.4, 0.7, 1, 1.5, 2, 3, 4, 6, 8.0])
    gibbs = np.exp(-np.einsum("ni,ij,nj->n", grid.points(), np.linalg.inv(GIBBS), grid.points()) / 2).reshape(
        grid.shape
    )
    density = evolve(Quadratic(HESSIAN), Full(NOISE), temperature=T, grid=grid, start=gibbs, times=times, currents=True)
    found = h_theorem(density, linear, temperature=T)
    assert bool(found["holds"])
    assert_falls(found["free_energy"])
    exact = [exact_free_energy(time, linear, linear["potential_matrix"].values) for time in times]
    np.testing.assert_allclose(found["free_energy"], exact, atol=0.01 * (exact[0] - exact[-1]))
    np.testing.assert_allclose(found["free_energy_rate"], found["free_energy_rate_by_current"], rtol=0.03, atol=1e-4)
    # housekeeping: the mean of |v_ss|^2 by (T C)^-1 with the stationary velocity -Q S^-1 x
    flow = linear["current_matrix"].values
    work = flow.T @ np.linalg.inv(T * NOISE) @ flow
    keeping = [np.trace(work @ covariance_at(time, linear)) for time in times]
    np.testing.assert_allclose(found["housekeeping_rate"], keeping, rtol=0.02)
    assert float(found["housekeeping_rate"][-1]) == pytest.approx(1.8225, rel=0.01)
    total = density["entropy_production_rate"] - found["housekeeping_rate"]
    np.testing.assert_allclose(T * total, found["dissipation_rate"], atol=1e-12)
    with pytest.warns(UserWarning, match="the noise of this run is not D = c I"):
        wrong = h_theorem(density, Quadratic(HESSIAN), temperature=T)
    assert not bool(wrong["holds"])
    assert float(wrong["largest_rise"]) == pytest.approx(T * RISE, rel=0.01)
    np.testing.assert_allclose(wrong["free_energy_rate"], wrong["free_energy_rate_by_current"], rtol=0.05, atol=1e-4)
    for name in found.variables:
        assert name == "time" or found[name].attrs == schema.describe(str(name))


def test_without_a_current_all_entropy_production_is_loss_of_free_energy():
    line = Grid([(-3, 3, 300)])
    times = np.array([0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0])
    start = np.exp(-((line.centres[0] - 1) ** 2) / 0.02)
    density = evolve(Bowl(), temperature=T, grid=line, start=start, times=times, currents=True)
    found = h_theorem(density, Bowl(), temperature=T)
    np.testing.assert_allclose(found["dissipation_rate"][1:], T * density["entropy_production_rate"][1:], rtol=2e-3)
    np.testing.assert_allclose(found["free_energy_rate"], found["free_energy_rate_by_current"], rtol=0.04)
    assert bool(found["holds"])


@pytest.mark.parametrize("method", ["gaussian", "nearest-neighbour"])
def test_errors_of_differences_are_the_spread_of_repetitions(linear, method):
    times = np.array([0.0, 0.2, 0.25])
    runs = [
        h_theorem(linear_cloud(400, linear, seed, times), linear, temperature=T, method=method) for seed in range(200)
    ]
    rates = np.array([run["free_energy_rate"] for run in runs])
    stated = np.sqrt(np.mean([run["free_energy_rate_standard_error"] ** 2 for run in runs], axis=0))
    spread = rates.std(axis=0, ddof=1)
    np.testing.assert_allclose(stated, spread, rtol=4 / math.sqrt(2 * 200))
    separate = [free_energy(linear_cloud(400, linear, 0, times), linear, temperature=T, method=method)]
    errors = separate[0]["free_energy_standard_error"].values
    independent = math.hypot(errors[1], errors[2]) / 0.05
    assert independent > 1.1 * spread[1]  # frames .05 apart, taken for independent


def test_false_alarms_are_rare_in_the_stationary_state():
    rng = np.random.default_rng(4)
    found = [h_theorem(cloud_of(*math.sqrt(T) * rng.normal(size=(20, 500))), Bowl(), temperature=T) for _ in range(50)]
    assert sum(not bool(each["holds"]) for each in found) <= 2
    assert max(float(each["largest_rise_z"]) for each in found) > 1  # among 190 pairs some rise by chance


def test_a_start_at_one_point_is_a_fall_from_infinity():
    rng = np.random.default_rng(5)
    found = h_theorem(
        cloud_of(np.zeros(500), 0.1 * rng.normal(size=500), 0.2 * rng.normal(size=500)), Bowl(), temperature=T
    )
    assert bool(found["holds"])
    assert float(found["free_energy_rate"][0]) == -math.inf
    assert float(found["rise_start"]) == 1


def test_free_energies_alone_give_an_upper_bound_of_the_errors(linear):
    cloud = linear_cloud(5000, linear, 6)
    paired = h_theorem(cloud, linear, temperature=T, method="gaussian")
    alone = h_theorem(free_energy(cloud, linear, temperature=T, method="gaussian"))
    np.testing.assert_allclose(alone["free_energy_rate"], paired["free_energy_rate"], rtol=1e-12)
    assert np.all(alone["free_energy_rate_standard_error"] >= paired["free_energy_rate_standard_error"])


def test_bad_input_is_refused_in_one_line():
    cloud = cloud_of(*np.random.default_rng(0).normal(size=(2, 100)))
    with pytest.raises(ValueError, match="needs potential and temperature="):
        h_theorem(cloud, Bowl())
    with pytest.raises(ValueError, match="two frames or more, got 1"):
        h_theorem(cloud.isel(time=[0]), Bowl(), temperature=T)
    with pytest.raises(ValueError, match="already have their potential"):
        h_theorem(free_energy(cloud, Bowl(), temperature=T), Bowl())
    with pytest.raises(ValueError, match="temperature must be positive"):
        h_theorem(cloud, Bowl(), temperature=-1.0)


@pytest.mark.parametrize(("temperature", "holds"), [(1.0, True), (0.1, False)])
def test_rounding_is_that_of_the_temperature(temperature, holds):
    values = {"free_energy": ("time", [1.0, 1.0 + 5e-10]), "free_energy_standard_error": ("time", [0.0, 0.0])}
    energies = xr.Dataset(values, {"time": [0.0, 1.0]}, {"temperature": temperature})
    assert bool(h_theorem(energies)["holds"]) is holds


def test_what_has_no_course_in_time_is_refused_in_one_line(linear):
    cloud = linear_cloud(50, linear, 3)
    energies = free_energy(cloud, linear, temperature=T)
    for part, options, message in (
        (None, {}, "takes a Dataset"),
        (cloud.isel(time=slice(None, None, -1)), {"potential": linear, "temperature": T}, "finite and rise"),
        (energies.isel(time=[0, 0]), {}, "finite and rise"),
        (energies[["free_energy"]], {}, "need free_energy_standard_error too"),
        (energies.isel(time=[0]), {}, "two frames or more, got 1"),
        (cloud, {"potential": lambda x: x[:, 0] * np.nan, "temperature": T}, "not finite at 50 of 50 points"),
        (cloud, {"potential": Quadratic(np.eye(3)), "temperature": T}, r"shape \(particle, 3\)"),
        (cloud, {"potential": linear, "temperature": "warm"}, "temperature must be positive"),
    ):
        with pytest.raises(ValueError, match=message) as told:
            h_theorem(part, **options)
        assert "\n" not in str(told.value)
