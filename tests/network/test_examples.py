import os

import numpy as np
import pytest
import torch

from sgdphys.network import digits_network, image_network


def test_the_digits_network_is_the_small_perceptron():
    network = digits_network()
    assert (network.dim, network.n_samples, network.weight_decay) == (910, 1200, 5e-3)
    assert network.outputs(np.zeros((2, 64))).shape == (2, 10)


def test_the_seed_names_the_weights_and_the_global_generator_is_left_alone():
    generator = torch.get_rng_state()
    first, again, other = digits_network(), digits_network(seed=0), digits_network(seed=1)
    assert np.array_equal(first.parameters, again.parameters)
    assert not np.array_equal(first.parameters, other.parameters)
    assert torch.equal(torch.get_rng_state(), generator)


@pytest.mark.skipif("SGDPHYS_DATA" not in os.environ, reason="SGDPHYS_DATA does not name the image sets")
@pytest.mark.parametrize(
    ("images", "kind", "dim"),
    [
        ("mnist", "perceptron", 196 * 64 + 64 + 650),
        ("fashion-mnist", "convolution", 8 * 9 + 8 + 16 * 72 + 16 + 10 * (16 * 9 + 1)),
        ("cifar10", "convolution", 8 * 27 + 8 + 16 * 72 + 16 + 10 * (16 * 64 + 1)),
    ],
)
def test_image_networks_have_the_parameters_that_their_layers_say(images, kind, dim):
    network = image_network(images, kind, n_train=20)
    assert (network.dim, network.n_samples) == (dim, 20)
    assert abs(network.loss_value - np.log(10)) < 0.3  # untrained: all classes about equally likely


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("imagenet",), "images must be one of mnist, fashion-mnist, cifar10"),
        (("mnist", "transformer"), "kind must be"),
    ],
)
def test_unknown_image_networks_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        image_network(*arguments)
