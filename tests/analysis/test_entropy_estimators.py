import math

import numpy as np
import pytest
from asserts import assert_within
from scipy.special import digamma

from sgdphys.analysis.entropy_estimators import (
    EntropyEstimate,
    gaussian_entropy,
    histogram_entropy,
    nearest_neighbour_entropy,
    occupied_cells,
)
from sgdphys.fokker_planck import Grid


def gaussian_truth(dim, log_determinant=0.0):
    return 0.5 * (dim * math.log(2 * math.pi * math.e) + log_determinant)


def repeated(estimator, draw, repeats, seed=0):
    rng = np.random.default_rng(seed)
    estimates = [estimator(draw(rng)) for _ in range(repeats)]
    return np.array([e.value for e in estimates]), np.array([e.standard_error() for e in estimates])


def test_gaussian_entropy_is_unbiased_for_few_samples():
    # k = 20, n = 200: without the Wishart correction the estimate is .55 nats low
    scales = np.linspace(0.5, 2, 20)
    values, errors = repeated(gaussian_entropy, lambda rng: rng.normal(size=(200, 20)) * scales, 400)
    exact = gaussian_truth(20, 2 * np.log(scales).sum())
    assert_within(values.mean(), exact, values.std() / 20)
    assert errors.mean() == pytest.approx(values.std(), rel=0.15)  # 4 standard errors of a spread of 400
    plug_in_bias = (np.log(2 / 199) + digamma((200 - np.arange(1, 21)) / 2)).sum() / 2
    assert plug_in_bias == pytest.approx(-0.55, abs=0.01)
    assert abs(plug_in_bias) > 40 * values.std() / 20


def test_the_gaussian_standard_error_is_exact_for_few_points():
    # 16 points in 8 coordinates: the Mahalanobis distances are bounded, and unscaled their spread gives half the error
    values, errors = repeated(gaussian_entropy, lambda rng: rng.normal(size=(16, 8)), 1000)
    assert np.sqrt((errors**2).mean()) == pytest.approx(values.std(), rel=0.1)  # a spread of 1000 is known to 2.2 %
    centred = np.random.default_rng(1).normal(size=(16, 8))
    centred -= centred.mean(axis=0)
    distances = np.sum(centred @ np.linalg.inv(centred.T @ centred / 15) * centred, axis=1)
    assert gaussian_entropy(centred).standard_error() > 1.7 * 0.5 * distances.std() / 4


def test_neighbouring_distances_are_not_independent():
    # uniform points: only the excess makes .62 of trigamma(3) = .395, without it the error is 20 % too small
    values, errors = repeated(nearest_neighbour_entropy, lambda rng: rng.random((400, 1)), 1200)
    assert errors.mean() == pytest.approx(values.std(), rel=0.08)  # a spread of 1200 is known to 2 %
    assert math.sqrt(0.395 / 0.62) < 1 - 2 * 0.08


def test_gaussian_standard_error_knows_heavy_tails():
    # Student t with 9 degrees of freedom: the variance of a variance is 1.6 times the Gaussian's
    values, errors = repeated(gaussian_entropy, lambda rng: rng.standard_t(9, size=(1000, 1)), 400)
    assert np.sqrt((errors**2).mean()) == pytest.approx(values.std(), rel=0.2)
    assert values.std() > 1.1 * math.sqrt(0.5 / 1000)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_nearest_neighbours_have_their_standard_error(dim):
    values, errors = repeated(nearest_neighbour_entropy, lambda rng: rng.normal(size=(1000, dim)), 300)
    assert errors.mean() == pytest.approx(values.std(), rel=0.17)
    bias = {1: 0.0, 2: -0.019, 3: -0.040}[dim]  # measured; vanishes with n
    assert_within(values.mean(), gaussian_truth(dim) + bias, values.std() / math.sqrt(300))


def test_nearest_neighbours_see_two_wells_where_the_gaussian_sees_one():
    rng = np.random.default_rng(3)
    points = rng.normal(size=(20_000, 1)) * 0.1 + rng.choice([-1.0, 1.0], size=(20_000, 1))
    exact = gaussian_truth(1, 2 * math.log(0.1)) + math.log(2)
    estimate = nearest_neighbour_entropy(points)
    assert_within(estimate.value, exact, estimate.standard_error())
    assert gaussian_entropy(points).value > exact + 1


def test_histogram_entropy_removes_the_bias_of_counts():
    grid = Grid([(0, 1, 100)])
    values, _ = repeated(lambda p: histogram_entropy(p, grid), lambda rng: rng.random((2000, 1)), 500)
    next_order = -(100**2) / (12 * 2000**2)
    assert_within(values.mean(), next_order, values.std() / math.sqrt(500))
    assert values.std() / math.sqrt(500) < 99 / 4000 / 100  # what the plug-in estimate is low by


def test_histogram_entropy_of_a_gaussian():
    grid = Grid([(-6, 6, 60)])
    values, errors = repeated(lambda p: histogram_entropy(p, grid), lambda rng: rng.normal(size=(5000, 1)), 300)
    exact = gaussian_truth(1) + 0.2**2 / 24  # spacing^2/24 times the Fisher information 1
    assert_within(values.mean(), exact, values.std() / math.sqrt(300))
    assert errors.mean() == pytest.approx(values.std(), rel=0.17)


@pytest.mark.parametrize(("count", "dim"), [(100, 1), (1000, 2)])
def test_histogram_standard_error_counts_nearly_empty_cells(count, dim):
    # with -ln p of each cell as contribution it is 11 and 15 % too small
    width = 3.5 * count ** (-1 / (dim + 2))
    cells = math.ceil(12 / width)
    grid = Grid([(-6, -6 + cells * width, cells)] * dim)
    values, errors = repeated(lambda p: histogram_entropy(p, grid), lambda rng: rng.normal(size=(count, dim)), 1000)
    assert errors.mean() == pytest.approx(values.std(), rel=0.08)


def test_histogram_contributions_are_those_of_the_jackknife():
    points, grid = np.random.default_rng(0).normal(size=(30, 1)), Grid([(-4, 4, 20)])
    whole = histogram_entropy(points, grid)
    parts = [histogram_entropy(np.delete(points, i, axis=0), grid).value for i in range(30)]
    pseudo = 30 * whole.value - 29 * np.array(parts)
    np.testing.assert_allclose(whole.contributions - whole.contributions.mean(), pseudo - pseudo.mean(), atol=1e-10)


def test_entropies_follow_a_linear_map():
    rng = np.random.default_rng(1)
    points, matrix = rng.normal(size=(500, 3)), np.array([[2.0, 0, 0], [1.0, 0.5, 0], [0.0, 0.3, 3.0]])
    shift = math.log(abs(np.linalg.det(matrix)))
    before, after = gaussian_entropy(points), gaussian_entropy(points @ matrix.T + 7)
    assert after.value == pytest.approx(before.value + shift, abs=1e-10)
    assert after.standard_error() == pytest.approx(before.standard_error(), rel=1e-9)
    scaled = nearest_neighbour_entropy(5 * points)
    assert scaled.value == pytest.approx(nearest_neighbour_entropy(points).value + 3 * math.log(5), abs=1e-10)


def test_coinciding_points_have_minus_infinite_entropy():
    for estimator in (gaussian_entropy, nearest_neighbour_entropy):
        estimate = estimator(np.full((50, 2), 0.3))
        assert estimate.value == -math.inf
        assert estimate.standard_error() == 0


def test_ties_count_as_the_resolution_of_the_numbers():
    points = np.random.default_rng(0).normal(size=(5000, 1))
    coarse = np.round(points, 3)
    assert len(np.unique(coarse)) < 0.7 * len(points)
    assert nearest_neighbour_entropy(coarse).value == -math.inf
    resolved = nearest_neighbour_entropy(points).value
    assert nearest_neighbour_entropy(coarse, 1e-3).value == pytest.approx(resolved, abs=0.4)


def test_a_cloud_with_atoms_has_minus_infinite_entropy():
    rng = np.random.default_rng(7)
    three = np.repeat(rng.normal(size=(3, 2)), 1000, axis=0)
    half = np.concatenate([rng.normal(size=(3000, 2)), np.zeros((3000, 2))])
    line = np.stack([rng.normal(size=3000), np.full(3000, 0.5)], axis=1)
    for points in (three, half, line):
        assert nearest_neighbour_entropy(points, 1e-16).value == -math.inf


def test_a_few_ties_count_as_the_resolution():
    points = np.random.default_rng(8).normal(size=(20_000, 1))
    free = nearest_neighbour_entropy(points).value
    points[:100] = 0.3  # one in two hundred
    cost = 0.005 * (math.log(1e-16) - np.log(3 / (2 * 20_000 * 0.38)))
    assert nearest_neighbour_entropy(points, 1e-16).value == pytest.approx(free + cost, abs=0.02)


def test_ties_of_single_precision_are_no_atoms():
    points = np.random.default_rng(9).normal(size=(200_000, 1)).astype(np.float16).astype(np.float64)
    assert nearest_neighbour_entropy(points, 2.0**-9).value > 0


def test_covariance_of_energy_and_entropy_enters_the_error():
    contributions = np.array([0.0, 1.0, 2.0, 3.0])
    estimate = EntropyEstimate(1.0, contributions)
    assert estimate.standard_error(2 * contributions, 2.0) == 0  # E - T H does not move when both move together
    assert estimate.standard_error(-2 * contributions, 2.0) == pytest.approx(4 * estimate.standard_error())


def test_walls_belong_to_the_grid():
    grid = Grid([(0, 1, 4), (0, 2, 2)])
    points = np.array([[0.0, 0.0], [1.0, 2.0], [0.3, 1.5], [1.1, 0.5], [0.5, -0.1]])
    np.testing.assert_array_equal(occupied_cells(points, grid), [0, 7, 3, -1, -1])


@pytest.mark.parametrize(
    ("estimator", "points", "message"),
    [
        (gaussian_entropy, np.zeros((4, 3)), "needs 5 finite particles, got 4"),
        (nearest_neighbour_entropy, np.zeros((3, 1)), "needs 4 finite particles or more, got 3"),
        (lambda p: histogram_entropy(p, Grid([(0, 1, 5)])), np.array([[0.5], [2.0]]), "1 of 2 particles lie outside"),
        (lambda p: histogram_entropy(p, Grid([(0, 1, 5)])), np.zeros((0, 1)), "0 of 0 particles"),
        (lambda p: histogram_entropy(p, Grid([(0, 1, 5)])), np.zeros((9, 2)), "1 axes, the cloud 2 coordinates"),
        (lambda p: histogram_entropy(p, Grid([(0, 1, 5)] * 2)), np.zeros((9, 1)), "2 axes, the cloud 1 coordinates"),
    ],
)
def test_too_few_points_are_refused(estimator, points, message):
    with pytest.raises(ValueError, match=message):
        estimator(points)
