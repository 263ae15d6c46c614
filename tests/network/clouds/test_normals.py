import numpy as np
import pytest
import torch
from asserts import assert_within

from sgdphys.kernels import philox
from sgdphys.network.clouds.indices import counter_words
from sgdphys.network.clouds.normals import counter_normals

KEY = philox.key_of(2)


def test_normals_are_box_muller_pairs_of_the_words():
    replicas = torch.arange(3, 6)
    words = counter_words(KEY, philox.STREAMS["network_kick"], torch.tensor([9]), replicas, 4)[0].numpy()
    u = (words + 0.5) / 2.0**32
    radius, angle = np.sqrt(-2 * np.log(u[:, ::2])), 2 * np.pi * u[:, 1::2]
    expected = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(3, 4)
    np.testing.assert_allclose(counter_normals(KEY, 9, replicas, 3, torch.float64), expected[:, :3], rtol=1e-12)


def test_normals_are_standard_and_independent_of_each_other():
    normals = torch.stack([counter_normals(KEY, step, torch.arange(500), 11, torch.float64) for step in range(40)])
    values = normals.flatten()
    error = len(values) ** -0.5
    assert_within(values.mean(), 0.0, error)
    assert_within((values**2).mean(), 1.0, 2**0.5 * error)
    assert_within((values**4).mean(), 3.0, 96**0.5 * error)
    for a, b in ((normals[1:], normals[:-1]), (normals[:, 1:], normals[:, :-1]), (normals[..., 1:], normals[..., :-1])):
        assert_within((a * b).mean(), 0.0, a.numel() ** -0.5)


def test_normals_depend_on_key_replica_and_step_alone():
    whole = counter_normals(KEY, 4, torch.arange(8), 5, torch.float64)
    assert torch.equal(whole[3:5], counter_normals(KEY, 4, torch.arange(3, 5), 5, torch.float64))
    own = [philox.key_of(seed) for seed in range(8)]
    each = counter_normals(own, 4, torch.arange(8), 5, torch.float64)
    for replica in range(8):
        alone = counter_normals(own[replica], 4, torch.tensor([replica]), 5, torch.float64)
        assert torch.equal(each[replica : replica + 1], alone)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_draws_the_same_normals():
    cuda = counter_normals(KEY, 4, torch.arange(8, device="cuda"), 5, torch.float64)
    own = counter_normals(KEY, 4, torch.arange(8), 5, torch.float64)
    np.testing.assert_allclose(cuda.cpu(), own, rtol=1e-12, atol=1e-14)
