import numpy as np
import pytest
from asserts import assert_excluded, assert_within

from sgdphys import SGD, theory


def regression():
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(20, 3)) @ np.diag([1.5, 1.0, 0.5])
    return inputs, inputs @ [1.0, -1.0, 2.0] + 0.7 * rng.normal(size=20)


def test_the_mode_agrees_with_the_least_squares_of_the_same_features():
    inputs, targets = regression()
    sgd = SGD(0.05, 4, momentum=0.8, weight_decay=0.1)
    exact = theory.exact_sgd_covariance(inputs, targets, sgd)
    result = theory.stationary_covariance(
        exact["hessian"], exact["gradient_covariance"], sgd, "minibatch", inputs=inputs
    )
    for name in ("stationary_covariance", "velocity_covariance", "spectral_radius", "second_moment_radius"):
        np.testing.assert_array_equal(result[name], exact[name])


def gaussian(features, label_noise, sgd):
    A = np.diag(features)
    return theory.stationary_covariance(A, label_noise * A, sgd, "minibatch", inputs="gaussian")


def test_fresh_gaussian_features_with_momentum():
    sgd = SGD(0.3, 2, momentum=0.5)
    result = gaussian([1.0, 0.25], 1.0, sgd)["stationary_covariance"].values
    np.testing.assert_allclose(result, np.diag([0.263158, 0.210526]), rtol=2e-6, atol=1e-12)
    A = np.diag([1.0, 0.25])
    wrong = theory.stationary_covariance(A, A, sgd, "lyapunov")["stationary_covariance"].values
    np.testing.assert_allclose(np.diag(wrong), [0.15, 0.15])


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_the_closed_form_of_fresh_gaussian_features(momentum):
    # Ziyin et al.: S = (s2/B)(1 + k/B) lr / G, G = 2(1-mu) - ((1-mu)/(1+mu) + 1/B) lr A
    A, sgd, label_noise = np.array([1.0, 0.5, 0.1]), SGD(0.2, 3, momentum=momentum), 0.6
    G = 2 * (1 - momentum) - ((1 - momentum) / (1 + momentum) + 1 / 3) * sgd.lr * A
    trace = np.sum(sgd.lr * A / G)
    expected = label_noise / 3 * (1 + trace / (1 - trace / 3) / 3) * sgd.lr / G
    result = np.diag(gaussian(A, label_noise, sgd)["stationary_covariance"])
    np.testing.assert_allclose(result, expected, rtol=1e-10)


def test_sgd_on_fresh_gaussian_features_has_this_covariance():
    rng, sgd = np.random.default_rng(4), SGD(0.3, 2, momentum=0.5)
    scale = np.sqrt([1.0, 0.25])
    w, v = np.zeros((2, 40_000, 2))
    for _ in range(120):
        x = rng.normal(size=(len(w), 2, 2)) * scale
        residual = np.einsum("pbi,pi->pb", x, w) + rng.normal(size=(len(w), 2))
        v = 0.5 * v + np.einsum("pb,pbi->pi", residual, x) / 2
        w = w - 0.3 * v
    error = (w**2).std(axis=0) / len(w) ** 0.5
    A = np.diag(scale**2)
    assert_within(np.mean(w**2, axis=0), np.diag(gaussian(scale**2, 1.0, sgd)["stationary_covariance"]), error)
    for mode in ("lyapunov", "discrete"):
        wrong = np.diag(theory.stationary_covariance(A, A, sgd, mode)["stationary_covariance"])
        assert_excluded(np.mean(w**2, axis=0), wrong, error)


@pytest.mark.parametrize(("lr", "batch_size"), [(0.66, 1), (0.99, 2)])
def test_gaussian_features_have_finite_variance_just_below_the_limit(lr, batch_size):
    # lr h < 2 / (1 + 2/B)
    gaussian([1.0], 1.0, SGD(lr, batch_size))
    with pytest.raises(ValueError, match=r"variance is infinite"):
        gaussian([1.0], 1.0, SGD(lr + 0.02, batch_size))


def test_weight_decay_is_taken_off_the_hessian_of_gaussian_features():
    plain = theory.stationary_covariance([[1.5]], [[1.0]], SGD(0.2, 1), "minibatch", inputs="gaussian")
    decayed = theory.stationary_covariance(
        [[1.5]], [[1.0]], SGD(0.2, 1, weight_decay=0.5), "minibatch", inputs="gaussian"
    )
    # 1-D: S = (lr^2/B) C / (1 - (1 - lr h)^2 - 2 lr^2 A^2 / B)
    for result, A in ((plain, 1.5), (decayed, 1.0)):
        expected = 0.04 / (1 - (1 - 0.2 * 1.5) ** 2 - 2 * 0.04 * A**2)
        assert result["stationary_covariance"].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("hessian", "mode", "inputs", "message"),
    [
        (np.eye(2), "minibatch", None, "that mode needs it"),
        (np.eye(2), "discrete", np.eye(2), "inputs= belongs to mode 'minibatch'"),
        (np.eye(2), "minibatch", "cauchy", r"\(sample, d\) or 'gaussian', got 'cauchy'"),
        (np.eye(2), "minibatch", np.ones((5, 3)), r"of shape \(sample, 2\), got \(5, 3\)"),
        (np.eye(2), "minibatch", np.ones((5, 2)), "plus weight_decay times the unit matrix"),
        (np.eye(41), "minibatch", "gaussian", "limited to 40 coordinates, got 41"),
        (0.1 * np.eye(2), "minibatch", "gaussian", "hessian must include sgd.weight_decay=0.3"),
    ],
)
def test_features_that_do_not_fit_are_refused(hessian, mode, inputs, message):
    with pytest.raises(ValueError, match=message):
        theory.stationary_covariance(hessian, np.eye(len(hessian)), SGD(0.1, 1, weight_decay=0.3), mode, inputs=inputs)
