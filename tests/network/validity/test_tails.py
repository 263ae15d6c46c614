import numpy as np
import pytest

from sgdphys import SGD
from sgdphys.network.validity import tails as module
from sgdphys.network.validity.tails import tail_of_minibatches


@pytest.mark.parametrize("sampling", ["replacement", "without", "shuffle"])
def test_batches_have_the_covariance_of_their_sampling(sampling, monkeypatch):
    """Covariance C/B, times (N-B)/(N-1) for distinct samples; relative error of a variance of 4000 draws 2.2 %."""
    seen = []
    monkeypatch.setattr(module, "tail_index", lambda draws, **_: seen.append(draws))
    samples = np.random.default_rng(0).normal(size=(20, 2))
    samples -= samples.mean(axis=0)
    tail_of_minibatches(samples, SGD(0.1, 8, sampling=sampling), 0)
    factor = 1 / 8 * (1 if sampling == "replacement" else 12 / 19)
    exact = factor * np.mean(samples**2, axis=0)
    np.testing.assert_allclose(np.mean(seen[0] ** 2, axis=0), exact, rtol=4 * 0.0224)


def test_gaussian_samples_are_gaussian_and_stable_ones_are_not():
    rng = np.random.default_rng(1)
    light = tail_of_minibatches(rng.normal(size=(5000, 3)) * [1.0, 0.1, 0.01], SGD(0.1, 16), 0)
    assert not light["heavier_than_gaussian"]
    cauchy = rng.standard_cauchy(size=(50_000, 2))
    heavy = tail_of_minibatches(cauchy - np.median(cauchy, axis=0), SGD(0.1, 4), 0)
    assert heavy["heavier_than_gaussian"]
    assert float(heavy["tail_index"]) < 1.4


def test_noise_of_few_values_has_no_tail():
    samples = np.tile([[1.0], [-1.0]], (10, 1))
    assert tail_of_minibatches(samples, SGD(0.1, 4), 0) is None


def test_sums_on_a_lattice_have_no_tail():
    """Sums of 400 signs take about 36 sizes among 4000 draws, and 0 is one of them."""
    assert tail_of_minibatches(np.tile([[1.0], [-1.0]], (50, 1)), SGD(0.1, 400), 0) is None
