import numpy as np
import pytest

from sgdphys import SGD, theory


def test_constant_noise_without_momentum_has_simple_errors():
    h, lr = np.array([4.0, 1.0, 0.1]), 0.2
    result = theory.sde_error(np.diag(h), np.diag([1.0, 2.0, 3.0]), SGD(lr, 2))
    np.testing.assert_allclose(result["stationary_variance_ratio"], 2 / (2 - lr * h), rtol=1e-12)
    np.testing.assert_allclose(result["relaxation_rate_ratio"], -np.log(1 - lr * h) / (lr * h), rtol=1e-10)
    np.testing.assert_allclose(result["correlation_time_ratio"], 1 - lr * h / 2, rtol=1e-9)
    steps = np.arange(1, 500)[:, None]
    errors = np.abs((1 - lr * h) ** steps - np.exp(-lr * h * steps)).max(axis=0)
    np.testing.assert_allclose(result["largest_autocorrelation_error"], errors, rtol=1e-6)
    variances = np.array([1.0, 2.0, 3.0]) / h
    assert result["total_variance_ratio"].item() == pytest.approx(np.average(2 / (2 - lr * h), weights=variances))
    assert result["excess_loss_ratio"].item() == pytest.approx(np.average(2 / (2 - lr * h), weights=h * variances))
    ratios = 2 / (2 - lr * h)
    assert result["largest_variance_ratio"].item() == pytest.approx(ratios.max())
    assert result["relative_entropy_of_sde"].item() == pytest.approx(np.sum(ratios - 1 - np.log(ratios)) / 2)


@pytest.mark.parametrize(("lr", "ratio"), [(0.02, 1.0197), (0.04, 1.0404), (0.08, 1.0854), (0.16, 1.1930)])
def test_the_excess_loss_of_ten_modes_with_noise_like_the_hessian(lr, ratio):
    H = np.diag(np.logspace(-1, 0.5, 10))
    result = theory.sde_error(H, H, SGD(lr, 1))["excess_loss_ratio"].item()
    assert result == pytest.approx(ratio, abs=5e-5)


@pytest.mark.parametrize(
    "form", [{}, {"momentum": 0.7}, {"momentum": 0.7, "nesterov": True}, {"momentum": 0.7, "dampening": 0.4}]
)
def test_variance_times_correlation_time_does_not_depend_on_the_step(form):
    # Green and Kubo: constant noise xi moves x by -xi/h in the end, so the summed autocovariance is its variance / h^2
    H = np.array([[1.0, 0.2], [0.2, 0.5]])
    result = theory.sde_error(H, np.eye(2), SGD(0.4, 1, **form))
    product = result["stationary_variance_ratio"] * result["correlation_time_ratio"]
    np.testing.assert_allclose(product, 1, rtol=1e-10)
    assert np.all(np.abs(result["correlation_time_ratio"] - 1) > 0.005)


def test_least_squares_of_four_samples():
    x = np.array([1.0, 2.0, -1.0, 0.5])
    result = theory.sde_error([[1.5625]], [[0.3896]], SGD(0.2, 1), inputs=x)
    assert result["total_variance_ratio"].item() == pytest.approx(0.03506948 / 0.0249344, rel=1e-6)
    assert result["correlation_time_ratio"].item() == pytest.approx(1 - 0.2 * 1.5625 / 2, rel=1e-10)


def test_shuffled_epochs_are_compared_with_the_equation_of_independent_draws():
    result = theory.sde_error([[1.0]], [[1.0]], SGD(0.01, 1, sampling="shuffle", n_samples=20))
    assert result["total_variance_ratio"].item() == pytest.approx(0.0668 * 2 / (2 - 0.01), rel=3e-3)
    assert "correlation_time_ratio" not in result


def test_the_error_vanishes_with_the_step():
    H, C = np.diag([2.0, 1.0]), np.array([[1.0, 0.3], [0.3, 1.0]])
    result = theory.sde_error(H, C, SGD(1e-6, 1, momentum=0.9))
    for name in ("stationary_variance_ratio", "relaxation_rate_ratio", "correlation_time_ratio"):
        np.testing.assert_allclose(result[name], 1, atol=3e-4)
    assert result["largest_autocorrelation_error"].max().item() < 3e-4
    assert abs(result["relative_entropy_of_sde"].item()) < 1e-9


def test_directions_without_noise_have_no_ratio():
    result = theory.sde_error(np.diag([2.0, 1.0]), np.diag([1.0, 0.0]), SGD(0.1, 1))
    np.testing.assert_allclose(result["stationary_variance_ratio"], [2 / 1.8, np.nan])
    assert np.isnan(result["relative_entropy_of_sde"].item())
    with pytest.raises(ValueError, match="no noise to compare"):
        theory.sde_error([[1.0]], [[1.0]], SGD(0.1, 5, sampling="without", n_samples=5))
    with pytest.raises(ValueError, match="constant noise only"):
        theory.sde_error([[1.0]], [[1.0]], SGD(0.1, 1, sampling="shuffle", n_samples=5), inputs=[1.0, 1.0])
