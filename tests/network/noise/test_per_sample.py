import numpy as np
import pytest
import torch
from network_models import LAYERS, WITHOUT_VMAP, network_with

from sgdphys.network.noise import jacobians, per_sample


def naive_gradients(network):
    """Return the gradient of each sample's loss by one backward pass a sample, without weight decay."""
    data = network.objective
    rows = []
    for i in range(network.n_samples):
        point = torch.tensor(network.parameters, requires_grad=True)
        (gradient,) = torch.autograd.grad(data.sample_losses(point, slice(i, i + 1)).sum(), point)
        rows.append(gradient)
    return torch.stack(rows)


@pytest.mark.parametrize("name", [name for name in LAYERS if name not in WITHOUT_VMAP])
def test_gradients_equal_a_loop_over_the_samples(name):
    network = network_with(name)
    whole = per_sample.sample_gradients(network.objective, torch.tensor(network.parameters), slice(0, 12))
    np.testing.assert_allclose(whole, naive_gradients(network), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("name", LAYERS)
def test_products_with_the_jacobian_need_no_gradients_and_work_for_every_layer(name):
    network = network_with(name)
    jacobian = jacobians.SampleJacobian(network.objective, torch.tensor(network.parameters))
    exact = naive_gradients(network)
    rng = np.random.default_rng(0)
    v, w = torch.tensor(rng.normal(size=network.dim)), torch.tensor(rng.normal(size=12))
    np.testing.assert_allclose(jacobian.times(v), exact @ v, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(jacobian.transposed_times(w), exact.T @ w, rtol=1e-9, atol=1e-12)
