import numpy as np
import pytest
import torch
from naive_networks import loop_over_samples


def test_the_mean_is_the_gradient_of_the_regularised_loss(perceptron):
    exact = perceptron.gradient()
    np.testing.assert_allclose(perceptron.noise().mean_gradient, exact, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(perceptron.noise(params="2.*").mean_gradient, exact[16:], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(perceptron.noise(params="0.*").mean_gradient, exact[:16], rtol=1e-12, atol=1e-15)


def test_weighted_sums_and_products_are_those_of_the_losses_alone(perceptron):
    noise, rng = perceptron.noise(params=("0.bias", "2.weight")), np.random.default_rng(0)
    taken = np.r_[12:28]
    gradients = (loop_over_samples(perceptron) - perceptron.weight_decay * perceptron.parameters)[:, taken]
    w, V = rng.normal(size=30), rng.normal(size=(16, 3))
    np.testing.assert_allclose(noise.weighted_sum(torch.tensor(w)), w @ gradients, rtol=1e-10, atol=1e-14)
    centred = gradients - gradients.mean(axis=0)
    np.testing.assert_allclose(noise.products_along(torch.tensor(V)), centred @ V, rtol=1e-10, atol=1e-14)


def test_the_correction_turns_the_covariance_of_a_subset_into_an_estimate_of_the_whole(perceptron):
    assert perceptron.noise().correction == perceptron.noise(n_samples=30).correction == 1
    assert perceptron.noise(n_samples=5).correction == pytest.approx(29 / 30 * 5 / 4, rel=1e-15)
