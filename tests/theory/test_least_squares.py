import numpy as np
import pytest
from asserts import assert_within

from sgdphys import SGD, theory

INPUTS, TARGETS = np.array([1.0, 2.0, -1.0, 0.5]), np.array([1.0, 1.0, 0.0, 2.0])


def variance(sgd, name="stationary_covariance"):
    return theory.exact_sgd_covariance(INPUTS, TARGETS, sgd)[name].item()


@pytest.mark.parametrize(
    ("lr", "single", "pair", "distinct_pair"),
    [
        (0.05, 0.00671905, 0.00330049, 0.00218752),
        (0.2, 0.03506948, 0.01603756, 0.01039583),
        (0.4, 0.11817251, 0.04494709, 0.02775114),
    ],
)
def test_four_samples_in_one_coordinate(lr, single, pair, distinct_pair):
    assert variance(SGD(lr, 1)) == pytest.approx(single, abs=5.1e-9)
    assert variance(SGD(lr, 2)) == pytest.approx(pair, abs=5.1e-9)
    assert variance(SGD(lr, 2, sampling="without")) == pytest.approx(distinct_pair, abs=5.1e-9)


def test_the_usual_approximations_of_it():
    assert variance(SGD(0.2, 1), "lyapunov") == pytest.approx(0.0249344, rel=1e-6)
    assert variance(SGD(0.2, 1), "additive") == pytest.approx(0.0295519, rel=1e-6)


def test_minimum_curvature_and_noise():
    result = theory.exact_sgd_covariance(INPUTS, TARGETS, SGD(0.2, 1))
    assert [result[name].item() for name in ("minimum", "hessian", "gradient_covariance")] == pytest.approx(
        [0.64, 1.5625, 0.3896]
    )


def regression():
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(20, 3)) @ np.diag([1.5, 1.0, 0.5])
    return inputs, inputs @ [1.0, -1.0, 2.0] + 0.7 * rng.normal(size=20)


@pytest.mark.parametrize(
    ("sgd", "expected"),
    [
        (SGD(0.1, 2), [0.01638218, 0.01363926, 0.01820276]),
        (SGD(0.05, 4, momentum=0.8), [0.01701764, 0.01671381, 0.02275092]),
    ],
)
def test_twenty_samples_in_three_coordinates(sgd, expected):
    result = theory.exact_sgd_covariance(*regression(), sgd)
    np.testing.assert_allclose(np.diag(result["stationary_covariance"]), expected, rtol=1e-6)


def averaged_second_moments(sgd, inputs, targets):
    """Return the second moments of (position from the minimum, v) that a step with a random sample keeps."""
    minimum = theory.exact_sgd_covariance(inputs, targets, sgd)["minimum"].values
    unit, operator, source = np.eye(3), np.zeros((36, 36)), np.zeros(36)
    for x, y in zip(inputs, targets, strict=True):
        velocity = np.hstack([np.outer(x, x) + sgd.weight_decay * unit, sgd.momentum * unit])
        step = np.vstack([np.hstack([unit, 0 * unit]) - sgd.lr * velocity, velocity])
        residual = x * (x @ minimum - y) + sgd.weight_decay * minimum
        kick = np.concatenate([-sgd.lr * residual, residual])
        operator += np.kron(step, step) / len(inputs)
        source += np.kron(kick, kick) / len(inputs)
    return np.linalg.solve(np.eye(36) - operator, source).reshape(6, 6)


@pytest.mark.parametrize(("momentum", "weight_decay"), [(0.0, 0.0), (0.6, 0.0), (0.0, 0.3), (0.6, 0.3)])
def test_the_solution_is_the_fixed_point_of_the_averaged_step(momentum, weight_decay):
    inputs, targets = regression()
    sgd = SGD(0.05, 1, momentum=momentum, weight_decay=weight_decay)
    expected = averaged_second_moments(sgd, inputs, targets)
    result = theory.exact_sgd_covariance(inputs, targets, sgd)
    np.testing.assert_allclose(result["stationary_covariance"], expected[:3, :3], rtol=1e-8)
    np.testing.assert_allclose(result["velocity_covariance"], expected[3:, 3:], rtol=1e-8)


def test_sgd_itself_has_this_variance():
    rng = np.random.default_rng(0)
    w = np.full(100_000, 0.64)
    for _ in range(60):
        pick = rng.integers(4, size=w.shape)
        w -= 0.2 * INPUTS[pick] * (INPUTS[pick] * w - TARGETS[pick])
    squares = (w - 0.64) ** 2
    error = squares.std() / len(w) ** 0.5
    assert_within(squares.mean(), variance(SGD(0.2, 1)), error)
    assert min(abs(squares.mean() - wrong) for wrong in (0.0249344, 0.0295519)) > 10 * error


def test_the_variance_diverges_where_the_fourth_moment_says():
    # 1 - (1 - lr h)^2 = (lr^2 / B) (m4 - h^2) at the limit
    h, fourth = 1.5625, 4.515625
    limit = 2 * h / (fourth - h**2 + h**2)
    assert float(theory.exact_sgd_covariance(INPUTS, TARGETS, SGD(0.999 * limit, 1))["second_moment_radius"]) < 1
    with pytest.raises(ValueError, match=r"variance is infinite: the second-moment radius .* is 1\.0"):
        theory.exact_sgd_covariance(INPUTS, TARGETS, SGD(1.001 * limit, 1))


@pytest.mark.parametrize(
    ("inputs", "targets", "sgd", "message"),
    [
        (INPUTS, TARGETS[:3], SGD(0.1, 1), r"targets \(sample,\), got \(4, 1\) and \(3,\)"),
        (np.ones((50, 41)), np.ones(50), SGD(0.1, 1), "limited to 40 coordinates, got 41"),
        (INPUTS * np.nan, TARGETS, SGD(0.1, 1), "NaN or infinity"),
        (INPUTS, TARGETS, SGD(0.1, 1, n_samples=5), "n_samples=5 is not the number of samples, 4"),
        (INPUTS, TARGETS, SGD(0.1, 5), "batch_size must not exceed n_samples, got 5 > 4"),
        (INPUTS, TARGETS, SGD(0.1, 1, sampling="shuffle"), "has no effective temperature"),
        (INPUTS, TARGETS, SGD(2.0, 1), r"lr \* lambda_max = 3.125 must be below"),
        (np.ones((4, 2)), TARGETS, SGD(0.1, 1), "smallest eigenvalue of the Hessian"),
    ],
)
def test_what_has_no_answer_is_refused(inputs, targets, sgd, message):
    with pytest.raises(ValueError, match=message):
        theory.exact_sgd_covariance(inputs, targets, sgd)
