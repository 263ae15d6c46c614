"""The thermodynamic uncertainty ratio of the rotation, 1 + (b/a)^2, and what it refuses."""

import numpy as np
import pytest
import xarray as xr
from asserts import assert_excluded, assert_within
from linear_drifts import Chain, linear_drift

import sgdphys as sp
from sgdphys.analysis import uncertainty_ratio
from sgdphys.observers import Currents
from sgdphys.theory import rotating_current


def rotating(strength, n=4000, t1=20.0, dt=0.01, observer=None):
    chain = Chain([[1.0, strength], [-strength, 1.0]], np.eye(2), 0.5, dt)
    return sp.simulate(
        linear_drift(chain.A), temperature=0.5, dt=dt, t1=t1, start=chain.draws(n), save_at=0,
        observers=[observer or Currents()],
    )  # fmt: skip


@pytest.mark.parametrize(("strength", "ratio"), [(0.5, 1.25), (1.0, 2.0), (2.0, 5.0)])
def test_the_ratio_of_the_rotation(strength, ratio):
    """a = 1, T = .5, t = 20: 1.25, 2 and 5 in the limit, the chain's own values here; without the half, twice that."""
    theory = rotating_current(1.0, strength, 0.5, dt=0.01)
    exact = float(theory["uncertainty_ratio"])
    assert exact == pytest.approx(ratio, rel=0.04)
    result = uncertainty_ratio(rotating(strength), entropy_production=theory)
    measured, error = float(result["uncertainty_ratio"]), float(result["uncertainty_ratio_standard_error"])
    assert_within(measured, exact, error + 0.005 * exact)  # .005: the ends of a path of 20 times the correlation time
    assert_excluded(measured, 2 * exact, error, smallest=10)
    assert float(result["uncertainty_bound_z"]) > 4


def test_the_standard_error_is_the_spread_of_repetitions():
    rng = np.random.default_rng(2)
    results = []
    for _ in range(300):
        x = rng.exponential(1.0, 500) + 0.5  # skewed: mean and variance hang together
        results.append(uncertainty_ratio(run_of(x), entropy_production=40.0))
    errors = [float(result["uncertainty_ratio_standard_error"]) for result in results]
    assert np.mean(errors) == pytest.approx(np.std([float(r["uncertainty_ratio"]) for r in results]), rel=0.12)


def run_of(currents, elapsed=1.0):
    error = np.nanstd(currents) / np.sqrt(len(currents))
    numbers = {
        "current_count": np.isfinite(currents).sum(), "current_mean": np.nanmean(currents),
        "current_mean_standard_error": error, "current_rate_standard_error": error / elapsed,
    }  # fmt: skip
    return xr.Dataset(
        {"integrated_current": ("particle", currents)} | {name: ("current_time", [x]) for name, x in numbers.items()}
    )


def test_the_error_of_the_rate_enters():
    run = run_of(np.random.default_rng(0).normal(3.0, 1.0, 2000), elapsed=2.0)
    sharp = uncertainty_ratio(run, entropy_production=20.0)
    assert float(sharp["uncertainty_ratio"]) == pytest.approx(20 * 2 / (2 * 9), rel=0.1)
    rate = xr.DataArray(20.0, attrs={"standard_error": 2.0})
    beside = xr.Dataset({"entropy_production_rate": 20.0, "entropy_production_rate_standard_error": 2.0})
    for given in (rate, beside):
        blunt = uncertainty_ratio(run, entropy_production=given)
        both = np.hypot(float(sharp["uncertainty_ratio_standard_error"]) / float(sharp["uncertainty_ratio"]), 0.1)
        relative = float(blunt["uncertainty_ratio_standard_error"]) / float(blunt["uncertainty_ratio"])
        assert relative == pytest.approx(both, rel=1e-9)


def test_a_ratio_below_the_bound_is_told():
    run = rotating(1.0, n=1000, t1=5.0)
    with pytest.warns(UserWarning, match="lies below its bound 1") as told:
        result = uncertainty_ratio(run, entropy_production=0.5)
    assert float(result["uncertainty_bound_z"]) < -4
    assert told[0].filename == __file__


def test_names_and_times():
    run = rotating(1.0, n=500, t1=5.0, observer=Currents(name="round", at=3))
    assert float(uncertainty_ratio(run, entropy_production=2.0, name="round")["uncertainty_ratio"]) > 1
    early = rotating(1.0, n=500, t1=5.0, observer=Currents(at=[1.0, 4.0]))
    with pytest.raises(ValueError, match="the last time of the observer must be the end of the run"):
        uncertainty_ratio(early, entropy_production=2.0)


NORMAL = run_of(np.random.default_rng(0).normal(3.0, 1.0, 200))


@pytest.mark.parametrize(
    ("run", "rate", "message"),
    [
        (NORMAL, 0.0, "entropy_production must be positive"),
        (NORMAL, "high", "entropy_production must be positive"),
        (NORMAL, xr.Dataset(), "has no entropy_production_rate"),
        (NORMAL, xr.DataArray(np.zeros(0)), "entropy_production holds no value"),
        (NORMAL, np.nan, "entropy_production must be positive"),
        (NORMAL, None, "entropy_production must be positive"),
        (run_of(np.random.default_rng(1).normal(0.0, 1.0, 200)), 1.0, r"mean current .* does not differ from 0"),
        (run_of(np.ones(5)), 1.0, "does not vary"),
        (run_of(np.ones(1)), 1.0, "at least 2 particles"),
        (xr.Dataset(), 1.0, "has no integrated_current"),
        ("run", 1.0, "takes a Dataset"),
    ],
)
def test_what_says_nothing_is_refused_in_one_line(run, rate, message):
    with pytest.raises(ValueError, match=message) as told:
        uncertainty_ratio(run, entropy_production=rate)
    assert "\n" not in str(told.value)
