"""Moments during the run equal those of the saved cloud, for any size, and to the bit for any threads and blocks."""

import naive
import numpy as np
import pytest
from asserts import assert_same_bits, assert_within

import sgdphys as sp
from sgdphys.errors import DivergenceWarning
from sgdphys.noises import LowRank
from sgdphys.observers import Moments

MATRIX = np.array([[1.0, 0.3, 0.0], [0.3, 2.0, 0.1], [0.0, 0.1, 0.5]])
NAMES = ["moment_count", "mean", "covariance", "mean_standard_error", "variance_standard_error"]


def run(n_particles, dim=3, **options):
    landscape = sp.landscapes.Quadratic(MATRIX[:dim, :dim])
    start = np.linspace(5.0, 6.0, dim)
    defaults = {"temperature": 0.2, "dt": 0.1, "n_steps": 20, "start": start, "seed": 3, "observers": [Moments(at=3)]}
    return sp.simulate(landscape, n_particles=n_particles, **{**defaults, **options})


def assert_moments_of(cloud, positions, frame):
    count, mean, covariance, fourth = naive.moments(positions)
    variance = np.diag(covariance)
    assert int(cloud["moment_count"][frame]) == count
    np.testing.assert_allclose(cloud["mean"][frame], mean, rtol=1e-12)
    np.testing.assert_allclose(cloud["covariance"][frame], covariance, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(cloud["mean_standard_error"][frame], np.sqrt(variance / count), rtol=1e-10, atol=1e-14)
    error = np.sqrt(np.maximum(fourth - variance**2, 0) / count)
    np.testing.assert_allclose(cloud["variance_standard_error"][frame], error, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("n_particles", [1, 2, 63, 64, 65, 300, 4096, 4097, 10_000])
def test_equal_those_of_the_saved_cloud(n_particles):
    cloud = run(n_particles, save_at=3)
    np.testing.assert_allclose(cloud["moment_time"], cloud["time"])
    for frame in range(3):
        assert_moments_of(cloud, cloud["position"].values[frame], frame)


@pytest.mark.parametrize("dim", [1, 2])
def test_in_fewer_coordinates(dim):
    cloud = run(5000, dim, save_at=3)
    assert cloud["covariance"].shape == (3, dim, dim)
    assert_moments_of(cloud, cloud["position"].values[2], 2)


@pytest.mark.parametrize("block_size", [64, 256, 1024, 4096])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_same_bits_for_any_threads_and_blocks(threads, block_size):
    reference = run(9_000, save_at=0, threads=1)
    other = run(9_000, save_at=0, threads=threads, block_size=block_size)
    for name in NAMES:
        assert_same_bits(reference[name].values, other[name].values)


def test_far_from_the_origin_nothing_cancels():
    """A cloud of width 1e-3 at 1e6; the textbook formula E x^2 - (E x)^2 would be off by 100 times the variance."""
    start = 1e6 + 1e-3 * np.random.default_rng(0).normal(size=(5000, 1))
    flat = sp.landscapes.Quadratic(0.0)
    cloud = sp.simulate(flat, temperature=0.0, dt=1.0, n_steps=1, start=start, observers=[Moments(at=1)], save_at=0)
    np.testing.assert_allclose(cloud["covariance"][0, 0, 0], start.var(), rtol=1e-6)


def test_lost_particles_are_left_out():
    with pytest.warns(DivergenceWarning):
        cloud = sp.simulate(
            sp.landscapes.Expression("x**4/4"), temperature=0.0, dt=0.1, n_steps=50, save_at=3,
            start=np.linspace(0.0, 6.0, 200)[:, np.newaxis], observers=[Moments(at=3)],
        )  # fmt: skip
    lost = int(cloud["diverged"].sum())
    assert 0 < lost < 200
    assert cloud["moment_count"].values.tolist() == [200, 200 - lost, 200 - lost]
    for frame in range(3):
        assert_moments_of(cloud, cloud["position"].values[frame], frame)


def test_when_all_are_lost_there_are_no_moments():
    with pytest.warns(DivergenceWarning, match="100 of 100"):
        cloud = sp.simulate(
            sp.landscapes.Expression("x**4/4"), temperature=0.0, dt=1.0, n_steps=50, save_at=0, n_particles=100,
            start=10.0, observers=[Moments(at=2)],
        )  # fmt: skip
    assert cloud["moment_count"].values.tolist() == [100, 0]
    assert np.isnan(cloud["mean"][1]).all()
    assert np.isnan(cloud["covariance"][1]).all()


def test_velocities_are_not_counted():
    sgd = sp.SGD(lr=0.1, batch_size=1, momentum=0.5)
    cloud = sp.simulate(
        sp.landscapes.Quadratic(MATRIX), LowRank(np.eye(3)), sgd=sgd, n_steps=10, n_particles=500, save_at=1,
        observers=[Moments(at=1)],
    )  # fmt: skip
    assert cloud["mean"].shape == (1, 3)
    assert_moments_of(cloud, cloud["position"].values[0], 0)


def test_standard_errors_are_those_of_repetitions():
    runs = [run(1000, 1, seed=seed, save_at=0, observers=[Moments(at=1)], n_steps=30) for seed in range(200)]
    for estimate, error in (("mean", "mean_standard_error"), ("covariance", "variance_standard_error")):
        values = np.array([float(cloud[estimate].squeeze()) for cloud in runs])
        claimed = np.mean([float(cloud[error].squeeze()) for cloud in runs])
        assert_within(values.std(ddof=1), claimed, claimed / np.sqrt(2 * 199))


def test_times_are_chosen_like_frames():
    cloud = run(100, save_at=0, observers=[Moments(at=[0.1, 1.02, 2.0])])
    np.testing.assert_allclose(cloud["moment_time"], [0.1, 1.0, 2.0])
    with pytest.raises(ValueError, match="at must lie between 0 and 2, got 0 to 3"):
        run(100, observers=[Moments(at=[0.0, 3.0])])
    assert run(100, observers=[Moments(at=0)])["mean"].shape == (0, 3)
