"""A hundred million normals against the Gaussian, and single ones against the formula."""

import math

import naive
import numpy as np
import pytest
from asserts import assert_excluded, assert_within
from scipy import special, stats

from sgdphys.kernels.normals import fill_normals, normals_from_words

KEY, STREAM, CHANNELS, WIDTH = 0x1234567890ABCDEF, 1, 2, 2048
QUADS = -(-(10**8) // (4 * CHANNELS * WIDTH))
COUNT = 4 * CHANNELS * WIDTH * QUADS
EDGES = np.linspace(-8.0, 8.0, 257)
FILL = "'void(uint64, uint64, uint64, uint64, int64, uint32[:, ::1], float32[:, :, ::1])'"
CENSUS = "'void(uint64, int64, uint32[:, ::1], float32[:, :, ::1], float64[::1], float64[::1], int64[::1], int64[::1])'"


def census(key, quads, words, out, powers, products, bins, tails):
    """Sum powers 1 to 6, products of partners, and counts over the normals of ``quads`` groups of four steps."""
    for quad in range(quads):
        fill_normals(key, np.uint64(0), np.uint64(quad), np.uint64(1), 2, words, out)
        for k in range(4):
            for channel in range(2):
                add_powers(out[k, channel], powers, tails)
                for lane in range(out.shape[2]):
                    bins[np.int64(16.0 * (np.float64(out[k, channel, lane]) + 8.0))] += 1
                add_products(out[k, channel, 1:], out[k, channel, :-1], products[0:2])
                add_products(out[k, channel], out[(k + 1) & 3, channel], products[2:4])
            add_products(out[k, 0], out[k, 1], products[4:6])


def add_powers(x, powers, tails):
    """Add the sums of x to x^6, and the counts beyond 4, 5 and 5.5."""
    p1 = p2 = p3 = p4 = p5 = p6 = 0.0
    t0 = t1 = t2 = 0
    for lane in range(len(x)):
        value = np.float64(x[lane])
        square = value * value
        p1 += value
        p2 += square
        p3 += square * value
        p4 += square * square
        p5 += square * square * value
        p6 += square * square * square
        t0 += 1 if square > 16.0 else 0
        t1 += 1 if square > 25.0 else 0
        t2 += 1 if square > 30.25 else 0
    powers[0] += p1
    powers[1] += p2
    powers[2] += p3
    powers[3] += p4
    powers[4] += p5
    powers[5] += p6
    tails[0] += t0
    tails[1] += t1
    tails[2] += t2


def add_products(x, y, products):
    """Add the sums of x y and of (x^2 - 1)(y^2 - 1)."""
    first = second = 0.0
    for lane in range(len(x)):
        a = np.float64(x[lane])
        b = np.float64(y[lane])
        first += a * b
        second += (a * a - 1.0) * (b * b - 1.0)
    products[0] += first
    products[1] += second


@pytest.fixture(scope="module")
def hundred_million(compiled):
    powers, products = np.zeros(6), np.zeros(6)
    bins, tails = np.zeros(256, np.int64), np.zeros(3, np.int64)
    words, out = np.empty((4, 256), np.uint32), np.empty((4, CHANNELS, WIDTH), np.float32)
    compiled(census, CENSUS)(np.uint64(KEY), QUADS, words, out, powers, products, bins, tails)
    return {"powers": powers / COUNT, "products": products, "bins": bins, "tails": tails}


@pytest.mark.parametrize(
    ("power", "exact", "variance"),
    [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (5, 0, 945), (6, 15, 10170)],
)
def test_moments(hundred_million, power, exact, variance):
    assert_within(hundred_million["powers"][power - 1], exact, math.sqrt(variance / COUNT))


def test_skewness_and_kurtosis(hundred_million):
    m1, m2, m3, m4 = hundred_million["powers"][:4]
    variance = m2 - m1**2
    assert_within((m3 - 3 * m1 * m2 + 2 * m1**3) / variance**1.5, 0, math.sqrt(6 / COUNT))
    kurtosis = (m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4) / variance**2
    assert_within(kurtosis, 3, math.sqrt(24 / COUNT))
    assert_excluded(kurtosis, 2.9, math.sqrt(24 / COUNT))  # the sum of twelve uniforms


@pytest.mark.parametrize("limit", [4.0, 5.0, 5.5])
def test_counts_in_the_tails(hundred_million, limit):
    expected = COUNT * special.erfc(limit / math.sqrt(2))
    count = int(hundred_million["tails"][[4.0, 5.0, 5.5].index(limit)])
    assert stats.poisson.cdf(count, expected) > 3e-5
    assert stats.poisson.sf(count - 1, expected) > 3e-5


def test_counts_in_bins(hundred_million):
    bins, cdf = hundred_million["bins"], stats.norm.cdf(EDGES)
    assert bins.sum() == COUNT
    distance = np.abs(np.cumsum(bins) / COUNT - cdf[1:]).max()
    assert distance * math.sqrt(COUNT) < 2.3  # the Kolmogorov-Smirnov statistic exceeds this with p = 5e-5
    expected = COUNT * np.diff(cdf)
    common = expected > 100
    chi2 = ((bins - expected)[common] ** 2 / expected[common]).sum()
    assert_within(chi2, common.sum(), math.sqrt(2 * common.sum()))


@pytest.mark.parametrize("partner", ["neighbouring particle", "consecutive step", "other coordinate"])
def test_partners_are_not_correlated(hundred_million, partner):
    place = ["neighbouring particle", "consecutive step", "other coordinate"].index(partner)
    pairs = (COUNT * (WIDTH - 1) // WIDTH, COUNT, COUNT // 2)[place]
    product, of_squares = hundred_million["products"][2 * place : 2 * place + 2] / pairs
    assert_within(product, 0, 1 / math.sqrt(pairs))
    assert_within(of_squares, 0, 2 / math.sqrt(pairs))


def test_distribution_of_a_subsample(compiled):
    out = np.empty((4, 16, 16384), np.float32)
    fill = compiled(fill_normals, FILL)
    fill(np.uint64(5), np.uint64(0), np.uint64(3), np.uint64(STREAM), 16, np.empty((4, 256), np.uint32), out)
    sample = out.ravel().astype(float)
    assert stats.kstest(sample, "norm").pvalue > 6e-5
    assert stats.kstest(1.01 * sample, "norm").pvalue < 6e-5  # one percent too wide


def test_normals_equal_the_formula(compiled):
    out = np.empty((4, 3, 256), np.float32)
    first, quad = 2**32 - 100, 2**33 + 5
    fill = compiled(fill_normals, FILL)
    fill(*map(np.uint64, (KEY, first, quad, STREAM)), 3, np.empty((4, 64), np.uint32), out)
    exact = np.array(
        [
            [[naive.normal(KEY, first + lane, 4 * quad + k, STREAM, channel) for lane in range(0, 256, 15)]
             for channel in range(3)]
            for k in range(4)
        ]
    )  # fmt: skip
    assert_float32_accurate(out[:, :, ::15].reshape(4, -1), exact.reshape(4, -1))


def test_extreme_words(compiled):
    edges = [0, 1, 2, 2**24, 2**29, 2**29 - 1, 2**30, 2**31 - 1, 2**31, 3 * 2**29, 2**32 - 2**30, 2**32 - 2, 2**32 - 1]
    pairs = np.array([(a, b) for a in edges for b in edges], dtype=np.uint32).T
    words = np.ascontiguousarray(np.concatenate([pairs, pairs]))
    out = np.empty((4, 1, words.shape[1]), np.float32)
    compiled(normals_from_words, "'void(uint32[:, ::1], int64, int64, float32[:, :, ::1])'")(words, 0, 0, out)
    exact = np.array([naive.box_muller(int(a), int(b)) for a, b in pairs.T]).T
    assert_float32_accurate(out[:2, 0], exact)
    np.testing.assert_array_equal(out[:2], out[2:])
    assert abs(np.abs(out).max() - math.sqrt(64 * math.log(2))) < 1e-5


def assert_float32_accurate(normals, exact):
    """Two rows of each pair share a radius; its error is that of float32, enlarged by 1/r where ln u is close to 0."""
    radius = np.repeat(np.hypot(exact[::2], exact[1::2]), 2, axis=0)
    tolerance = 1e-6 * (1 + radius) + np.minimum(1.3e-7 / np.maximum(radius, 1e-9), 3.6e-4)
    assert np.all(np.abs(normals - exact) < tolerance)


def test_vectorises(packed_instructions):
    from sgdphys.kernels.source import FAST_MATH, source_text

    assert packed_instructions("fill_normals", FILL, FAST_MATH, source_text(fill_normals)) > 50
