"""Minibatches: the keyed permutation is a bijection and close to uniform, draws are independent, batches add up."""

import itertools
import math

import asserts
import naive
import numpy as np
import pytest
import scipy.stats

from sgdphys.kernels import compile as door
from sgdphys.kernels import sampling
from sgdphys.kernels.blocks import PROGRAM, pack
from sgdphys.kernels.source import fast_math_flags, source_text
from sgdphys.landscapes import LeastSquares

FILL = "'void(uint64, uint64, uint64, uint64, uint64, uint64, int64, uint64, int64[:, ::1])'"
ADD = (
    f"'void({PROGRAM}, float64[:, ::1], uint64, uint64, uint64, uint64, int64, int64, int64, int64, float64, "
    "Tuple((float64[:, ::1], int64[:, ::1])), float64[:, ::1])'"
)
CODES = sampling.SAMPLING_CODES
SEVERAL = 1_200_000


def make_filler(**bindings):
    text = source_text(sampling.fill_indices, bindings)
    flags = fast_math_flags(sampling.fill_indices)
    fill = door.compile_function("fill_indices", FILL, flags, text, lambda: text)

    def filled(n, positions, particles, code="without", *, key=3, particle=0, counter=0, batch=0, offset=0):
        """Return the samples at the first positions after the offset, (position, particle)."""
        out = np.empty((math.ceil(positions / 4), 4, particles), np.int64)
        for quad, block in enumerate(out):
            scalars = [np.uint64(number) for number in (key, particle, counter, batch, quad, n)]
            fill(*scalars, CODES[code], np.uint64(offset), block)
        return out.reshape(-1, particles)[:positions]

    return filled


@pytest.fixture(scope="module")
def filled():
    return make_filler()


def assert_uniform(codes, cells):
    """Chi-square over cells of equal probability; the chance of a failure is that of four standard errors."""
    counts = np.bincount(codes, minlength=cells)
    assert len(counts) == cells
    assert chance(counts) > 6e-5, chance(counts)


def chance(counts):
    expected = counts.sum() / len(counts)
    return scipy.stats.chi2.sf(np.sum((counts - expected) ** 2) / expected, len(counts) - 1)


def order_codes(rows, n):
    """Number the orders: the code of each column of (position, particle), below n!."""
    numbers = np.full(n**n, -1)
    for number, order in enumerate(itertools.permutations(range(n))):
        numbers[np.dot(order, n ** np.arange(n))] = number
    codes = numbers[(rows * (n ** np.arange(n))[:, np.newaxis]).sum(axis=0)]
    assert codes.min() >= 0
    return codes


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("n", [1, 2, 3, 7, 1000, 2**20 + 7, 2**31 - 1, 2**31])
def test_indices_equal_the_naive_ones(filled, code, n):
    positions = min(n, 7)
    for key, particle, counter, batch, offset in ((0, 0, 0, 0, 0), (2**63 + 5, 2**33 + 1, 2**40 + 9, 1, n - positions)):
        rows = filled(n, positions, 3, code, key=key, particle=particle, counter=counter, batch=batch, offset=offset)
        start = 0 if code == "replacement" else offset
        for (position, lane), value in np.ndenumerate(rows):
            place = (key, particle + lane, counter, batch, start + position)
            assert value == naive.sample_index(*place, n, code), (position, lane)


@pytest.mark.parametrize("n", [*range(1, 40), 63, 64, 65, 127, 128, 1000, 1023, 1024, 60_000])
def test_every_order_holds_each_sample_once(filled, n):
    rows = filled(n, n, 5 if n > 2000 else 64, counter=n)
    assert np.array_equal(np.sort(rows, axis=0), np.repeat(np.arange(n)[:, np.newaxis], rows.shape[1], axis=1))


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_all_orders_are_equally_likely(filled, n):
    assert_uniform(order_codes(filled(n, n, SEVERAL, counter=n), n), math.factorial(n))


def test_eight_rounds_would_be_too_few():
    """The test above resolves it: with 8 rounds the orders of 4 are 1.3e-2 from uniform in total variation."""
    few = make_filler(ROUNDS=8)
    counts = np.bincount(order_codes(few(4, 4, SEVERAL), 4))
    expected = counts.mean()
    assert (np.sum((counts - expected) ** 2) / expected - 23) / math.sqrt(2 * 23) > 10


def order_distance(n, rounds):
    """Return the exact total variation from uniform of the orders of n after some rounds with ideal functions."""
    orders = list(itertools.permutations(range(n)))
    number = {order: i for i, order in enumerate(orders)}
    transition = np.zeros((len(orders), len(orders)))
    for pivot in range(n):
        pairs = [(x, (pivot - x) % n) for x in range(n) if x < (pivot - x) % n]
        for coins in itertools.product((False, True), repeat=len(pairs)):
            images = list(range(n))
            for swapped, (x, partner) in zip(coins, pairs, strict=True):
                if swapped:
                    images[x], images[partner] = partner, x
            for order in orders:
                after = tuple(images[x] for x in order)
                transition[number[order], number[after]] += 1 / (n * 2 ** len(pairs))
    state = np.linalg.matrix_power(transition, rounds)[0]
    return 0.5 * np.abs(state - 1 / len(orders)).sum()


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_the_rounds_suffice_exactly(n):
    assert order_distance(n, sampling.ROUNDS) < 1e-6
    assert order_distance(n, 16) > 1e-6


@pytest.mark.parametrize("positions", [(0, 1), (0, 10), (18, 19), (3, 11)])
def test_pairs_of_twenty_are_uniform(filled, positions):
    rows = filled(20, 20, SEVERAL, "shuffle", counter=1)
    first, second = rows[list(positions)]
    assert_uniform(first * 19 + second - (second > first), 20 * 19)


@pytest.mark.parametrize("n", [1000, 1024])
def test_lags_of_a_thousand_are_uniform(filled, n):
    rows = filled(n, 8, 600_000, counter=2)
    for first, second in ((0, 1), (0, 7), (2, 3), (3, 4)):
        assert_uniform((rows[second] - rows[first]) % n - 1, n - 1)
    assert_uniform(rows[5], n)


def test_positions_next_to_each_other_hold_no_neighbours(filled):
    """A uniform order of n has on average 2 (n - 1) / n places where a sample and its neighbour are adjacent."""
    n, particles = 200, 20_000
    rows = filled(n, n, particles, counter=5)
    adjacent = np.sum(np.abs(np.diff(rows, axis=0)) == 1, axis=0)
    asserts.assert_within(adjacent.mean(), 2 * (n - 1) / n, adjacent.std() / math.sqrt(particles))


@pytest.mark.parametrize(
    "other",
    [{"counter": 8}, {"particle": 1}, {"batch": 1}, {"key": 4}, {"counter": 7 + 2**32}, {"code": "replacement"}],
)
@pytest.mark.parametrize("n", [3, 20])
def test_orders_of_different_places_are_independent(filled, n, other):
    """Consecutive epochs or steps, neighbouring particles, the two batches of a step, other seeds."""
    place = {"counter": 7, "particle": 0, "batch": 0, "key": 3, "code": "without"}
    particles = 600_000
    first, second = filled(n, 2, particles, **place), filled(n, 2, particles, **(place | other))
    for i, j in itertools.product(range(2), repeat=2):
        assert_uniform(first[i] * n + second[j], n * n)


def test_draws_with_replacement_are_uniform_and_independent(filled):
    rows = filled(10, 8, SEVERAL, "replacement")
    for first, second in itertools.combinations(range(8), 2):
        assert_uniform(rows[first] * 10 + rows[second], 100)


def test_neither_block_nor_lane_nor_neighbour_matters(filled):
    for code in CODES:
        wide = filled(1000, 8, 256, code, particle=100)
        for first, lanes in ((0, 64), (37, 1), (200, 56)):
            assert np.array_equal(filled(1000, 8, lanes, code, particle=100 + first), wide[:, first : first + lanes])


def test_an_epoch_is_read_in_batches(filled):
    """Batches at offsets 0, 6, 12, ... of one epoch are its order, cut in pieces."""
    whole = filled(21, 21, 10, "shuffle", counter=3)
    pieces = [filled(21, 6, 10, "shuffle", counter=3, offset=offset) for offset in (0, 6, 12)]
    assert np.array_equal(np.concatenate(pieces), whole[:18])


@pytest.mark.parametrize(("code", "factor"), [("replacement", 1.0), ("without", 12 / 19), ("shuffle", 12 / 19)])
def test_the_mean_of_a_batch_has_the_stated_variance(filled, code, factor):
    """Variance of the mean of B = 8 of the numbers 0..19: (N^2 - 1)/12 / B, times (N - B)/(N - 1) if distinct."""
    means = filled(20, 8, 400_000, code).mean(axis=0)
    exact = (20**2 - 1) / 12 / 8
    error = np.std((means - 9.5) ** 2) / math.sqrt(len(means))
    asserts.assert_within(np.mean((means - 9.5) ** 2), exact * factor, error)
    asserts.assert_excluded(np.mean((means - 9.5) ** 2), exact * (1.0 if factor < 1 else 12 / 19), error)


def test_positions_beyond_the_data_are_in_range(filled):
    for n in (1, 2, 5):
        assert filled(n, 8, 100).max() == n - 1


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("batch_size", [1, 3, 4, 9])
def test_batch_gradients_are_the_mean_over_the_batch(compiled, filled, code, batch_size):
    generator = np.random.default_rng(0)
    landscape = LeastSquares(generator.normal(size=(30, 5)), generator.normal(size=30))
    lanes, scale = 48, -0.3
    x, out = generator.normal(size=(5, lanes)), generator.normal(size=(5, lanes))
    scratch = (np.full((landscape.sample_work_rows() + 1, lanes), np.nan), np.empty((4, lanes), np.int64))
    place = [np.uint64(number) for number in (3, 40, 6, 1)]
    before = out.copy()
    program = tuple(pack([landscape.sample_term()]))
    compiled(sampling.add_batch_gradient, ADD)(program, x, *place, batch_size, 30, CODES[code], 5, scale, scratch, out)
    rows = filled(30, batch_size, lanes, code, particle=40, counter=6, batch=1, offset=5)
    gradients = landscape.sample_gradients(np.ascontiguousarray(x.T))
    expected = before.T + scale * np.array([gradients[lane, rows[:, lane]].mean(axis=0) for lane in range(lanes)])
    np.testing.assert_allclose(out.T, expected, rtol=0, atol=1e-14)
