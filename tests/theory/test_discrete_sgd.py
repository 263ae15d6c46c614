from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
from asserts import assert_within

from sgdphys import SGD, theory


def random_pair(dim=5, seed=0):
    rng = np.random.default_rng(seed)
    a, c = rng.normal(size=(2, dim, 2 * dim))
    return a @ a.T / dim, c @ c.T / dim


def covariance(*arguments):
    return theory.stationary_covariance(*arguments)["stationary_covariance"].values


@pytest.mark.parametrize(("h", "variance"), [(0.1, 2.503294), (1.0, 0.253333), (4.0, 0.0659722)])
def test_heavy_ball_in_one_coordinate(h, variance):
    sgd = SGD(0.05, 1, momentum=0.9)
    assert covariance([[h]], [[1.0]], sgd).item() == pytest.approx(variance, rel=2e-6)
    assert covariance([[h]], [[1.0]], sgd, "lyapunov").item() == pytest.approx(0.25 / h, rel=1e-12)


def test_velocity_of_the_heavy_ball():
    velocity = theory.stationary_covariance([[1.0]], [[1.0]], SGD(0.05, 1, momentum=0.9))["velocity_covariance"]
    assert velocity.item() == pytest.approx(5.33333, rel=1e-5)


FORMS = {
    "plain": SGD(0.1, 2),
    "heavy ball": SGD(0.1, 2, momentum=0.8),
    "dampened": SGD(0.1, 2, momentum=0.6, dampening=0.3),
    "nesterov": SGD(0.1, 2, momentum=0.8, nesterov=True),
}


def one_step(H, sgd):
    """Return the map of (x, v) and what a unit of gradient noise adds to it, from torch's rule of the step."""
    unit, kept = np.eye(len(H)), 1 - sgd.dampening
    velocity, kick = np.hstack([kept * H, sgd.momentum * unit]), kept * unit
    direction, push = velocity, kick
    if sgd.nesterov:
        direction, push = np.hstack([H, 0 * unit]) + sgd.momentum * velocity, unit + sgd.momentum * kick
    return np.vstack([np.hstack([unit, 0 * unit]) - sgd.lr * direction, velocity]), np.vstack([-sgd.lr * push, kick])


@pytest.mark.parametrize("sgd", FORMS.values(), ids=FORMS)
def test_the_modes_solve_the_block_equation_of_position_and_velocity(sgd):
    H, C = random_pair()
    step, kick = one_step(H, sgd)
    expected = scipy.linalg.solve_discrete_lyapunov(step, kick @ C @ kick.T / sgd.batch_size)
    result = theory.stationary_covariance(H, C, sgd)
    np.testing.assert_allclose(result["stationary_covariance"], expected[:5, :5], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(result["velocity_covariance"], expected[5:, 5:], rtol=1e-9, atol=1e-12)
    assert float(result["spectral_radius"]) == pytest.approx(np.abs(np.linalg.eigvals(step)).max(), rel=1e-9)


def test_the_closed_form_of_the_heavy_ball_holds_for_matrices_that_do_not_commute():
    # Liu, Ziyin, Ueda, with lr a number: (1-mu)(SH + HS) lr - lr^2 (1+mu^2)/(1-mu^2) HSH + lr^2 mu/(1-mu^2) (HHS + SHH)
    H, C = random_pair()
    sgd, mu, lr = SGD(0.1, 2, momentum=0.8), 0.8, 0.1
    S = covariance(H, C, sgd)
    crossed = (mu * (H @ H @ S + S @ H @ H) - (1 + mu**2) * H @ S @ H) / (1 - mu**2)
    np.testing.assert_allclose(lr * (1 - mu) * (S @ H + H @ S) + lr**2 * crossed, lr**2 * C / 2, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("sgd", FORMS.values(), ids=FORMS)
def test_every_form_of_momentum_has_the_continuous_limit_of_its_effective_rate(sgd):
    H, C = random_pair()
    small = replace(sgd, lr=1e-5)
    np.testing.assert_allclose(covariance(H, C, small), covariance(H, C, small, "lyapunov"), rtol=2e-3)


@pytest.mark.parametrize("sgd", FORMS.values(), ids=FORMS)
def test_the_mean_settles_exactly_below_the_bound(sgd):
    with pytest.raises(ValueError, match="use lr below") as refusal:
        covariance([[2.0]], [[1.0]], replace(sgd, lr=10.0))
    limit = float(str(refusal.value).rsplit(" ", 1)[1])
    step = one_step(np.array([[2.0]]), replace(sgd, lr=limit))[0]
    assert np.abs(np.linalg.eigvals(step)).max() == pytest.approx(1, abs=1e-4)
    assert float(theory.stationary_covariance([[2.0]], [[1.0]], replace(sgd, lr=0.999 * limit))["spectral_radius"]) < 1


def test_the_continuous_limit_solves_the_lyapunov_equation_at_the_effective_temperature():
    H, C = random_pair()
    sgd = SGD(0.1, 3, momentum=0.5, sampling="without", n_samples=10)
    expected = scipy.linalg.solve_continuous_lyapunov(H, 2 * sgd.effective_temperature * C)
    np.testing.assert_allclose(covariance(H, C, sgd, "lyapunov"), expected, rtol=1e-9)


def test_the_discrete_map_tends_to_the_continuous_limit_in_first_order():
    H, C = random_pair()
    errors = []
    for lr in (2e-3, 1e-3):
        discrete, limit = (covariance(H, C, SGD(lr, 1), mode) for mode in ("discrete", "lyapunov"))
        errors.append(np.abs(discrete / limit - 1).max())
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.05)


def test_the_map_itself_has_this_covariance():
    # correlated Gaussian gradient noise, heavy ball: n = 40,000, every entry within 4 standard errors of the exact
    # covariance, while the continuous limit is far outside
    H, C = np.array([[1.0, 0.3], [0.3, 2.0]]), np.array([[1.0, -0.4], [-0.4, 0.5]])
    sgd = SGD(0.3, 2, momentum=0.5)
    rng, root = np.random.default_rng(1), np.linalg.cholesky(C / sgd.batch_size)
    x, v = np.zeros((2, 40_000, 2))
    for _ in range(120):
        v = sgd.momentum * v + x @ H + rng.normal(size=x.shape) @ root.T
        x = x - sgd.lr * v
    products = x[:, :, None] * x[:, None, :]
    error = products.std(axis=0) / len(x) ** 0.5
    assert_within(products.mean(axis=0), covariance(H, C, sgd), error)
    assert np.abs(np.diag((products.mean(axis=0) - covariance(H, C, sgd, "lyapunov")) / error)).max() > 10


def test_a_whole_batch_without_replacement_has_no_noise():
    H, C = random_pair()
    assert np.all(covariance(H, C, SGD(0.1, 10, sampling="without", n_samples=10)) == 0)


@pytest.mark.parametrize(
    ("lr", "momentum", "message"),
    [
        (2.0, 0.0, r"lr \* lambda_max = 4 must be below 2 \(1 \+ momentum\) = 2 \(spectral radius 3\); use lr below 1"),
        (1.6, 0.5, r"lr \* lambda_max = 3.2 must be below 2 \(1 \+ momentum\) = 3 .*use lr below 1.5"),
    ],
)
def test_a_step_too_long_is_refused(lr, momentum, message):
    with pytest.raises(ValueError, match=message):
        theory.stationary_covariance(np.diag([2.0, 1.0]), np.eye(2), SGD(lr, 1, momentum=momentum))


@pytest.mark.parametrize(
    ("hessian", "noise", "sgd", "message"),
    [
        (np.diag([1.0, -0.1]), np.eye(2), SGD(0.1, 1), "smallest eigenvalue of the Hessian is -0.1"),
        ([[1.0, 0.5], [0.0, 1.0]], np.eye(2), SGD(0.1, 1), "hessian must be symmetric, its largest asymmetry is 0.5"),
        (np.eye(2), np.eye(3), SGD(0.1, 1), r"same shape, got \(2, 2\) and \(3, 3\)"),
        (np.eye(2), np.diag([1.0, -1.0]), SGD(0.1, 1), "positive semi-definite, its smallest eigenvalue is -1"),
        (np.eye(2), np.full((2, 2), np.nan), SGD(0.1, 1), "covariance must be a finite square matrix"),
        (np.eye(2), np.eye(2), SGD(0.1, 1, sampling="shuffle"), "has no effective temperature"),
    ],
)
def test_what_has_no_stationary_state_is_refused(hessian, noise, sgd, message):
    with pytest.raises(ValueError, match=message):
        theory.stationary_covariance(hessian, noise, sgd)


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="mode must be one of lyapunov, discrete, minibatch, shuffle, got 'ito'"):
        theory.stationary_covariance(np.eye(2), np.eye(2), SGD(0.1, 1), "ito")
