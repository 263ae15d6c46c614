import numpy as np
import pytest
import torch
from naive_networks import loop_over_samples
from network_models import network_with

from sgdphys.kernels.philox import key_of
from sgdphys.network.clouds.indices import IndexStream


def test_where_samples_have_gradients_it_is_the_covariance_of_the_drawn_batches(perceptron):
    noise = perceptron.noise(unit="batch", batch_size=5, n_batches=12, seed=3)
    drawn = IndexStream(key_of(3), 30, 5, "replacement", torch.device("cpu")).draw(0, 12, 0, 1)[:, 0].numpy()
    batches = loop_over_samples(perceptron)[drawn].mean(axis=1)
    exact = 5 * np.cov(batches.T)
    assert noise.trace() == pytest.approx(np.trace(exact), rel=1e-12)
    np.testing.assert_allclose(noise.spectrum()["eigenvalue"], np.linalg.eigvalsh(exact)[::-1][:11], rtol=1e-8)
    np.testing.assert_allclose(noise.gram(centred=False), batches @ batches.T, rtol=1e-10, atol=1e-14)


def test_its_mean_is_the_covariance_of_the_samples(perceptron):
    exact = perceptron.noise().trace()
    moments = perceptron.noise(unit="batch", batch_size=3, n_batches=600, seed=1).moments()
    error = float(moments["noise_trace_standard_error"])
    assert abs(float(moments["noise_trace"]) - exact) < 4 * error
    assert abs(float(moments["noise_trace"]) / 3 - exact) > 10 * error  # the covariance of a batch, not times its size


def test_the_scale_counts_samples(perceptron):
    far = perceptron.at(perceptron.parameters + 1)
    exact = far.noise().scale()["simple_noise_scale"]
    found = far.noise(unit="batch", batch_size=4, n_batches=400).scale()
    z = (found["simple_noise_scale"] - exact) / found["simple_noise_scale_standard_error"]
    assert abs(float(z)) < 4


@pytest.mark.parametrize("name", ["dropout", "batch norm"])
def test_models_that_draw_or_mix_are_measured_in_their_own_mode(name):
    network, state = network_with(name), torch.get_rng_state()
    first, again = (network.noise(unit="batch", batch_size=4, n_batches=6).gram() for _ in range(2))
    assert torch.equal(state, torch.get_rng_state())
    np.testing.assert_array_equal(first, again)
    pieces = network.noise(unit="batch", batch_size=4, n_batches=6, max_memory=2000)
    np.testing.assert_allclose(first, pieces.gram(), rtol=1e-10, atol=1e-15)
    still = network.noise(unit="batch", batch_size=4, n_batches=6, seed=1).gram()
    assert not np.allclose(first, still)


def test_too_few_batches_are_refused(perceptron):
    with pytest.raises(ValueError, match="n_batches must be at least 4, got 3"):
        perceptron.noise(unit="batch", n_batches=3)
