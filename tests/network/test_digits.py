"""A real network against the exact prediction for its quadratic twin (physics.md R)."""

import numpy as np
import pytest

import sgdphys as sp
from sgdphys import SGD, analysis, data, theory


@pytest.fixture(scope="module")
def measured(digits):
    """Return Hessian, noise covariance and the 20 leading Hessian eigenvectors at the minimum."""
    hessian = digits.curvature().dense()
    return hessian, digits.noise().dense(), np.linalg.eigh(hessian)[1][:, ::-1][:, :20]


def real_over_predicted(digits, measured, sgd):
    """Train 200 replicas from the minimum; return the mean ratio over 20 directions in times 30 to 60, and more.

    The 20 leading directions relax at rates above .08, so at time 30 their variance is stationary to 1 %. Standard
    error of the ratio .01: 200 replicas, 20 directions, several relaxation times.
    """
    hessian, covariance, V = measured
    S = theory.stationary_covariance(hessian, covariance, sgd)["stationary_covariance"].values
    cloud = sp.train(digits, sgd, n_replicas=200, n_steps=round(60 / sgd.lr), save_at=np.linspace(30, 60, 11))
    y = (cloud["position"].values - digits.parameters) @ V
    ratio = y.var(axis=1, ddof=1).mean(axis=0) / np.diag(V.T @ S @ V)
    return ratio.mean(), cloud, np.trace(hessian @ S) / 2


@pytest.mark.parametrize(("lr", "batch_size"), [(0.05, 32), (0.2, 128)])
def test_cold_clouds_follow_the_exact_discrete_prediction(digits, measured, lr, batch_size):
    ratio, cloud, _ = real_over_predicted(digits, measured, SGD(lr, batch_size))
    assert 0.96 < ratio < 1.08  # a factor 2 in the temperature would be .5 or 2
    assert not cloud["diverged"].any()


def test_a_hot_cloud_leaves_the_quadratic_twin(digits, measured):
    ratio, cloud, _ = real_over_predicted(digits, measured, SGD(0.5, 32))
    assert 1.1 < ratio < 1.4
    errors = misclassified(digits, cloud)
    assert 0.02 < errors < 0.05


def misclassified(digits, cloud):
    """Return the fraction of test images that the replicas of the last frame classify wrongly."""
    split = data.digits()
    scores = digits.outputs(split.test_inputs, cloud["position"].values[-1])
    return float(np.mean(scores.argmax(axis=-1) != split.test_labels))


@pytest.mark.slow
@pytest.mark.parametrize(("lr", "batch_size", "loss"), [(0.05, 32, 0.4196), (0.2, 128, 0.4197), (0.2, 32, 0.4243)])
def test_the_loss_of_the_whole_cloud(digits, measured, lr, batch_size, loss):
    hessian, covariance, _ = measured
    sgd = SGD(lr, batch_size)
    S = theory.stationary_covariance(hessian, covariance, sgd)["stationary_covariance"].values
    cloud = sp.train(digits, sgd, n_replicas=200, n_steps=round(150 / lr), save_at=2, record_potential=True)
    excess = cloud["potential"].values[-1] - digits.loss_value
    assert excess.mean() == pytest.approx(np.trace(hessian @ S) / 2, rel=0.08)
    assert excess.mean() == pytest.approx(loss - 0.4181, rel=0.1)


def test_compare_tells_cold_from_hot(digits):
    twin = digits.twin(20)
    results = []
    for sgd in (SGD(0.2, 128), SGD(0.5, 32)):
        real = sp.train(digits, sgd, n_replicas=120, n_steps=round(40 / sgd.lr), save_at=np.linspace(20, 40, 6), seed=1)
        sim = sp.simulate(*twin, sgd=sgd, n_steps=round(60 / sgd.lr), n_particles=5000, save_at=7, seed=1)
        results.append(analysis.compare(real, sim))
    cold, hot = (result["mean_variance_ratio"].item() for result in results)
    assert abs(cold - 1) < 4 * results[0]["mean_variance_ratio_standard_error"].item() + 0.03
    assert hot > 1.1
    divergences = [result["symmetric_relative_entropy"].item() for result in results]
    errors = [result["symmetric_relative_entropy_standard_error"].item() for result in results]
    assert abs(divergences[0]) < 4 * errors[0] and divergences[1] > 3 * errors[1]
