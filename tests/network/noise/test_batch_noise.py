import numpy as np
import pytest
import torch
from naive_networks import loop_over_samples
from network_models import network_with

from sgdphys.analysis.gradient_noise_moments import noise_moments
from sgdphys.kernels.philox import key_of
from sgdphys.network import Network
from sgdphys.network.clouds.indices import IndexStream


def test_where_samples_have_gradients_it_is_the_covariance_of_the_drawn_batches(perceptron):
    noise = perceptron.noise(unit="batch", batch_size=5, n_batches=12, seed=3)
    drawn = IndexStream(key_of(3), 30, 5, "replacement", torch.device("cpu")).draw(0, 12, 0, 1)[:, 0].numpy()
    batches = loop_over_samples(perceptron)[drawn].mean(axis=1)
    exact = 5 * np.cov(batches.T)
    assert noise.trace() == pytest.approx(np.trace(exact), rel=1e-12)
    np.testing.assert_allclose(noise.spectrum()["eigenvalue"], np.linalg.eigvalsh(exact)[::-1][:11], rtol=1e-8)
    np.testing.assert_allclose(noise.gram(centred=False), batches @ batches.T, rtol=1e-10, atol=1e-14)
    centred = batches - batches.mean(axis=0)
    np.testing.assert_allclose(noise.gram(), centred @ centred.T, rtol=1e-10, atol=1e-14)


def test_squares_of_the_covariance_grow_with_the_square_of_the_batch_size(perceptron):
    noise = perceptron.noise(unit="batch", batch_size=5, n_batches=12)
    moments, plain = noise.moments(), noise_moments(noise.gram(centred=False))
    for name, power in (("noise_trace", 1), ("noise_trace_of_square", 2), ("squared_mean_gradient", 0)):
        for twin in (name, f"{name}_standard_error"):
            assert float(moments[twin]) == pytest.approx(5**power * float(plain[twin]), rel=1e-12)


def test_the_interval_of_the_scale_has_the_level_asked_for(perceptron):
    noise = perceptron.at(perceptron.parameters + 1).noise(unit="batch", batch_size=4, n_batches=100)
    narrow, wide = noise.scale(level=0.5), noise.scale(level=0.95)
    assert float(wide["simple_noise_scale_low"]) < float(narrow["simple_noise_scale_low"])
    assert float(narrow["simple_noise_scale_high"]) < float(wide["simple_noise_scale_high"])


def test_what_a_model_draws_is_drawn_anew_for_every_batch_and_seed():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 2))
    same = np.ones((6, 3)), np.zeros(6, dtype=int)  # of equal samples nothing but dropout tells the batches apart
    network = Network(model, torch.nn.CrossEntropyLoss(), same)
    first, second = (network.noise(unit="batch", batch_size=2, n_batches=6, seed=seed) for seed in (0, 1))
    assert first.trace() > 0
    assert not np.allclose(first.gram(), second.gram())


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
