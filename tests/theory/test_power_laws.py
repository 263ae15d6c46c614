import numpy as np
import pytest
from asserts import assert_excluded, assert_within

from sgdphys import SGD, theory


@pytest.mark.parametrize(
    ("lr", "exponents"),
    [
        (1.0, [1.0908, 2.0, 3.5047, 6.2023]),
        (0.5, [2.904, 5.379, 9.978, 18.88]),
        (0.2, [8.303, 15.85, 30.56, 59.73]),
        (0.1, [17.28, 33.55, 65.72]),
    ],
)
def test_kesten_exponents(lr, exponents):
    result = [theory.kesten_exponent(1.0, SGD(lr, size)).item() for size in (1, 2, 4, 8)[: len(exponents)]]
    np.testing.assert_allclose(result, exponents, rtol=3e-4)
    scaled = theory.kesten_exponent(4.0, SGD(lr / 4, 1)).item()
    assert scaled == pytest.approx(result[0], rel=1e-9)


@pytest.mark.parametrize("batch_size", [1, 2, 4, 8, 32])
def test_the_exponent_is_two_where_the_variance_becomes_infinite(batch_size):
    limit = 2 / (1 + 2 / batch_size)
    assert theory.kesten_exponent(1.0, SGD(limit, batch_size)).item() == pytest.approx(2, rel=1e-9)


def test_products_of_random_factors_have_mean_one_at_the_exponent():
    # <|1 - c|^a> with c chi-squared of 8 degrees over 8 and half the exponent, by sampling: the mean is below one
    exponent = theory.kesten_exponent(1.0, SGD(1.0, 4)).item()
    c = np.random.default_rng(0).chisquare(4, size=2_000_000) / 4
    for a, excluded in ((exponent, None), (exponent - 1, 1.0)):
        powers = np.abs(1 - c) ** a
        error = powers.std() / len(c) ** 0.5
        if excluded is None:
            assert_within(powers.mean(), 1.0, error)
        else:
            assert_excluded(powers.mean(), excluded, error)


@pytest.mark.parametrize(("lr", "mori"), [(1.0, [3, 5, 9, 17]), (0.5, [5, 9, 17, 33]), (0.2, [11, 21, 41, 81])])
def test_three_exponents_of_one_problem(lr, mori):
    for size, expected in zip((1, 2, 4, 8), mori, strict=True):
        result = theory.tail_exponents(1.0, SGD(lr, size))
        assert result["mori_sde_exponent"].item() == pytest.approx(expected)
        assert result["gaussian_sde_exponent"].item() == pytest.approx((expected + 1) / 2)
        assert result["loss_exponent"].item() == pytest.approx(1 + size / lr)
        assert result["kesten_exponent"].item() == theory.kesten_exponent(1.0, SGD(lr, size)).item()


def test_the_moment_of_noise_proportional_to_the_loss():
    sgd = SGD(0.2, 2)
    assert theory.mori_second_moment(1.5, 0.3, sgd).item() == pytest.approx(0.2 * 0.3 / 2 / (1 - 0.2 * 1.5 / 4))
    # its Euler chain: n = 100,000, factor 2 in the noise and the moment of the equation are excluded
    rng, x = np.random.default_rng(1), np.zeros(100_000)
    for _ in range(60):
        covariance = 2 * 1.5 * (0.3 + 1.5 * x**2 / 2) / 2
        x = x - 0.2 * (1.5 * x + np.sqrt(covariance) * rng.normal(size=x.shape))
    error = (x**2).std() / len(x) ** 0.5
    assert_within(np.mean(x**2), theory.mori_second_moment(1.5, 0.3, sgd, "discrete").item(), error)
    assert_excluded(np.mean(x**2), theory.mori_second_moment(1.5, 0.3, sgd).item(), error)


@pytest.mark.parametrize(
    ("curvature", "sgd", "message"),
    [
        (-1.0, SGD(0.1, 1), "curvature must be positive"),
        (1.0, SGD(0.1, 1, momentum=0.5), "without momentum and weight decay"),
        (1.0, SGD(0.1, 1, weight_decay=0.5), "without momentum and weight decay"),
        (1.0, SGD(0.1, 1, sampling="shuffle"), "sampling with replacement"),
        (1.0, SGD(5.0, 8), "lr . curvature = 5 has no stationary state"),
        (1.0, SGD(0.001, 100), "above 10000"),
    ],
)
def test_tails_without_an_exponent_are_refused(curvature, sgd, message):
    with pytest.raises(ValueError, match=message):
        theory.kesten_exponent(curvature, sgd)


def test_moments_that_are_infinite_are_refused():
    with pytest.raises(ValueError, match=r"infinite at lr \* curvature = 2"):
        theory.mori_second_moment(1.0, 1.0, SGD(2.0, 1))
    with pytest.raises(ValueError, match=r"infinite at lr \* curvature = 1"):
        theory.mori_second_moment(1.0, 1.0, SGD(1.0, 1), "discrete")
    with pytest.raises(ValueError, match="mode must be 'sde' or 'discrete', got 'ito'"):
        theory.mori_second_moment(1.0, 1.0, SGD(0.1, 1), "ito")
