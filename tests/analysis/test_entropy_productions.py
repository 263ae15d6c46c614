import numpy as np
import pytest
import xarray as xr
from asserts import assert_excluded, assert_within
from linear_clouds import broken_balance, cloud_of_chain, detailed_balance, entropy_per_step
from linear_drifts import BROKEN_BALANCE, Chain

from sgdphys import SGD, noises, simulate
from sgdphys.analysis import entropy_production
from sgdphys.fokker_planck.grid import Grid
from sgdphys.landscapes import ChaudhariSoatto, Expression, Quadratic

METHODS = ("uncertainty", "linear", "grid")


@pytest.mark.parametrize(("lr", "expected", "particles"), [(0.1, 1.89844, 4000), (0.01, 1.82982, 2000)])
def test_discrete_sgd_with_broken_balance(lr, expected, particles):
    """Case C1 as a chain: the entropy of its steps, which differs from the 1.8225 of the continuous process."""
    chain = broken_balance(lr)
    assert entropy_per_step(chain.M, chain.S) / lr == pytest.approx(expected, abs=1e-5)
    result = entropy_production(cloud_of_chain(chain, particles, 1000, seed=1), method="linear", after=0)
    rate, error = (float(result[f"entropy_production_rate{end}"]) for end in ("", "_standard_error"))
    assert_within(rate, expected, error)
    assert_excluded(rate, 0.0, error)
    if lr == 0.1:
        assert_excluded(rate, 1.8225, error)
    assert float(result["entropy_production_per_step"]) == pytest.approx(rate * lr)
    assert float(result["reversal_p_value"]) < 0.001


def test_sgd_itself():
    hessian, covariance = BROKEN_BALANCE
    sgd = SGD(lr=0.1, batch_size=1)  # T = .05: the entropy production does not depend on it
    chain = Chain(hessian, covariance, 0.05, 0.1)
    start = np.random.default_rng(0).multivariate_normal(np.zeros(2), chain.S, size=2000)
    cloud = simulate(
        Quadratic(hessian), noises.Full(covariance), sgd=sgd, n_steps=300, n_particles=2000, start=start, save_at=301
    )
    result = entropy_production(cloud, method="linear", after=0)
    assert_within(result["entropy_production_rate"], 1.89844, result["entropy_production_rate_standard_error"])


@pytest.mark.parametrize("method", METHODS)
def test_detailed_balance_reports_nothing(method):
    """Short runs of a reversible chain: estimates scatter about 0, the plain ones would all be positive."""
    results = [
        entropy_production(cloud_of_chain(detailed_balance(0.1), 40, 60, seed), method, after=0, seed=seed)
        for seed in range(40)
    ]
    estimates = np.array([float(result["entropy_production_estimate"]) for result in results])
    reported = np.array([float(result["entropy_production_rate"]) for result in results])
    assert_within(estimates.mean(), 0.0, estimates.std() / 40**0.5)
    assert np.mean(reported == 0) >= 0.95
    assert all(float(result["entropy_production_upper_bound"]) > 0 for result in results)
    plain = estimates + np.array([float(result["entropy_production_bias"]) for result in results])
    assert_excluded(plain.mean(), 0.0, plain.std() / 40**0.5, smallest=4 if method == "linear" else 10)


@pytest.mark.parametrize(
    ("formula", "method", "frames"),
    [
        ("x**4/4 - x**2/2", "uncertainty", 101),
        ("x**4/4 - x**2/2", "grid", 11),
        ("x**4/4 - x**2/2 + y**2 + x*y/2", "uncertainty", 101),
        ("x**4/4 - x**2/2 + y**2 + x*y/2", "uncertainty", 11),
        ("x**4/4 - x**2/2 + y**2 + x*y/2", "grid", 101),
    ],
)
def test_reversible_double_wells(formula, method, frames):
    """Slow hops between wells, few particles: 0 is reported in at least 38 of 40 runs."""
    landscape = Expression(formula)
    cloud = simulate(
        landscape, temperature=0.15, dt=0.01, t1=40.0, n_particles=40 * 30, start=1.0, save_at=10 * (frames - 1) + 1
    ).sel(time=slice(36.0, None))
    results = [
        entropy_production(cloud.isel(particle=slice(30 * k, 30 * (k + 1))), method, after=0, seed=k) for k in range(40)
    ]
    assert sum(float(result["entropy_production_rate"]) == 0 for result in results) >= 38
    estimates = np.array([float(result["entropy_production_estimate"]) for result in results])
    assert_within(estimates.mean(), 0.0, estimates.std() / 40**0.5)


def example_19(n, seed):
    """Return draws of its stationary density, exp(-(x^2 - 1)^2/4 - y^2/2)."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3.5, 3.5, 8 * n)
    kept = x[rng.uniform(size=x.size) < np.exp(-((x**2 - 1) ** 2) / 4)][:n]
    return np.stack([kept, rng.normal(size=n)], axis=1)


def test_example_19_from_below():
    """Lambda = 1.5: 1.533109. Linear currents see half of it, curved ones nearly all, none more than there is."""
    exact, n = 1.533109, 2500
    cloud = simulate(
        ChaudhariSoatto(1.5), temperature=1.0, dt=0.005, t1=4.0, n_particles=n, start=example_19(n, 0), save_at=801
    )
    rates, errors = {}, {}
    for name, options in {"linear": {"degree": 1}, "default": {}, "cells": {"method": "grid"}}.items():
        result = entropy_production(cloud, after=0, **options)
        rates[name] = float(result["entropy_production_rate"])
        errors[name] = float(result["entropy_production_rate_standard_error"])
        assert rates[name] < exact + 4 * errors[name]
    assert_within(rates["default"], 0.934 * exact, errors["default"])  # what degree 5 sees at an interval of .005
    assert rates["cells"] > 0.9 * exact
    assert_excluded(rates["linear"], exact, errors["linear"])
    assert_excluded(rates["default"], 0.0, errors["default"])


@pytest.mark.parametrize("every", [1, 10, 40])
def test_bounds_hold_at_any_frame_interval(every):
    """What two frames show of a chain: exactly the Gaussian's, and no more by currents."""
    chain = broken_balance(0.05)
    cloud = cloud_of_chain(chain, 2000, 400, seed=6, every=every)
    M = np.linalg.matrix_power(chain.M, every)
    shown = entropy_per_step(M, chain.S) / (every * chain.dt)
    for method in METHODS:
        result = entropy_production(cloud, method, after=0)
        rate, error = (result[f"entropy_production_rate{end}"] for end in ("", "_standard_error"))
        assert rate < shown + 4 * error
        if method == "linear":
            assert_within(rate, shown, error)


@pytest.mark.parametrize("method", METHODS)
def test_standard_errors_and_bias(method):
    """The scatter between runs is the standard error, and means of short and long runs agree."""
    chain = broken_balance(0.1)
    options = {"method": method, "after": 0}
    if method == "grid":
        options["grid"] = Grid([(-0.5, 0.5, 4), (-1, 1, 4)])
    runs = [entropy_production(cloud_of_chain(chain, 100, 50, seed), **options) for seed in range(40)]
    estimates = np.array([float(run["entropy_production_estimate"]) for run in runs])
    errors = np.array([float(run["entropy_production_rate_standard_error"]) for run in runs])
    assert 0.7 < np.sqrt((errors**2).mean()) / estimates.std() < 1.4
    long = entropy_production(cloud_of_chain(chain, 2000, 500, 99), **options)["entropy_production_estimate"]
    assert_within(estimates.mean(), float(long), estimates.std() / 40**0.5)


def density(rates):
    count = len(rates)
    return xr.Dataset(
        {"density": (("time", "x"), np.full((count, 2), 0.5)), "entropy_production_rate": ("time", rates)},
        {"time": 0.5 * np.arange(count), "x": [0.5, 1.5]},
    )


def test_a_density_brings_its_rate():
    result = entropy_production(density([4.0, 2.0, 0.0]))
    np.testing.assert_array_equal(result["entropy_production_rate"], [4.0, 2.0, 0.0])
    np.testing.assert_allclose(result["produced_entropy"], [0.0, 1.5, 2.0])
    with pytest.raises(ValueError, match="holds no entropy_production_rate"):
        entropy_production(density([1.0]).drop_vars("entropy_production_rate"))


def test_more_than_three_coordinates():
    turn = np.kron(np.eye(2), [[0.0, 1.0], [-1.0, 0.0]])
    chain = Chain(np.eye(4) + turn, np.eye(4), 0.5, 0.02)
    cloud = cloud_of_chain(chain, 1000, 200, seed=7)
    exact = entropy_per_step(chain.M, chain.S) / chain.dt  # 2 b^2/a a plane in the limit
    for method in ("uncertainty", "linear"):
        result = entropy_production(cloud, method, after=0)
        error = result["entropy_production_rate_standard_error"]
        assert_within(result["entropy_production_rate"], exact, error if method == "linear" else error + 0.06 * exact)
    with pytest.raises(ValueError, match="up to three coordinates"):
        entropy_production(cloud, "grid")
    with pytest.raises(ValueError, match="are more than 1000"):
        entropy_production(cloud, degree=8)


def test_refused():
    cloud = cloud_of_chain(broken_balance(0.1), 20, 10, seed=0)
    with pytest.raises(ValueError, match="method must be one of uncertainty, linear, grid, got 'fft'"):
        entropy_production(cloud, "fft")
    with pytest.raises(ValueError, match="level must lie between"):
        entropy_production(cloud, level=0.9)
    with pytest.raises(ValueError, match="degree must be a positive integer"):
        entropy_production(cloud, degree=0)
    with pytest.raises(ValueError, match="equal intervals"):
        entropy_production(cloud.isel(time=[0, 1, 3]), "linear", after=0)
    flat = cloud.copy(deep=True)
    flat["position"][..., 1] = 0.0
    with pytest.raises(ValueError, match="singular"):
        entropy_production(flat, "linear")
    with pytest.raises(ValueError, match="share a coordinate"):
        entropy_production(flat, "grid")
    assert float(entropy_production(flat)["entropy_production_rate"]) == 0


def test_bounds_and_rates_per_step_are_what_they_say():
    """Frames ten steps apart; estimates on both sides of 0, bounds one-sided at the level."""
    level, below = 0.05, 0
    for seed in range(12):
        cloud = cloud_of_chain(detailed_balance(0.1), 40, 60, seed, every=10)
        found = entropy_production(cloud, after=0, level=level, degree=1)
        estimate, error = (float(found[f"entropy_production_{name}"]) for name in ("estimate", "rate_standard_error"))
        upper = float(found["entropy_production_upper_bound"])
        assert upper == pytest.approx(max(estimate, 0) + 1.6448536 * error, rel=1e-6)
        below += estimate < 0
    assert 0 < below < 12
    turning = entropy_production(cloud_of_chain(broken_balance(0.1), 400, 60, 1, every=10), "linear", after=0)
    assert float(turning["entropy_production_rate"]) > 0
    per_step = float(turning["entropy_production_rate"]) * 0.1
    assert float(turning["entropy_production_per_step"]) == pytest.approx(per_step)


def test_errors_of_reversible_processes_are_their_scatter():
    """The first-order variance of a bound that is fitted to the noise holds it twice, 1.5 times the error."""
    runs = [entropy_production(cloud_of_chain(detailed_balance(0.1), 200, 30, seed), after=0) for seed in range(200)]
    estimates = np.array([float(run["entropy_production_estimate"]) for run in runs])
    errors = np.array([float(run["entropy_production_rate_standard_error"]) for run in runs])
    assert np.sqrt((errors**2).mean()) / estimates.std() == pytest.approx(1.1, abs=0.2)


def test_how_much_of_example_19_polynomials_see():
    """The projection of its force onto polynomials, in the mean over its state: what the docstring says."""
    x, y = np.meshgrid(np.linspace(-4, 4, 401), np.linspace(-6, 6, 501), indexing="ij")
    weights = np.exp(-((x**2 - 1) ** 2) / 4 - y**2 / 2).ravel()
    speed = np.exp((1 - 2 * x**2 + 2 * y**2 - 2 * x**2 * y**2 - y**4) / 4)
    force = np.stack([-y * speed, x * speed]).reshape(2, -1)
    for degree, share in ((1, 0.49), (3, 0.82), (5, 0.94), (7, 0.97)):
        powers = [(x**a * y**b).ravel() for a in range(degree + 1) for b in range(degree + 1 - a)]
        means = np.array(powers) * weights @ force.T
        seen = np.sum(means * np.linalg.solve(np.array(powers) * weights @ np.array(powers).T, means))
        assert seen / np.sum(force**2 * weights) == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_no_path_in_time_is_refused_in_one_line(method):
    cloud = cloud_of_chain(broken_balance(0.1), 20, 10, seed=0)
    for part, message in (
        (None, "takes a Dataset"),
        (cloud.isel(time=slice(None, None, -1)), "finite and rise"),
        (cloud.assign_coords(time=np.zeros(11)), "finite and rise"),
        (cloud.isel(coordinate=slice(0)), "got 20 and 0"),
        (cloud.isel(particle=slice(1)), "1 particles stayed finite"),
        (cloud.isel(time=[0]), "currents need two"),
        (cloud + 1j, "real numbers"),
    ):
        with pytest.raises(ValueError, match=message) as told:
            entropy_production(part, method)
        assert "\n" not in str(told.value)
    still = cloud.assign_coords(step=("time", np.zeros(11, dtype=int)))
    assert "entropy_production_per_step" not in entropy_production(still, method, after=0)


def test_lines_and_grids_without_an_answer_are_refused():
    cloud = cloud_of_chain(Chain([[1.0]], [[1.0]], 0.5, 0.1), 20, 10, seed=0)
    with pytest.raises(ValueError, match="of one coordinate is reversible"):
        entropy_production(cloud, "linear", after=0)
    with pytest.raises(ValueError, match="no particle moves on the grid"):
        entropy_production(cloud, "grid", after=0, grid=Grid([(50, 60, 4)]))
    with pytest.raises(ValueError, match="grid must be a Grid"):
        entropy_production(cloud, "grid", after=0, grid=4)
    with pytest.raises(ValueError, match="more than 1000"):
        entropy_production(cloud, after=0, degree=1e300)
