"""Currents: sums along the saved path, the area rate of broken balance, and the laws of stochastic thermodynamics."""

import numpy as np
import pytest
from asserts import assert_excluded, assert_within
from linear_drifts import BROKEN_BALANCE, Chain, circulation, linear_drift
from scipy.linalg import solve_continuous_lyapunov

import sgdphys as sp
from sgdphys.kernels.currents import lanes_apart
from sgdphys.noises import Full
from sgdphys.observers import Currents

HESSIAN, COVARIANCE = BROKEN_BALANCE
WEIGHT = np.array([[0.5, 2.0], [-1.0, 0.3]])


def path_integral(x, weight):
    """Return sum w_ij (x_j + x_j')/2 (x_i' - x_i) of a path (time, particle, coordinate)."""
    return np.einsum("ij,tpj,tpi->p", weight, (x[1:] + x[:-1]) / 2, np.diff(x, axis=0))


@pytest.mark.parametrize(
    ("observer", "weight"),
    [
        (Currents(at=3), [[0, -1], [1, 0]]),
        (Currents(plane=("y", "x"), at=3), [[0, 1], [-1, 0]]),
        (Currents(weight=WEIGHT, at=3), WEIGHT),
    ],
)
def test_equal_the_sums_along_the_path(observer, weight):
    cloud = sp.simulate(
        sp.landscapes.Quadratic(HESSIAN), Full(COVARIANCE), temperature=0.1, dt=0.05, n_steps=40, n_particles=5000,
        start=[1.0, 0.3], observers=[observer], save_at=41,
    )  # fmt: skip
    x = cloud["position"].values
    exact = np.array([path_integral(x[: k + 1], np.array(weight)) for k in (0, 20, 40)])
    np.testing.assert_allclose(cloud["integrated_current"], exact[-1], rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(cloud["current_mean"], exact.mean(axis=1), rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(cloud["current_variance"], exact.var(axis=1), rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(cloud["current_rate"][1:], exact.mean(axis=1)[1:] / [1.0, 2.0], rtol=1e-9)
    assert cloud["current_count"].values.tolist() == [5000] * 3


def test_the_rate_of_a_continued_run_is_over_its_own_time():
    options = {"temperature": 0.1, "dt": 0.05, "observers": [Currents()], "save_at": 1}
    first = sp.simulate(sp.landscapes.Quadratic(HESSIAN), Full(COVARIANCE), n_steps=20, n_particles=500, **options)
    second = sp.simulate(sp.landscapes.Quadratic(HESSIAN), Full(COVARIANCE), n_steps=10, start=first, **options)
    np.testing.assert_allclose(second["current_rate"], second["current_mean"] / 0.5, rtol=1e-9)
    np.testing.assert_allclose(second["current_mean"], second["integrated_current"].mean(), rtol=1e-9)


def test_the_area_rate_of_broken_balance():
    """C1, Hessian diag(2, .5) and noise along a diagonal: .027108 at dt = .01 (.027 in the limit); 0 with balance."""
    chain = Chain(HESSIAN, COVARIANCE, 0.1, 0.01)
    exact = chain.current_rate([[0, -0.5], [0.5, 0]])
    assert exact == pytest.approx(0.027108, abs=1e-6)
    cloud = sp.simulate(
        sp.landscapes.Quadratic(HESSIAN), Full(COVARIANCE), temperature=0.1, dt=0.01, t1=25.0, start=chain.draws(8000),
        observers=[Currents()], save_at=0,
    )  # fmt: skip
    rate, error = (float(cloud[f"current_rate{end}"].squeeze()) / 2 for end in ("", "_standard_error"))
    assert error < 2e-4
    assert_within(rate, exact, error)
    assert_excluded(rate, 0.0, error, smallest=100)


def production_weight(chain):
    """Return the weight whose current is the entropy production along the path: -D^-1 Q S^-1."""
    covariance = solve_continuous_lyapunov(chain.A, 2 * chain.D)
    return -np.linalg.solve(chain.D, chain.A @ covariance - chain.D) @ np.linalg.inv(covariance)


def test_entropy_production_along_the_path():
    """C1 produces 1.8225 per time in the limit; the chain's own sums have their exact mean, and with balance none."""
    chain = Chain(HESSIAN, COVARIANCE, 0.1, 0.005)
    weight = production_weight(chain)
    exact = chain.current_rate(weight)
    assert exact == pytest.approx(1.8225, rel=0.01)
    cloud = sp.simulate(
        sp.landscapes.Quadratic(HESSIAN), Full(COVARIANCE), temperature=0.1, dt=0.005, t1=10.0,
        start=chain.draws(4000), observers=[Currents(weight=weight)], save_at=0,
    )  # fmt: skip
    rate, error = (float(cloud[f"current_rate{end}"].squeeze()) for end in ("", "_standard_error"))
    assert_within(rate, exact, error)
    assert_excluded(rate, 0.0, error, smallest=50)


def test_the_midpoint_matters():
    """A weight whose trace with D is not 0: the integral of Ito has another mean, by - T tr(W D) per time."""
    chain = Chain(HESSIAN, COVARIANCE, 0.1, 0.01)
    cloud = sp.simulate(
        sp.landscapes.Quadratic(HESSIAN), Full(COVARIANCE), temperature=0.1, dt=0.01, t1=10.0,
        start=chain.draws(4000), observers=[Currents(weight=WEIGHT)], save_at=0,
    )  # fmt: skip
    rate, error = (float(cloud[f"current_rate{end}"].squeeze()) for end in ("", "_standard_error"))
    assert_within(rate, chain.current_rate(WEIGHT), error)
    assert_excluded(rate, chain.current_rate(WEIGHT, midpoint=False), error, smallest=10)


def rotating(strength, dt, t1, n, observer, temperature=0.5):
    """The rotation dx = -x dt + strength x_perp dt + noise in its stationary state."""
    chain = Chain([[1.0, strength], [-strength, 1.0]], np.eye(2), temperature, dt)
    return sp.simulate(
        linear_drift(chain.A), temperature=temperature, dt=dt, t1=t1, start=chain.draws(n), observers=[observer],
        save_at=0,
    )  # fmt: skip


@pytest.mark.parametrize(("strength", "ratio"), [(0.5, 1.25), (1.0, 2.0), (2.0, 5.0)])
def test_the_thermodynamic_uncertainty_relation(strength, ratio):
    """Var K * entropy production / (2 mean K^2) = 1 + (b/a)^2 for long times; never below 1."""
    cloud = rotating(strength, 0.005, 20.0, 6000, Currents())
    mean, variance, error = (
        float(cloud[name].squeeze()) for name in ("current_mean", "current_variance", "current_variance_standard_error")
    )
    production = 2 * strength**2 * 20.0
    measured = variance * production / (2 * mean**2)
    relative = np.hypot(error / variance, 2 * float(cloud["current_mean_standard_error"].squeeze()) / mean)
    assert 0.015 < relative < 0.06
    assert_within(measured, ratio, ratio * relative)


@pytest.mark.parametrize("t1", [0.25, 0.5, 1.0])
def test_the_integral_fluctuation_theorem(t1):
    """<exp(-s)> = 1 for s = (b / T) int x dy - y dx, the entropy production of the rotation, b = 1, T = 1/2."""
    weight = np.array([[0.0, -2.0], [2.0, 0.0]])
    s = rotating(1.0, 0.0025, t1, 40_000, Currents(weight=weight))["integrated_current"].values
    assert_within(s.mean(), 2 * t1, s.std() / np.sqrt(len(s)))
    weights = np.exp(-s)
    error = weights.std() / np.sqrt(len(s))
    assert_within(weights.mean(), 1.0, error)
    assert_excluded(weights.mean(), np.exp(-s.mean()), error, smallest=10)


@pytest.mark.slow
def test_a_circulation_that_leaves_the_density_alone():
    """Example 19 of Chaudhari & Soatto at strength 1.5: area rate .61814, E x^2 = 1.0418 whatever the strength."""
    from sgdphys.observers import Moments

    cloud = sp.simulate(
        circulation(1.5), temperature=1.0, dt=0.005, t1=5.0, start=[1.0, 0.0], n_particles=20_000, save_at=1,
    )  # fmt: skip
    moved = sp.simulate(
        circulation(1.5), temperature=1.0, dt=0.005, t1=30.0, start=cloud, save_at=0,
        observers=[Currents(), Moments(at=[30.0])],
    )  # fmt: skip
    rate, error = (float(moved[f"current_rate{end}"].squeeze()) / 2 for end in ("", "_standard_error"))
    assert_within(rate, 0.61814, error + 0.002)  # .002: bias of the time step
    second = float(moved["covariance"][0, 0, 0] + moved["mean"][0, 0] ** 2)
    assert_within(second, 1.0418, float(moved["variance_standard_error"][0, 0]) + 0.003)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": [[1.0, 2.0]]}, "square matrix"),
        ({"weight": [[np.nan]]}, "square matrix"),
        ({"plane": (0, 1, 2)}, "two coordinates"),
        ({"plane": "xy"}, "two coordinates"),
    ],
)
def test_weights_and_planes_that_are_none_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Currents(**arguments)


@pytest.mark.parametrize("observer", [Currents(plane=(0, 2)), Currents(plane=(1, 1)), Currents(weight=np.eye(3))])
def test_what_does_not_fit_the_run_is_refused(observer):
    with pytest.raises(ValueError, match=r"coordinate|shape"):
        sp.simulate(sp.landscapes.Quadratic(HESSIAN), temperature=0.1, dt=0.1, n_steps=1, observers=[observer])


def test_the_current_of_a_particle_beyond_the_bound_is_lost_for_ever():
    own = np.array([[1.0, 2.0, 3.0, 4.0]])
    lanes_apart(np.array([[0.0, 20.0, 0.0, np.nan], [0.0, 0.0, -11.0, 0.0]]), 2, 10.0, own)
    np.testing.assert_array_equal(own, [[1.0, np.nan, np.nan, np.nan]])
    lanes_apart(np.zeros((2, 4)), 2, 10.0, own)
    np.testing.assert_array_equal(own, [[1.0, np.nan, np.nan, np.nan]])
