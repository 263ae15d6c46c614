"""Correlations at a lag: those of the saved cloud, the exact ones of the chain, broken and kept detailed balance."""

import numpy as np
import pytest
from asserts import assert_excluded, assert_within
from linear_drifts import BROKEN_BALANCE, Chain

import sgdphys as sp
from sgdphys.noises import Full, Isotropic
from sgdphys.observers import TimeCorrelation

HESSIAN, COVARIANCE = BROKEN_BALANCE
BOWL = sp.landscapes.Quadratic(HESSIAN)


def run(observer, n=6000, noise=None, start=None, **options):
    chain = Chain(HESSIAN, COVARIANCE, 0.1, 0.05)
    start = chain.draws(n) if start is None else start
    defaults = {"temperature": 0.1, "dt": 0.05, "n_steps": 40, "save_at": 0, "seed": 2, "observers": [observer]}
    return sp.simulate(BOWL, noise or Full(COVARIANCE), start=start, **{**defaults, **options})


def standard_error(samples):
    return (samples - samples.mean()).std() / np.sqrt(len(samples))


@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("n", [3, 500, 5000])
def test_equal_those_of_the_saved_cloud(n, offset):
    """Also far from the origin, where products of coordinates would cancel."""
    rng = np.random.default_rng(4)
    cloud = run(TimeCorrelation(lags=[0.0, 0.5], origin=[0.0, 1.0]), start=offset + rng.normal(size=(n, 2)), save_at=41)
    x = cloud["position"].values
    for i, j in np.ndindex(2, 2):
        first, last = 20 * i, 20 * i + 10 * j
        a, b = x[first] - x[first].mean(axis=0), x[last] - x[last].mean(axis=0)
        exact = a.T @ b / n
        here = cloud.isel(correlation_origin=i, correlation_lag=j)
        np.testing.assert_allclose(here["time_correlation"], exact, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(here["antisymmetric_correlation"], (exact - exact.T) / 2, rtol=1e-6, atol=1e-9)
        errors = (
            here["symmetric_correlation_standard_error"].values,
            here["antisymmetric_correlation_standard_error"].values,
        )
        if n > 100:
            mixed, swapped = a[:, 0] * b[:, 1], a[:, 1] * b[:, 0]
            np.testing.assert_allclose(errors[0][0, 0], standard_error(a[:, 0] * b[:, 0]), rtol=0.05)
            np.testing.assert_allclose(errors[0][0, 1], standard_error((mixed + swapped) / 2), rtol=0.05)
            np.testing.assert_allclose(errors[1][1, 0], standard_error((mixed - swapped) / 2), rtol=0.05, atol=1e-12)


def test_the_chain_with_broken_balance():
    """C(k) = S M^k^T; its antisymmetric part would be 0 with detailed balance."""
    chain = Chain(HESSIAN, COVARIANCE, 0.1, 0.05)
    cloud = run(TimeCorrelation(lags=[0.0, 0.05, 0.5, 2.0]), n=100_000)
    exact = np.array([chain.correlation(k) for k in (0, 1, 10, 40)])
    for part, sign in (("symmetric", 1), ("antisymmetric", -1)):
        estimate = cloud[f"{part}_correlation"].values[0]
        error = cloud[f"{part}_correlation_standard_error"].values[0] + 1e-12
        assert_within(estimate, (exact + sign * exact.transpose(0, 2, 1)) / 2, error)
    assert_excluded(estimate[2, 0, 1], 0.0, error[2, 0, 1], smallest=10)
    np.testing.assert_allclose(cloud["time_correlation"][0, 0], cloud["symmetric_correlation"][0, 0], rtol=1e-12)


def test_isotropic_noise_keeps_the_balance_and_modes_forget_as_powers():
    """G4: the autocorrelation of a mode is Var (1 - h dt)^k, not Var e^(-h k dt)."""
    chain = Chain(HESSIAN, np.eye(2), 0.1, 0.05)
    cloud = run(TimeCorrelation(lags=[0.0, 0.05, 0.5]), noise=Isotropic(1.0), start=chain.draws(800_000), n_steps=10)
    error = cloud["antisymmetric_correlation_standard_error"].values[0, 1:, 0, 1]
    assert_within(cloud["antisymmetric_correlation"].values[0, 1:, 0, 1], 0.0, error)
    variance = 0.1 / (2.0 * (1 - 2.0 * 0.05 / 2))
    estimate, error = (cloud[f"symmetric_correlation{end}"].values[0, :, 0, 0] for end in ("", "_standard_error"))
    assert_within(estimate, variance * (1 - 2.0 * 0.05) ** np.array([0, 1, 10]), error)
    assert_excluded(estimate[2], variance * np.exp(-1.0), error[2], smallest=10)


def test_standard_errors_are_those_of_repetitions():
    chain = Chain(HESSIAN, COVARIANCE, 0.1, 0.05)
    observer = TimeCorrelation(lags=[0.5])
    runs = [run(observer, start=chain.draws(300, seed), seed=seed, n_steps=10) for seed in range(150)]
    for part in ("symmetric", "antisymmetric"):
        values = np.array([cloud[f"{part}_correlation"].values[0, 0, 0, 1] for cloud in runs])
        claimed = np.mean([cloud[f"{part}_correlation_standard_error"].values[0, 0, 0, 1] for cloud in runs])
        assert_within(values.std(ddof=1), claimed, claimed / np.sqrt(2 * 149))


def test_some_coordinates_in_any_order():
    both, swapped = run(TimeCorrelation(lags=[0.5])), run(TimeCorrelation(lags=[0.5], coordinates=["y", 0]))
    np.testing.assert_allclose(
        swapped["time_correlation"].values[0, 0], both["time_correlation"].values[0, 0][::-1, ::-1], rtol=1e-9
    )
    one = run(TimeCorrelation(lags=[0.5], coordinates=[1]))
    assert one["time_correlation"].dims[2:] == ("chosen_coordinate", "chosen_coordinate_2")


def test_a_number_of_lags_has_zero_among_them():
    lags = run(TimeCorrelation(lags=4))["correlation_lag"].values / 0.05
    np.testing.assert_allclose(lags, [0, 1, 3, 12, 40], atol=1e-9)
