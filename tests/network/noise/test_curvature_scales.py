import numpy as np
import pytest
import torch
from naive_networks import loop_over_samples

from sgdphys.network.curvature.symmetric_operator import GivenOperator
from sgdphys.network.noise.curvature_scales import curvature_scale


def multiple(factor):
    """Return a multiple of the identity as the curvature of the perceptron."""
    return GivenOperator(lambda columns: factor * columns, torch.zeros(31, dtype=torch.float64))


@pytest.fixture
def far(perceptron):
    """Return the perceptron where the mean gradient is not small."""
    return perceptron.at(perceptron.parameters + 1)


def test_a_sum_of_two_samples_is_their_difference_or_nothing(far):
    noise = far.noise(n_samples=2, seed=3)
    rows = np.sort(np.random.default_rng(3).choice(30, 2, replace=False))
    gradients = loop_over_samples(far)[rows]  # weight decay included
    spread = np.sum(np.square(gradients - gradients.mean(axis=0))) * 29 / 30  # (N-1)/N of the n-1 covariance, n = 2
    exact = spread / np.sum(np.square(gradients.mean(axis=0)))
    found = [curvature_scale(noise, multiple(3.0), 2, seed) for seed in range(12)]
    pairs = {
        tuple(float(np.round(each[name] / exact, 9)) for name in sorted(map(str, each.data_vars))) for each in found
    }
    assert pairs == {(0, 0), (1, 1), (2, 0)}  # of two probes none, one or both with unequal signs; mean and error


def test_there_is_no_scale_where_the_curvature_along_the_gradient_is_not_positive(far):
    found = curvature_scale(far.noise(), multiple(-1.0), 3, 0)
    assert np.isnan(found["curvature_noise_scale"])
    assert np.isnan(found["curvature_noise_scale_standard_error"])
