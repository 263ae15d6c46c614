"""The detailed fluctuation theorem, of Gaussian values and of the rotation's entropy production."""

import numpy as np
import pytest
from asserts import assert_excluded, assert_within
from linear_drifts import BROKEN_BALANCE, Chain, linear_drift

import sgdphys as sp
from sgdphys.analysis import entropy_production_weight, fluctuation_symmetry
from sgdphys.noises import Full
from sgdphys.observers import Currents

HESSIAN, COVARIANCE = BROKEN_BALANCE


def slope(result):
    return float(result["symmetry_slope"]), float(result["symmetry_slope_standard_error"])


def test_gaussian_values_obey_it_where_the_variance_is_twice_the_mean():
    """Slope 2 mean / variance: 1 for variance 2 mean, 1/2 for twice that variance."""
    rng = np.random.default_rng(0)
    for variance, exact in ((1.0, 1.0), (2.0, 0.5)):
        result = fluctuation_symmetry(rng.normal(0.5, np.sqrt(variance), 100_000))
        assert_within(slope(result)[0], exact, slope(result)[1])
        assert_within(float(result["symmetry_z"]), (exact - 1) / slope(result)[1], 1.0)
        excess = np.abs(result["log_ratio_z"].values)
        assert (np.all(excess < 4)) == (exact == 1.0)
        assert excess.max() < 4 or excess.max() > 10
        np.testing.assert_array_less(0, np.diff(result["magnitude"]))


def test_the_standard_error_is_the_spread_of_repetitions():
    rng = np.random.default_rng(1)
    results = [slope(fluctuation_symmetry(rng.normal(0.5, 1.0, 1000))) for _ in range(300)]
    assert np.mean([error for _, error in results]) == pytest.approx(np.std([b for b, _ in results]), rel=0.15)


@pytest.mark.parametrize("broken", [False, True])
def test_entropy_production_along_paths(broken):
    """The rotation and C1 at large steps obey the symmetry with the chain's weight, half of which has slope 2."""
    drift, diffusion = (HESSIAN, COVARIANCE) if broken else ([[1.0, 1.0], [-1.0, 1.0]], np.eye(2))
    chain = Chain(drift, diffusion, 0.5, 0.1)
    weight = entropy_production_weight(chain.A, chain.D, dt=0.1)
    run = sp.simulate(
        linear_drift(chain.A), Full(diffusion), temperature=0.5, dt=0.1, n_steps=10, start=chain.draws(50_000),
        save_at=0, observers=[Currents(weight=weight)],
    )  # fmt: skip
    result = fluctuation_symmetry(run["integrated_current"])
    measured, error = slope(result)
    assert_within(measured, 1.0, error)
    assert np.all(np.abs(result["log_ratio_z"]) < 4)
    assert_within(result["log_ratio"][:4], result["expected_log_ratio"][:4], result["log_ratio_standard_error"][:4])
    half = slope(fluctuation_symmetry(run["integrated_current"] / 2))
    assert_excluded(half[0], 1.0, half[1], smallest=20)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([1.0, -2.0, np.inf], {}, "infinite"),
        ([1.0], {}, "at least 2"),
        (np.ones((3, 3)), {}, "a number of each particle"),
        (np.arange(1.0, 20.0), {}, "all 19 values have one sign"),
        ([1.0, -1.0], {}, "8 bins need as many values"),
        ([1.0, -1.0], {"bins": 0}, "bins must be a positive integer"),
        ("abc", {}, "a number of each particle"),
    ],
)
def test_values_that_show_nothing_are_refused_in_one_line(values, options, message):
    with pytest.raises(ValueError, match=message) as told:
        fluctuation_symmetry(values, **options)
    assert "\n" not in str(told.value)


def test_lost_particles_are_warned_of():
    values = np.random.default_rng(0).normal(0.5, 1.0, 100)
    values[3] = np.nan
    with pytest.warns(UserWarning, match="1 of 100 particles is NaN") as told:
        fluctuation_symmetry(values)
    assert told[0].filename == __file__


def test_scores_of_the_bins_are_normal():
    rng = np.random.default_rng(4)
    results = [fluctuation_symmetry(rng.normal(0.5, 1.0, 2000)) for _ in range(300)]
    scores = np.array([result["log_ratio_z"] for result in results])
    assert scores.std() == pytest.approx(1.0, abs=0.08)
    ratios = np.array([(result["log_ratio"] - result["expected_log_ratio"]) / result["log_ratio_standard_error"]
                       for result in results])[:, :6]  # fmt: skip
    assert ratios.std() == pytest.approx(1.0, abs=0.1)
