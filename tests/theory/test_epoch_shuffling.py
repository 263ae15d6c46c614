import itertools

import numpy as np
import pytest
from asserts import assert_excluded, assert_within

from sgdphys import SGD, theory


def shuffled(hessian, noise, sgd):
    return theory.stationary_covariance(hessian, noise, sgd, "shuffle")


def independent(hessian, noise, sgd):
    settings = SGD(sgd.lr, sgd.batch_size, momentum=sgd.momentum)
    return theory.stationary_covariance(hessian, noise, settings)["stationary_covariance"].values


@pytest.mark.parametrize(
    ("stiffness", "at_end", "average"),
    [(0.1, 0.269428, 0.468), (0.01, 0.00352109, 0.0668), (0.001, 3.5034e-5, 0.00697)],
)
def test_twenty_batches_in_one_coordinate(stiffness, at_end, average):
    sgd = SGD(stiffness, 1, n_samples=20, sampling="shuffle")
    result, reference = shuffled([[1.0]], [[1.0]], sgd), independent([[1.0]], [[1.0]], sgd).item()
    assert result["stationary_covariance"].item() / reference == pytest.approx(
        at_end, rel=5e-6 if at_end > 1e-4 else 5e-5
    )
    assert result["epoch_mean_covariance"].item() / reference == pytest.approx(average, rel=3e-3)
    assert result["variance_in_epoch"].mean().item() == pytest.approx(result["epoch_mean_covariance"].item(), rel=1e-12)
    assert result["variance_in_epoch"][-1].item() == pytest.approx(result["stationary_covariance"].item(), rel=1e-12)


def test_small_steps_tend_to_the_known_limits():
    # (M+1)/M (lr h M)^2 / 12 at the end of an epoch, lr h (M+1) / 3 averaged over it
    sgd = SGD(1e-5, 1, n_samples=20, sampling="shuffle")
    result, reference = shuffled([[1.0]], [[1.0]], sgd), independent([[1.0]], [[1.0]], sgd).item()
    assert result["stationary_covariance"].item() / reference == pytest.approx(21 / 20 * 4e-8 / 12, rel=1e-3)
    assert result["epoch_mean_covariance"].item() / reference == pytest.approx(2.1e-4 / 3, rel=1e-3)


def test_the_closed_form_of_one_coordinate_with_whole_batches():
    h, lr, batch, n_batches = 0.7, 0.1, 4, 6
    a = (1 - lr * h) ** np.arange(n_batches - 1, -1, -1.0)
    without = (24 - batch) / 23 / batch
    sums = np.sum(a**2) - np.sum(a) ** 2 / n_batches
    expected = lr**2 * without * n_batches / (n_batches - 1) * sums / (1 - (1 - lr * h) ** (2 * n_batches))
    sgd = SGD(lr, batch, n_samples=24, sampling="shuffle")
    assert shuffled([[h]], [[1.0]], sgd)["stationary_covariance"].item() == pytest.approx(expected, rel=1e-12)


def test_one_batch_an_epoch_is_sampling_without_replacement():
    H, C = np.array([[1.0, 0.3], [0.3, 2.0]]), np.array([[1.0, -0.4], [-0.4, 0.5]])
    result = shuffled(H, C, SGD(0.2, 4, momentum=0.5, n_samples=7, sampling="shuffle"))
    expected = theory.stationary_covariance(H, C, SGD(0.2, 4, momentum=0.5, n_samples=7, sampling="without"))
    for name in ("stationary_covariance", "velocity_covariance"):
        np.testing.assert_allclose(result[name], expected[name], rtol=1e-9)
    whole = shuffled(H, C, SGD(0.2, 7, n_samples=7, sampling="shuffle"))
    assert np.all(whole["stationary_covariance"].values == 0)


@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_all_orders_of_five_samples_in_batches_of_two(momentum):
    # enumerated: noise of every order, the last sample dropped; H and C do not commute
    gradients = np.random.default_rng(0).normal(size=(5, 2))
    gradients -= gradients.mean(axis=0)
    H, C, lr, unit = np.array([[1.0, 0.3], [0.3, 2.0]]), gradients.T @ gradients / 5, 0.3, np.eye(2)
    step = np.block([[unit - lr * H, -lr * momentum * unit], [H, momentum * unit]])
    inject = np.vstack([-lr * unit, unit])
    orders = np.array(list(itertools.permutations(range(5))))
    first, second = (gradients[orders[:, 2 * k : 2 * k + 2]].mean(axis=1) @ inject.T for k in (0, 1))
    ends = first @ step.T + second
    twice = np.linalg.matrix_power(step, 2)
    at_end = np.linalg.solve(np.eye(16) - np.kron(twice, twice), (ends.T @ ends / len(ends)).ravel()).reshape(4, 4)
    after_one = step @ at_end @ step.T + first.T @ first / len(first)
    result = shuffled(H, C, SGD(lr, 2, momentum=momentum, n_samples=5, sampling="shuffle"))
    np.testing.assert_allclose(result["stationary_covariance"], at_end[:2, :2], rtol=1e-10)
    np.testing.assert_allclose(result["velocity_covariance"], at_end[2:, 2:], rtol=1e-10)
    np.testing.assert_allclose(result["epoch_mean_covariance"], (at_end + after_one)[:2, :2] / 2, rtol=1e-10)
    np.testing.assert_allclose(result["variance_in_epoch"][0], np.diag(after_one)[:2], rtol=1e-10)


def test_shuffled_sgd_itself_has_this_variance():
    # ten samples, batches of three: one sample of each order is dropped. n = 20,000 after 30 epochs
    rng = np.random.default_rng(2)
    gradients = rng.normal(size=10)
    gradients -= gradients.mean()
    sgd = SGD(0.1, 3, momentum=0.5, n_samples=10, sampling="shuffle")
    x, v = np.zeros((2, 20_000))
    for _ in range(30):
        order = rng.permuted(np.tile(gradients, (len(x), 1)), axis=1)
        for k in range(3):
            v = sgd.momentum * v + x + order[:, 3 * k : 3 * k + 3].mean(axis=1)
            x = x - sgd.lr * v
    error = (x**2).std() / len(x) ** 0.5
    noise = [[np.mean(gradients**2)]]
    exact = shuffled([[1.0]], noise, sgd)["stationary_covariance"].item()
    assert_within(np.mean(x**2), exact, error)
    assert_excluded(np.mean(x**2), independent([[1.0]], noise, sgd).item(), error)


@pytest.mark.parametrize(
    ("sgd", "message"),
    [
        (SGD(0.1, 1, n_samples=5), "needs sampling='shuffle', got sampling='replacement'"),
        (SGD(0.1, 1, sampling="shuffle"), "give n_samples="),
    ],
)
def test_settings_without_epochs_are_refused(sgd, message):
    with pytest.raises(ValueError, match=message):
        shuffled([[1.0]], [[1.0]], sgd)


def test_inverse_variance_and_flatness_comes_out_of_shuffling():
    # C = H on a parabola: sigma^2 ~ F^-psi with flatness F ~ h^(-1/2); i.i.d. 0, over an epoch 2, at its end 4
    h = np.logspace(-2.7, -1, 8)
    sgd = SGD(0.05, 1, n_samples=50, sampling="shuffle")
    result = shuffled(np.diag(h), np.diag(h), sgd)
    slopes = {
        name: 2 * np.polyfit(np.log(h), np.log(np.diag(result[name])), 1)[0]
        for name in ("stationary_covariance", "epoch_mean_covariance")
    }
    assert slopes["stationary_covariance"] == pytest.approx(4.0009, abs=6e-5)
    assert slopes["epoch_mean_covariance"] == pytest.approx(1.975, abs=6e-4)
    draws = np.diag(independent(np.diag(h), np.diag(h), sgd))
    assert 2 * np.polyfit(np.log(h), np.log(draws), 1)[0] == pytest.approx(0, abs=0.01)
