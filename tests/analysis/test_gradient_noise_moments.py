import itertools

import numpy as np
import pytest
from asserts import assert_excluded, assert_within

from sgdphys.analysis import noise_moments
from sgdphys.analysis.gradient_noise_moments import gram_moments, jackknife_covariance, variance_of_squared_mean

NAMES = ("squared_mean_gradient", "noise_trace", "noise_trace_of_square")
ONE_LINE = np.array([-1.0, -2.0, 0.0, -1.0])[:, None]  # gradients of x = (1, 2, -1, .5), y = (1, 1, 0, 2) at 0


def gradients(n, dim, seed=0):
    """Skewed gradients with unequal variances and a mean."""
    rng = np.random.default_rng(seed)
    return rng.exponential(size=(n, dim)) * np.linspace(1.0, 0.2, dim) - 0.3


def exact(population):
    covariance = np.cov(population.T, bias=True).reshape(population.shape[1], -1)
    return [np.sum(population.mean(axis=0) ** 2), np.trace(covariance), np.trace(covariance @ covariance)]


def averages(draws):
    found = [[float(row[name]) for name in NAMES] for row in draws]
    return np.mean(found, axis=0)


@pytest.mark.parametrize(("size", "dim"), [(4, 2), (5, 3), (6, 3)])
def test_the_mean_over_all_subsets_of_a_data_set_is_its_value(size, dim):
    population = gradients(7, dim)
    subsets = [population[list(rows)] for rows in itertools.combinations(range(7), size)]
    np.testing.assert_allclose(
        averages(noise_moments(g @ g.T, n_population=7) for g in subsets), exact(population), rtol=1e-12
    )
    as_draws = averages(noise_moments(g @ g.T) for g in subsets)  # wrong: the mean is high for a data set
    assert as_draws[1] == pytest.approx(exact(population)[1] * 7 / 6, rel=1e-12)


@pytest.mark.parametrize("population", [ONE_LINE, gradients(4, 2)])
def test_the_mean_over_all_ordered_draws_is_that_of_the_distribution(population):
    draws = (population[list(rows)] for rows in itertools.product(range(4), repeat=4))
    mean = averages(noise_moments(g @ g.T) for g in draws)
    np.testing.assert_allclose(mean, exact(population), rtol=1e-12)
    if population is ONE_LINE:
        np.testing.assert_allclose(mean, [1.0, 0.5, 0.25], rtol=1e-12)


def test_a_whole_data_set_has_no_errors():
    population = gradients(9, 4)
    found = noise_moments(population @ population.T, n_population=9)
    np.testing.assert_allclose([float(found[name]) for name in NAMES], exact(population), rtol=1e-12)
    assert all(float(found[f"{name}_standard_error"]) == 0 for name in (*NAMES, "participation_ratio"))
    eigenvalues = np.linalg.eigvalsh(np.cov(population.T, bias=True))
    assert float(found["participation_ratio"]) == pytest.approx(eigenvalues.sum() ** 2 / np.sum(eigenvalues**2))
    assert float(found["participation_ratio_bias"]) == 0


def test_two_batch_sizes_on_the_same_samples_are_the_same_estimator():
    # |G|^2 = (n |g_n|^2 - |g_1|^2)/(n - 1) and tr C = (|g_1|^2 - |g_n|^2)/(1 - 1/n), with |g_1|^2 averaged
    g = gradients(12, 5)
    small, big, n = np.mean(np.sum(g**2, axis=1)), np.sum(g.mean(axis=0) ** 2), 12
    found = noise_moments(g @ g.T)
    assert float(found["squared_mean_gradient"]) == pytest.approx((n * big - small) / (n - 1))
    assert float(found["noise_trace"]) == pytest.approx((small - big) / (1 - 1 / n))


@pytest.mark.parametrize("population", [None, 20])
def test_samples_are_left_out_as_if_they_had_never_been_there(population):
    g = gradients(6, 4)
    _, left_out = gram_moments(g @ g.T, population)
    for i in range(6):
        rest = np.delete(g, i, axis=0)
        alone, _ = gram_moments(rest @ rest.T, population)
        for name, value in vars(alone).items():
            assert getattr(left_out, name)[i] == pytest.approx(value, rel=1e-10), name


def test_the_variance_of_the_squared_mean_has_no_bias():
    # all 3^6 ordered draws of 6 from 3 samples far from 0, where neither part of the variance is cut at 0
    population = gradients(3, 2) + 5
    draws = [population[list(rows)] for rows in itertools.product(range(3), repeat=6)]
    values = [float(noise_moments(g @ g.T)["squared_mean_gradient"]) for g in draws]
    assert np.mean([variance_of_squared_mean(g @ g.T, None) for g in draws]) == pytest.approx(np.var(values), rel=0.01)


def test_without_a_mean_the_variance_is_that_of_pairs():
    rng = np.random.default_rng(3)
    n, dim, repeats = 50, 400, 300
    found = [variance_of_squared_mean(g @ g.T, None) for g in (rng.normal(size=(n, dim)) for _ in range(repeats))]
    assert np.mean(found) == pytest.approx(2 * dim / (n * (n - 1)), rel=0.25)  # high by what is cut at 0


def test_the_jackknife_of_a_mean_is_its_variance():
    values = gradients(9, 1)[:, 0]
    left_out = (values.sum() - values) / 8
    assert jackknife_covariance(left_out, 3 * left_out, 0.5) == pytest.approx(1.5 * values.var(ddof=1) / 9)


def test_the_bias_of_the_participation_ratio_is_known():
    rng = np.random.default_rng(4)
    spectrum, repeats, rows = np.r_[30.0, np.ones(30)], 400, []
    for _ in range(repeats):
        g = rng.normal(size=(40, 31)) * np.sqrt(spectrum)
        found = noise_moments(g @ g.T)
        rows.append([float(found["participation_ratio"]), float(found["participation_ratio_bias"])])
    ratio, bias = np.transpose(rows)
    truth = spectrum.sum() ** 2 / np.sum(spectrum**2)
    assert ratio.mean() - truth > 5 * ratio.std() / repeats**0.5  # high by .44
    assert_within(np.mean(ratio - bias), truth, np.std(ratio - bias) / repeats**0.5)


@pytest.mark.parametrize("population", [None, 60])
def test_errors_are_those_of_repeated_draws(population):
    rng = np.random.default_rng(1)
    dim, n, repeats = 6, 40, 400
    everything = gradients(60, dim)
    rows, errors = [], []
    for _ in range(repeats):
        g = everything[rng.permutation(60)[:n]] if population else rng.exponential(size=(n, dim)) - 0.3
        found = noise_moments(g @ g.T, n_population=population)
        rows.append([float(found[name]) for name in NAMES])
        errors.append([float(found[f"{name}_standard_error"]) for name in NAMES])
    ratio = np.sqrt(np.mean(np.square(errors), axis=0)) / np.std(rows, axis=0)
    assert np.all(np.abs(ratio - 1) < 0.2), ratio  # a spread of 400 values has 4 percent; the jackknife is high


def test_plain_moments_are_wrong():
    rng = np.random.default_rng(2)
    dim, n, repeats = 30, 12, 500
    truth = [dim * 0.01, dim, dim]
    rows, naive = [], []
    for _ in range(repeats):
        g = rng.normal(size=(n, dim)) + 0.1
        found = noise_moments(g @ g.T)
        rows.append([float(found[name]) for name in NAMES])
        naive.append(exact(g))
    assert_within(np.mean(rows, axis=0), truth, np.std(rows, axis=0) / repeats**0.5)
    for column in range(3):  # |mean g|^2, the 1/n trace, the square of the empirical covariance
        assert_excluded(np.mean(naive, axis=0)[column], truth[column], np.std(naive, axis=0)[column] / repeats**0.5)


@pytest.mark.parametrize(
    ("gram", "n_population", "says"),
    [
        (np.ones((4, 5)), None, "square matrix"),
        (np.eye(3), None, "at least 4 samples"),
        (np.diag([1.0, 1.0, 1.0, np.nan]), None, "NaN or infinity"),
        (np.triu(np.ones((4, 4))), None, "symmetric"),
        (-np.eye(4), None, "negative entry"),
        (np.eye(4), 3, "at least the number of samples 4, got 3"),
        (np.eye(4), 4.5, "positive integer"),
        ([["a"]], None, "real numbers"),
    ],
)
def test_refusals(gram, n_population, says):
    with pytest.raises(ValueError, match=says):
        noise_moments(gram, n_population)
