import numpy as np
import pytest
from asserts import assert_excluded, assert_within

from sgdphys import SGD, theory
from sgdphys.network.validity.predictions import (
    Prediction,
    _jackknife,
    change_of,
    distance_of_covariance,
    mean_over,
    potential_distance_of,
    ratio_of_means,
    spread_over,
)

CURVATURES = np.array([2.0, 0.5, 0.3])
COVARIANCE = np.array([[0.6, 0.2, 0.0], [0.2, 1.0, 0.1], [0.0, 0.1, 3.0]])


def draws(covariance, frames=3, replicas=4000, seed=0):
    rng = np.random.default_rng(seed)
    return rng.multivariate_normal(np.zeros(len(covariance)), covariance, size=(frames, replicas))


def test_the_distance_is_the_residual_of_a_fit_of_the_loss_to_the_potential():
    """Least squares of Phi/T on f and a constant over 10^6 draws; its error is about .1 %."""
    x = draws(COVARIANCE, 1, 1_000_000)[0]
    potential, loss = np.sum(x @ np.linalg.inv(COVARIANCE) * x, axis=1) / 2, x**2 @ CURVATURES / 2
    slope, level = np.polyfit(loss, potential, 1)
    direct = np.sqrt(np.mean((potential - slope * loss - level) ** 2))
    assert distance_of_covariance(COVARIANCE, CURVATURES) == pytest.approx(direct, rel=0.01)


def test_there_is_none_in_the_gibbs_state_of_any_noise_scale():
    assert distance_of_covariance(0.07 * np.diag(1 / CURVATURES), CURVATURES) == pytest.approx(0.0, abs=1e-7)
    gibbs = potential_distance_of(draws(0.07 * np.diag(1 / CURVATURES)), CURVATURES)
    assert gibbs.value < 4 * gibbs.error


def test_the_estimate_has_the_distance_of_the_covariance():
    estimate, exact = (
        potential_distance_of(draws(COVARIANCE), CURVATURES),
        distance_of_covariance(COVARIANCE, CURVATURES),
    )
    assert_within(estimate.value, exact, estimate.error)
    assert_excluded(estimate.value, 0.0, estimate.error)


def test_variance_ratios_have_errors_between_replicas():
    points = draws(COVARIANCE)
    mean, ratios, errors = mean_over(points, np.diag(COVARIANCE)[None])
    assert_within(mean.value, 1.0, mean.error)
    assert_within(ratios, 1.0, errors)
    np.testing.assert_allclose(errors, np.sqrt(2 / 12000), rtol=0.1)
    assert_excluded(mean.value, 0.5, mean.error)


def test_a_ratio_of_means_follows_correlated_parts():
    rng = np.random.default_rng(1)
    below = rng.gamma(4.0, size=(2, 3000))
    estimate = ratio_of_means(2 * below + 0.1 * rng.normal(size=below.shape), below)
    assert_within(estimate.value, 2.0, estimate.error)
    assert estimate.error < 0.001
    assert np.isnan(ratio_of_means(below, np.zeros_like(below)).value)


def test_shuffled_epochs_are_predicted_step_by_step():
    sgd = SGD(0.1, 4, n_samples=20, sampling="shuffle")
    state = theory.stationary_covariance(np.diag(CURVATURES), COVARIANCE, sgd, "shuffle")
    prediction = Prediction(state["epoch_mean_covariance"].values, None, state["variance_in_epoch"].values)
    at_ends = prediction.variances(np.array([5, 10, 500]))
    np.testing.assert_allclose(at_ends, np.tile(np.diag(state["stationary_covariance"]), (3, 1)), rtol=1e-10)


def test_a_change_is_seen_and_none_is_not():
    """Positions of unit variance in the early half and 1.2 in the late one: relative change .2/1.1."""
    rng = np.random.default_rng(2)
    steady = rng.normal(size=(8, 3000, 3))
    none = change_of(steady, np.ones((8, 3)))
    assert_within(none.value, 0.0, none.error)
    growing = change_of(steady * np.sqrt([1.0] * 4 + [1.2] * 4)[:, None, None], np.ones((8, 3)))
    assert_within(growing.value, 0.2 / 1.1, growing.error)
    assert_excluded(growing.value, 0.0, growing.error)
    assert np.isnan(change_of(steady[:1], np.ones((1, 3))).value)


@pytest.mark.parametrize("shift", [0.0, 30.0])
def test_few_replicas_far_from_the_origin_have_their_variance(shift):
    """Three replicas, 20000 frames: the variance is 1 within 4 errors of .7 %, not 2/3 and not 900."""
    points = np.random.default_rng(3).normal(size=(20_000, 3, 1)) + shift
    mean, _, _ = mean_over(points, np.ones((20_000, 1)))
    assert mean.value == pytest.approx(1.0, abs=4 / 20_000**0.5)


@pytest.mark.parametrize("shift", [0.0, 30.0])
def test_a_mean_that_moves_is_a_change_however_far_from_the_start(shift):
    """The mean goes from 1 to -1 in eight frames: <y^2> about the late mean falls, and about that of all would not."""
    points = np.random.default_rng(4).normal(size=(8, 600, 2)) + shift
    still = change_of(points, np.ones((8, 2)))
    assert_within(still.value, 0.0, still.error)
    moving = change_of(points + np.linspace(1.0, -1.0, 8)[:, None, None], np.ones((8, 2)))
    assert_excluded(moving.value, 0.0, moving.error)
    assert moving.value < -0.5


def test_a_change_among_few_replicas_has_no_bias():
    changes = [change_of(np.random.default_rng(seed).normal(size=(4, 5, 3)), np.ones((4, 3))) for seed in range(300)]
    values = np.array([change.value for change in changes])
    assert_within(values.mean(), 0.0, values.std() / 300**0.5)
    assert np.sqrt(np.mean([change.error**2 for change in changes])) == pytest.approx(values.std(), rel=0.3)


def test_the_jackknife_of_a_plug_in_variance_is_the_unbiased_one():
    points = np.random.default_rng(5).normal(size=(1, 12, 1))
    value, _ = _jackknife(points, lambda some: float(some.var()))
    assert value == pytest.approx(points.var(ddof=1), rel=1e-12)
    value, error = _jackknife(points, lambda some: float(some.mean()))
    assert value == pytest.approx(points.mean(), rel=1e-12)
    assert error == pytest.approx(points.std(ddof=1) / 12**0.5, rel=1e-12)


def test_directions_that_differ_while_their_mean_agrees():
    points = draws(np.diag([1.4, 0.6, 1.0]))
    spread = spread_over(points, np.ones((3, 3)))
    assert_within(spread.value, (2 * 0.4**2 / 3) ** 0.5, spread.error)
    assert_excluded(spread.value, 0.0, spread.error)
    none = spread_over(draws(np.eye(3)), np.ones((3, 3)))
    assert none.value <= 4 * none.error


def test_the_spread_counts_what_all_directions_differ_by():
    hot = spread_over(draws(1.5 * np.eye(3)), np.ones((3, 3)))
    assert_within(hot.value, 0.5, hot.error)
