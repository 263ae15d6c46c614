import numpy as np
import pytest
from asserts import assert_excluded, assert_within

from sgdphys.analysis import tail_index


def gaussian(n, dim, power, seed=0):
    """Noise whose covariance has the eigenvalues 1/i^power."""
    return np.random.default_rng(seed).normal(size=(n, dim)) * np.arange(1, dim + 1) ** (-power / 2)


def stable(shape, alpha, seed=0):
    """Symmetric stable noise with characteristic function exp(-|k|^alpha) (Chambers, Mallows & Stuck 1976)."""
    rng = np.random.default_rng(seed)
    angle, wait = rng.uniform(-np.pi / 2, np.pi / 2, shape), rng.exponential(size=shape)
    return (
        np.sin(alpha * angle)
        / np.cos(angle) ** (1 / alpha)
        * (np.cos((1 - alpha) * angle) / wait) ** ((1 - alpha) / alpha)
    )


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("turned", [False, True])
def test_gaussian_noise_of_any_spectrum_has_index_two(power, turned):
    noise = gaussian(4000, 60, power)
    if turned:  # correlated coordinates
        noise = noise @ np.linalg.qr(np.random.default_rng(1).normal(size=(60, 60)))[0]
    found = tail_index(noise)
    assert 1.9 < float(found["tail_index"]) < 2.1
    assert np.all((found["tail_index_scan"] > 1.9) & (found["tail_index_scan"] < 2.1))
    assert_within(found["tail_index_scan"], found["null_tail_index_scan"], found["tail_index_scan_standard_error"])
    assert not found["heavier_than_gaussian"] and not found["stable_tail"]
    assert abs(float(found["hill_index_z"])) < 4


@pytest.mark.parametrize(("power", "dim", "length", "wrong"), [(1, 100, 10, 1.64), (2, 4000, 100, 1.03)])
def test_coordinates_pooled_into_one_sample_look_heavy(power, dim, length, wrong):
    # scales i^(-power/2) are spread like a power law: as one sample they are near stable of index 1 at power 2
    noise = gaussian(400_000 // dim, dim, power)
    pooled = tail_index(noise.ravel(), block_lengths=[length], n_null=5)
    assert float(pooled["tail_index"]) == pytest.approx(wrong, abs=0.03)
    assert_excluded(pooled["tail_index"], 2.0, pooled["tail_index_standard_error"])
    assert pooled["heavier_than_gaussian"]
    assert_within(tail_index(noise[:, :500])["tail_index_scan_z"], 0.0, 1.0)


@pytest.mark.parametrize("alpha", [1.5, 1.0])
def test_a_stable_law_has_its_index_at_every_sum_length(alpha):
    found = tail_index(stable((10_000, 10), alpha))
    assert float(found["tail_index"]) == pytest.approx(alpha, abs=0.1)
    assert_within(found["tail_index_scan"], alpha, found["tail_index_scan_standard_error"])
    directions = found["tail_index_of_direction"]
    assert directions.sizes["direction"] == 10
    assert_within(directions, alpha, found["tail_index_of_direction_standard_error"])
    assert found["heavier_than_gaussian"] and found["stable_tail"]
    assert_within(found["tail_index_rise"], 0.0, found["tail_index_rise_standard_error"])
    assert float(found["hill_index"]) == pytest.approx(alpha, abs=4 * float(found["hill_index_standard_error"]))
    assert found["hill_index_z"] < -4


def test_finite_variance_shows_in_longer_sums():
    draws = np.random.default_rng(2).standard_t(3, size=(100_000, 2))
    found = tail_index(draws, block_lengths=[10, 100, 1000])
    known = np.array([1.65, 1.74, 1.82])  # of Student's t with 3 degrees of freedom, to two figures
    assert_within(found["tail_index_scan"], known, np.hypot(found["tail_index_scan_standard_error"], 0.003))
    assert found["heavier_than_gaussian"]
    assert not found["stable_tail"]  # 1.74 - 1.65 rises by more than 4 standard errors
    assert found["tail_index_rise"] > 4 * found["tail_index_rise_standard_error"]


def test_errors_are_those_of_repeated_draws():
    values, errors, spreads = [], [], []
    for seed in range(60):
        noise = np.random.default_rng(seed).normal(size=(2000, 4))
        found = tail_index(noise @ np.triu(np.ones((4, 4))), n_null=5)
        values.append(found["tail_index_scan"].values)
        errors.append(found["tail_index_scan_standard_error"].values)
        spreads.append(found["null_tail_index_scan_spread"].values)
    measured = np.std(values, axis=0)
    np.testing.assert_allclose(np.sqrt(np.mean(np.square(errors), axis=0)), measured, rtol=0.35)
    np.testing.assert_allclose(np.mean(spreads, axis=0), measured, rtol=0.35)
    copies = np.repeat(np.random.default_rng(0).normal(size=(400, 1)), 9, axis=1)
    one, nine = tail_index(copies[:, :1]), tail_index(copies)  # equal directions are one
    assert float(nine["tail_index_standard_error"]) == pytest.approx(float(one["tail_index_standard_error"]))


def test_hills_exponent_by_hand():
    lengths = np.exp(np.arange(100) / 7)
    noise = np.random.default_rng(6).normal(size=(100, 3))
    found = tail_index(noise / np.linalg.norm(noise, axis=1, keepdims=True) * lengths[:, None])
    assert float(found["hill_index"]) == pytest.approx(7 / 5.5)  # the mean of (1, ..., 10)/7 is 5.5/7
    assert float(found["hill_index_standard_error"]) == pytest.approx(7 / 5.5 / 10**0.5)


def test_the_order_of_draws_does_not_matter():
    slow = np.sort(np.random.default_rng(3).normal(size=(2000, 1)), axis=0)  # in order, sums would grow with K1
    found = tail_index(slow, seed=1)
    assert_within(found["tail_index"], 2.0, found["tail_index_standard_error"])


def test_pairs_have_no_mean():
    shifted = stable((8000, 5), 1.5) + 30.0
    found = tail_index(shifted, symmetrise=True)
    assert_within(found["tail_index"], 1.5, found["tail_index_standard_error"])
    wrong = tail_index(shifted)  # sums of a mean grow as K1
    assert_excluded(wrong["tail_index"], 1.5, wrong["tail_index_standard_error"])
    assert found.attrs["n_draws"] == 4000


def test_more_coordinates_than_draws_and_dead_ones():
    noise = np.random.default_rng(4).normal(size=(80, 300))
    noise[:, :7] = 0.0
    found = tail_index(noise)
    assert int(found["left_out_directions"]) == 7
    assert found.sizes["direction"] == 293
    assert_within(found["tail_index_scan"], 2.0, found["tail_index_scan_standard_error"])
    assert np.isnan(tail_index(noise, block_lengths=[2])["tail_index_rise"])


def test_noise_in_fixed_steps_is_left_out():
    """Sums of +-1, or of thirds, are exactly zero now and then, or zero but for rounding: no logarithm."""
    rng = np.random.default_rng(7)
    steps = (rng.integers(0, 60, size=2000) - 29.5) / 3  # never 0 itself
    noise = np.stack([steps, rng.normal(size=2000), rng.choice([-0.1, 0.1], 2000)], axis=1)
    found = tail_index(noise)
    assert int(found["left_out_directions"]) == 2
    alone = tail_index(noise[:, 1:2])
    assert float(found["tail_index"]) == float(alone["tail_index"])
    assert np.isfinite(found["tail_index_scan"]).all()


def test_sums_that_cancel_to_rounding_are_left_out():
    """0.1 + 0.2 - 0.3 is 2.8e-17 or 5.6e-17 in any order, whose logarithm would say nothing of tails."""
    thirds = np.random.default_rng(9).choice([0.1, 0.2, -0.3], 600)
    with pytest.raises(ValueError, match="the draws of a sum cancel"):
        tail_index(thirds, block_lengths=[3])


def test_vectors_of_one_length_have_no_tail_of_norms():
    angle = np.random.default_rng(8).uniform(0, 2 * np.pi, 400)
    found = tail_index(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    assert float(found["hill_index"]) > 1e6
    assert not found["heavier_than_gaussian"]


def test_one_seed_gives_one_answer():
    noise = np.random.default_rng(5).normal(size=(100, 3))
    first, again, other = (tail_index(noise, seed=seed) for seed in (1, 1, 2))
    assert first.identical(again)
    assert not first.equals(other)


@pytest.mark.parametrize(
    ("draws", "settings", "says"),
    [
        (np.ones((50, 2, 2)), {}, "shape"),
        (np.ones((39, 2)), {}, "at least 40 draws, got 39"),
        (np.ones((50, 2)), {"symmetrise": True}, "got 25"),
        (np.full((50, 2), np.nan), {}, "not finite"),
        (np.zeros((50, 2)), {}, "exactly zero"),
        (np.tile([[1.0], [-1.0]], (50, 1)), {}, "the draws of a sum cancel"),
        (np.ones((50, 2)), {"block_lengths": [3]}, "between 2 and 2"),
        (np.ones((50, 2)), {"block_lengths": []}, "between 2 and 2"),
        (np.ones((50, 2)), {"n_null": 4}, "at least 5"),
    ],
)
def test_refusals(draws, settings, says):
    with pytest.raises(ValueError, match=says):
        tail_index(draws, **settings)
