import numpy as np
import pytest
from asserts import assert_within

from sgdphys.analysis.time_reversal import check_level, reversal_p_value, reversal_test, reversed_means


def squared(means):
    return (means**2).sum(axis=1)


def test_estimate_is_the_product_of_different_particles():
    """For a quadratic statistic the bias taken away is that of the products of particles with themselves."""
    odd = np.random.default_rng(0).normal(0.3, 1.0, (40, 3))
    test = reversal_test(odd, squared, 0.01, seed=0)
    products = odd @ odd.T
    pairs = (products.sum() - np.trace(products)) / (40 * 39)
    error = test.null_variance**0.5 / 1999**0.5
    assert_within(test.estimate, pairs, error)
    assert_within(test.null_mean, np.trace(products) / 40**2, error)


def test_level_is_kept_and_power_is_there():
    """Without a mean 5 % of the tests reach the level .05, however heavy the tails; with one of 0.8 nearly all."""
    rng = np.random.default_rng(1)
    null = [reversal_test(rng.standard_t(2, (20, 4)), squared, 0.05, seed=k).p_value for k in range(300)]
    assert_within(np.mean(np.array(null) <= 0.05), 0.05, (0.05 * 0.95 / 300) ** 0.5)
    found = [reversal_test(rng.normal(0.8, 1.0, (20, 4)), squared, 0.05, seed=k).p_value for k in range(50)]
    assert np.mean(np.array(found) <= 0.05) > 0.95


def test_eight_particles_resolve_the_default_level():
    test = reversal_test(np.ones((8, 1)), squared, 0.01, seed=0)
    assert test.p_value <= 0.0125
    assert reversal_p_value(1.0, np.zeros(99)) == 0.01


def test_level_is_checked():
    assert check_level(0.05) == 0.05
    for wrong in (0.0, 0.9, np.nan, "x"):
        with pytest.raises(ValueError, match="level must"):
            check_level(wrong)


@pytest.mark.parametrize("level", [0.05, 0.3])
def test_the_quantile_is_that_of_the_level_on_one_side(level):
    odd = np.random.default_rng(2).normal(size=(60, 3))
    test = reversal_test(odd, squared, level, seed=3)
    estimates = 60 / 59 * (squared(reversed_means(odd, 3)) - test.null_mean)
    assert np.mean(estimates > test.null_quantile) == pytest.approx(level, abs=0.001)
    assert test.null_variance == pytest.approx(estimates.var(), rel=1e-9)
