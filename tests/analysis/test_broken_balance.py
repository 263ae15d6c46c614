import numpy as np
import pytest
from asserts import assert_excluded, assert_within
from clouds import cloud_of
from linear_clouds import broken_balance, cloud_of_chain, detailed_balance
from linear_drifts import Chain

from sgdphys import simulate
from sgdphys.analysis import antisymmetric_correlations, area_rates
from sgdphys.landscapes import ChaudhariSoatto


def test_area_rate_of_broken_balance():
    """Case C1 at learning rate .01: .027108; with detailed balance it is 0."""
    chain = broken_balance(0.01)
    exact = -chain.current_rate([[0, 0.5], [-0.5, 0]])
    assert exact == pytest.approx(0.027108, abs=5e-7)
    result = area_rates(cloud_of_chain(chain, 2000, 800, seed=0), after=0)
    rate, error = result["area_rate"].values, result["area_rate_standard_error"].values
    np.testing.assert_array_equal(rate, -rate.T)
    assert_within(rate[0, 1], exact, error[0, 1])
    assert_excluded(rate[0, 1], 0.0, error[0, 1])
    assert_excluded(rate[0, 1], 2 * exact, error[0, 1])


def test_area_rate_of_example_19():
    """Chaudhari & Soatto's example at lambda = 1.5: .61814."""
    start = np.random.default_rng(1).normal(size=(4000, 2))
    cloud = simulate(
        ChaudhariSoatto(1.5), temperature=1.0, dt=0.005, t1=8.0, n_particles=4000, start=start, save_at=801, seed=1
    )
    result = area_rates(cloud, after=4.0)
    error = result["area_rate_standard_error"].values[0, 1]
    assert error < 0.02 * 0.61814
    assert_within(result["area_rate"].values[0, 1], 0.61814, error)


def test_frames_far_apart_underestimate_as_stated():
    decay, turn, dt, every = 1.0, 2.0, 0.001, 400
    chain = Chain([[decay, turn], [-turn, decay]], np.eye(2), 0.5, dt)
    result = area_rates(cloud_of_chain(chain, 4000, 4000, seed=2, every=every), after=0)
    tau, exact = every * dt, 0.5 * turn / decay
    shown = exact * np.exp(-decay * tau) * np.sin(turn * tau) / (turn * tau)
    error = result["area_rate_standard_error"].values[0, 1]
    assert_within(result["area_rate"].values[0, 1], shown, error)
    assert_excluded(result["area_rate"].values[0, 1], exact, error)


def test_area_rates_of_three_coordinates():
    drift = np.array([[1.0, 0.8, 0.0], [-0.8, 1.0, 0.3], [0.0, 0.0, 2.0]])
    chain = Chain(drift, np.diag([1.0, 0.5, 2.0]), 0.1, 0.05)
    later = chain.M @ chain.S
    result = area_rates(cloud_of_chain(chain, 3000, 300, seed=3), after=0)
    planes = np.triu_indices(3, 1)
    exact = ((later.T - later) / 2 / chain.dt)[planes]
    assert_within(result["area_rate"].values[planes], exact, result["area_rate_standard_error"].values[planes])
    assert list(result["coordinate"].values) == ["x", "y", "z"]


def test_antisymmetric_correlations_are_exact_at_all_lags():
    chain = broken_balance(0.1)
    cloud = cloud_of_chain(chain, 2000, 200, seed=4)
    result = antisymmetric_correlations(cloud, lags=[0.1, 0.5, 2.0, 5.0], after=0)
    for lag in result["correlation_lag"].values:
        here = result.sel(correlation_lag=lag)
        matrix = chain.correlation(round(lag / 0.1))
        exact = (matrix - matrix.T)[0, 1] / 2
        error = here["antisymmetric_correlation_standard_error"].values[0, 1]
        assert_within(here["antisymmetric_correlation"].values[0, 1], exact, error)
    assert result["largest_reversal_z"] > 10 and result["reversal_p_value"] < 0.001
    at_one = result["antisymmetric_correlation"].values[1, 0, 1]
    assert_excluded(at_one, 0.0, result["antisymmetric_correlation_standard_error"].values[1, 0, 1])


def test_verdict_of_a_slow_reversible_process():
    """Particles that barely move: taking frames for independent sees currents everywhere, the reversals do not."""
    chain = detailed_balance(0.004)  # 40 steps are 1/12 of the slow relaxation time
    levels, naive = [], []
    for seed in range(40):
        cloud = cloud_of_chain(chain, 30, 40, seed)
        levels.append(float(antisymmetric_correlations(cloud, lags=3, after=0, seed=seed)["reversal_p_value"]))
        x, y = np.moveaxis(cloud["position"].values, 2, 0)
        products = x[:-20] * y[20:] - y[:-20] * x[20:]
        naive.append(abs(products.mean()) / products.std() * products.size**0.5)
    assert np.mean(np.array(levels) < 0.05) <= 0.15
    assert np.mean(np.array(naive) > 2) > 0.4


def test_refused():
    cloud = cloud_of_chain(broken_balance(0.1), 20, 10, seed=0)
    with pytest.raises(ValueError, match="7 particles stayed finite"):
        area_rates(cloud.isel(particle=slice(7)))
    with pytest.raises(ValueError, match="1 of 11 frames"):
        area_rates(cloud, after=1.0)
    with pytest.raises(ValueError, match="after must be finite"):
        area_rates(cloud, after=np.nan)
    with pytest.raises(ValueError, match="two coordinates or more"):
        antisymmetric_correlations(cloud_of(*np.zeros((4, 9))))
    with pytest.raises(ValueError, match="equal intervals"):
        antisymmetric_correlations(cloud.isel(time=[0, 1, 3, 4]), after=0)
    with pytest.raises(ValueError, match="lags must lie between"):
        antisymmetric_correlations(cloud, lags=[2.0], after=0)
    with pytest.raises(ValueError, match="lags must be a positive integer"):
        antisymmetric_correlations(cloud, lags=0)


def test_lost_particles_are_left_out():
    cloud = cloud_of_chain(broken_balance(0.1), 50, 20, seed=0)
    lost = cloud.copy(deep=True)
    lost["position"][5:, 3] = np.nan
    without = cloud.isel(particle=[p for p in range(50) if p != 3])
    np.testing.assert_array_equal(area_rates(lost)["area_rate"], area_rates(without)["area_rate"])


def test_errors_and_the_verdict_are_those_of_particles_at_all_lags():
    """The largest entry in its standard errors, of all lags and planes; here it is not that of the shortest lag."""
    drift = [[0.1, 0.3, 0.0], [-0.3, 0.1, 0.0], [0.0, 0.0, 1.0]]
    cloud = cloud_of_chain(Chain(drift, np.eye(3), 0.5, 0.05), 60, 100, seed=5)
    cloud["position"] += 0.7 * np.random.default_rng(0).normal(size=cloud["position"].shape)  # hides short lags
    found = antisymmetric_correlations(cloud, after=0)
    x = cloud["position"].values - cloud["position"].values.mean(axis=(0, 1))
    for lag in found["correlation_lag"].values:
        shift = round(lag / 0.05)
        early, late = x[:-shift], x[shift:]
        own = np.einsum("tpi,tpj->pij", early, late) / len(early)
        own = (own - own.swapaxes(1, 2)) / 2
        here = found.sel(correlation_lag=lag)
        np.testing.assert_allclose(here["antisymmetric_correlation"], own.mean(axis=0), atol=1e-12)
        error = own.std(axis=0, ddof=1) / 60**0.5
        np.testing.assert_allclose(here["antisymmetric_correlation_standard_error"], error, rtol=1e-9, atol=1e-12)
    errors = found["antisymmetric_correlation_standard_error"].values
    scores = np.abs(found["antisymmetric_correlation"].values) / np.where(errors > 0, errors, np.inf)
    assert float(found["largest_reversal_z"]) == pytest.approx(scores.max() * (60 / 59) ** 0.5, rel=1e-9)
    assert scores.max() > 1.1 * scores[0].max()


@pytest.mark.parametrize("function", [area_rates, antisymmetric_correlations])
def test_what_is_no_cloud_in_time_is_refused_in_one_line(function):
    cloud = cloud_of_chain(broken_balance(0.1), 20, 10, seed=0)
    for part, message in (
        (None, "takes a Dataset"),
        (cloud.isel(time=slice(None, None, -1)), "finite and rise"),
        (cloud.isel(time=[0, 0, 1]), "finite and rise"),
        (cloud.assign_coords(time=np.full(11, np.nan)), "finite and rise"),
        (cloud.isel(coordinate=slice(0)), "one particle and one coordinate or more, got 20 and 0"),
        (cloud.isel(time=[0]), "1 of 1 frames lie"),
        (cloud * np.nan, "0 particles stayed finite"),
    ):
        with pytest.raises(ValueError, match=message) as told:
            function(part)
        assert "\n" not in str(told.value)
    for seed in (-1, "x", 0.5):
        with pytest.raises(ValueError, match="seed must be an integer, not negative"):
            antisymmetric_correlations(cloud, seed=seed)
