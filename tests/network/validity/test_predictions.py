import numpy as np
import pytest
from asserts import assert_excluded, assert_within

from sgdphys import SGD, theory
from sgdphys.network.validity.predictions import (
    Prediction,
    change_of,
    distance_of_covariance,
    mean_over,
    potential_distance_of,
    ratio_of_means,
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
