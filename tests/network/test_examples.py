import numpy as np
import torch

from sgdphys.network import digits_network


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
