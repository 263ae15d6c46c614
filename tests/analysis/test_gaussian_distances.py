import numpy as np
import pytest
from asserts import assert_within

from sgdphys.analysis.gaussian_distances import grouped_moments, symmetric_relative_entropy

DIM = 5
REPEATS = 1000


def stationary_frames(rng, frames, particles, memory):
    """Return standard normal positions (frame, particle, coordinate); ``memory`` correlates frame with frame."""
    points = rng.normal(size=(frames, particles, DIM))
    for k in range(1, frames):
        points[k] = memory * points[k - 1] + np.sqrt(1 - memory**2) * points[k]
    return points


def variance_of_average(frames, memory):
    lags = np.abs(np.subtract.outer(np.arange(frames), np.arange(frames)))
    return (memory**lags).mean()


@pytest.mark.parametrize(("frames", "memory"), [(1, 0.0), (3, 0.8)])
def test_few_particles_leave_no_bias(frames, memory):
    # 15 and 80 particles in 5 coordinates, equal clouds. The product of a cloud's inverse covariance and the covariance
    # of its own mean is low by k(k + 1)/(n(n - 1)) for one frame: the distance would be high by half of it, .074 here
    rng = np.random.default_rng(0)
    values, relative, products = [], [], []
    for _ in range(REPEATS):
        a, b = (grouped_moments(stationary_frames(rng, frames, n, memory))[0] for n in (15, 80))
        traces = np.sum(a.precision * b.covariance + b.precision * a.covariance) / 2 - DIM
        values.append(symmetric_relative_entropy(a, b) - traces)  # of mean zero, with most of the noise taken out
        relative.append(a.relative_variance_of_mean)
        products.append(np.sum(a.precision * a.covariance_of_mean))
    assert_within(np.mean(values), 0.0, np.std(values) / REPEATS**0.5)
    exact, error = DIM / 15 * variance_of_average(frames, memory), np.std(relative) / REPEATS**0.5
    assert_within(np.mean(relative), exact, error)
    assert exact - np.mean(products) > 10 * error
    if frames == 1:
        assert products == pytest.approx([exact - DIM * (DIM + 1) / (15 * 14)] * REPEATS)
        assert 6 * np.std(values) / REPEATS**0.5 < DIM * (DIM + 1) / (2 * 15 * 14)


def test_the_traces_of_inverse_covariances_have_no_bias():
    rng = np.random.default_rng(1)
    moments = [grouped_moments(rng.normal(size=(1, 15, DIM)))[0] for _ in range(REPEATS)]
    traces = [np.trace(moment.precision) for moment in moments]
    assert_within(np.mean(traces), DIM, np.std(traces) / REPEATS**0.5)


def test_the_fewest_particles_still_answer():
    # 8 particles in 5 coordinates: a leave-one-out inverse has no mean, so the plain product stands in
    moments, without = grouped_moments(np.random.default_rng(2).normal(size=(1, DIM + 3, DIM)))
    assert len(without) == DIM + 3
    expected = np.sum(moments.precision * moments.covariance_of_mean)
    assert moments.relative_variance_of_mean == pytest.approx(expected, rel=1e-12)
