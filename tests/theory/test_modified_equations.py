import numpy as np
import pytest
from asserts import assert_excluded, assert_within

from sgdphys import SGD, theory

LRS = np.array([0.1, 0.05, 0.025, 0.0125])


def errors(equation, moment):
    """Return the errors at time 1 of (x - g)^2 with g = -1 or 1, from x = 1: h = 2, noise variance 4."""
    found = []
    for lr in LRS:
        map_, other = (
            theory.moments_in_time([[2.0]], [[4.0]], SGD(lr, 1), [round(1 / lr)], start=1.0, equation=name)
            for name in ("sgd", equation)
        )
        found.append(moment(other) - moment(map_))
    return np.array(found)


def mean(moments):
    return moments["mean"].item()


def square(moments):
    return moments["mean"].item() ** 2 + moments["covariance"].item()


@pytest.mark.parametrize(
    ("equation", "expected", "orders"),
    [
        ("first order", [0.02796, 0.01376, 0.006823, 0.003397], [1.02, 1.01, 1.006]),
        ("second order", [0.003429, 0.0008798, 0.0002228, 0.00005604], [1.96, 1.98, 1.99]),
    ],
)
def test_weak_errors_of_the_mean(equation, expected, orders):
    result = np.abs(errors(equation, mean))
    np.testing.assert_allclose(result, expected, rtol=3e-4)
    np.testing.assert_allclose(np.log2(result[:-1] / result[1:]), orders, atol=0.006)


def test_the_error_of_the_second_moment_changes_sign_at_first_order():
    np.testing.assert_allclose(errors("first order", square)[:3], [-0.00488, 0.00077, 0.00112], atol=5.1e-6)


def test_closed_forms_of_the_three():
    lr, k = 0.1, 10
    a = 2 * (1 + lr)
    expected = {
        "sgd": ((1 - 2 * lr) ** k, 4 * lr**2 * (1 - (1 - 2 * lr) ** (2 * k)) / (1 - (1 - 2 * lr) ** 2)),
        "first order": (np.exp(-2), lr * (1 - np.exp(-4))),
        "second order": (np.exp(-a), 2 * lr / a * (1 - np.exp(-2 * a))),
    }
    for equation, (position, variance) in expected.items():
        moments = theory.moments_in_time([[2.0]], [[4.0]], SGD(lr, 1), [k], start=1.0, equation=equation)
        assert moments["mean"].item() == pytest.approx(position, rel=1e-12)
        assert moments["covariance"].item() == pytest.approx(variance, rel=1e-12)
        assert moments["moment_time"].item() == pytest.approx(1.0)


def test_in_the_stationary_state_the_second_order_is_worse():
    stationary = [
        theory.moments_in_time([[2.0]], [[4.0]], SGD(0.1, 1), [1000], start=1.0, equation=equation)["covariance"].item()
        for equation in ("sgd", "first order", "second order")
    ]
    np.testing.assert_allclose(stationary, [1 / 9, 0.1, 1 / 11], rtol=1e-12)


@pytest.mark.parametrize("form", [{}, {"momentum": 0.7}, {"momentum": 0.7, "nesterov": True}])
def test_the_map_itself_has_these_moments(form):
    H, C = np.array([[1.0, 0.3], [0.3, 2.0]]), np.array([[1.0, -0.4], [-0.4, 0.5]])
    sgd, rng = SGD(0.2, 2, **form), np.random.default_rng(5)
    root = np.linalg.cholesky(C / 2)
    x, v = np.tile([1.0, -2.0], (20_000, 1)), 0.0
    for _ in range(6):
        g = x @ H + rng.normal(size=x.shape) @ root.T
        v = sgd.momentum * v + g
        x = x - 0.2 * (g + sgd.momentum * v if sgd.nesterov else v)
    result = theory.moments_in_time(H, C, sgd, [0, 6], start=[1.0, -2.0])
    np.testing.assert_allclose(result["mean"][0], [1.0, -2.0])
    np.testing.assert_allclose(result["covariance"][0], 0, atol=1e-12)
    assert_within(x.mean(axis=0), result["mean"][1], x.std(axis=0) / len(x) ** 0.5)
    away = x - result["mean"].values[1]
    products = away[:, :, None] * away[:, None, :]
    error = products.std(axis=0) / len(x) ** 0.5
    assert_within(products.mean(axis=0), result["covariance"][1], error)
    assert_excluded(np.diag(products.mean(axis=0)), 2 * np.diag(result["covariance"][1]), np.diag(error))
    wrong = theory.moments_in_time(H, C, sgd, [6], start=[1.0, -2.0], equation="first order")["mean"].values[0]
    assert_excluded(x.mean(axis=0), wrong, x.std(axis=0) / len(x) ** 0.5)


def test_the_first_order_equation_takes_momentum_at_its_effective_rate():
    sgd = SGD(0.1, 2, momentum=0.5)
    result = theory.moments_in_time([[2.0]], [[4.0]], sgd, [3], start=1.0, equation="first order")
    assert result["mean"].item() == pytest.approx(np.exp(-2 * 0.2 * 3))
    assert result["covariance"].item() == pytest.approx(sgd.effective_temperature * 2 * (1 - np.exp(-2 * 2 * 0.2 * 3)))


@pytest.mark.parametrize(("refinement", "variance"), [(1, 0.25), (2, 0.22222), (8, 0.205128), (10**6, 0.2)])
def test_svag_goes_from_sgd_to_the_equation(refinement, variance):
    result = theory.svag_covariance([[2.0]], [[4.0]], SGD(0.2, 1), refinement)["stationary_covariance"].item()
    assert result == pytest.approx(variance, rel=2e-5)


def test_svag_itself_has_this_variance():
    # Rademacher noise, l = 2; weights (1 +- sqrt l) / 2 would give the variance (1 + l) / 2 of the gradient, not l
    rng, x = np.random.default_rng(6), np.zeros(40_000)
    weights = (1 + np.array([1, -1]) * 3**0.5) / 2
    for _ in range(60):
        x = x - 0.1 * (2 * x + (2 * rng.choice([-1.0, 1.0], size=(len(x), 2))) @ weights)
    error = (x**2).std() / len(x) ** 0.5
    assert_within(np.mean(x**2), 0.22222, error)
    assert_excluded(np.mean(x**2), 0.22222 * 1.5 / 2, error)


@pytest.mark.parametrize(
    ("sgd", "arguments", "message"),
    [
        (SGD(0.1, 1), {"equation": "third order"}, "equation must be one of sgd, first order, second order"),
        (SGD(0.1, 1, momentum=0.5), {"equation": "second order"}, "knows no momentum, got 0.5"),
        (SGD(0.1, 1), {"steps": [1.5]}, "a number of steps must be an integer, not negative, got 1.5"),
        (SGD(3.0, 1), {}, r"lr \* lambda_max = 3 must be below"),
        (SGD(0.1, 1, sampling="shuffle"), {}, "has no effective temperature"),
    ],
)
def test_what_has_no_moments_is_refused(sgd, arguments, message):
    with pytest.raises(ValueError, match=message):
        theory.moments_in_time([[1.0]], [[1.0]], sgd, **({"steps": [1], "start": 0.0} | arguments))


def test_svag_refuses_momentum_and_fractions():
    with pytest.raises(ValueError, match=r"SVAG is known without momentum, got momentum=0.5"):
        theory.svag_covariance([[1.0]], [[1.0]], SGD(0.1, 1, momentum=0.5), 2)
    with pytest.raises(ValueError, match=r"refinement must be a positive integer, got 1.5"):
        theory.svag_covariance([[1.0]], [[1.0]], SGD(0.1, 1), 1.5)
