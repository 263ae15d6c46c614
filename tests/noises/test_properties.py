"""What every noise owes: a kick of the diffusion it claims, its divergence, the same bits anywhere, a configuration."""

import json

import numpy as np
import pytest
from asserts import assert_divergence_is_derivative, assert_kick_has_diffusion, assert_same_bits
from noise_table import NOISES, STATE_DEPENDENT, points_of

import sgdphys as sp
from sgdphys.noises import BlockNoise


@pytest.fixture(params=NOISES)
def pair(request):
    noise, landscape = NOISES[request.param]
    return (noise.bound(landscape) if hasattr(noise, "bound") else noise), landscape


@pytest.fixture(params=STATE_DEPENDENT)
def dependent(request):
    noise, landscape = STATE_DEPENDENT[request.param]
    return noise.bound(landscape), landscape


def test_kick_has_the_diffusion(pair):
    noise, landscape = pair
    assert_kick_has_diffusion(noise, landscape, points_of(landscape))


def test_diffusion_is_symmetric_and_not_negative(pair):
    noise, landscape = pair
    points = points_of(landscape, 50)
    diffusion = noise.diffusion(points)
    assert diffusion.shape == (50, landscape.dim, landscape.dim)
    np.testing.assert_allclose(diffusion, diffusion.transpose(0, 2, 1), atol=1e-12)
    assert np.linalg.eigvalsh(diffusion).min() >= -1e-10 * np.abs(diffusion).max()


def test_divergence(dependent):
    noise, landscape = dependent
    if noise.has_divergence:
        assert_divergence_is_derivative(noise, points_of(landscape, 20))
    else:
        assert noise.divergence_terms(landscape.dim) == ()


def test_flags_tell_the_truth(dependent):
    """D depends on x; it is diagonal where it says so, and D_ii changes with x_i alone where it says separable."""
    noise, landscape = dependent
    points = points_of(landscape, 20)
    diffusion = noise.diffusion(points)
    assert isinstance(noise, BlockNoise)
    if noise.diagonal:
        assert np.all(diffusion * (1 - np.eye(landscape.dim)) == 0)
        assert noise.channels(landscape.dim) == landscape.dim
    for i in range(landscape.dim if noise.separable else 0):
        moved = points + 1.0
        moved[:, i] = points[:, i]
        np.testing.assert_array_equal(noise.diffusion(moved)[:, i, i], diffusion[:, i, i])


def test_bits_do_not_depend_on_threads_and_blocks(pair):
    noise, landscape = pair
    options = {"temperature": 0.1, "dt": 1e-3, "n_steps": 6, "start": 0.4, "seed": 3, "save_at": [3e-3, 6e-3]}
    one = sp.simulate(landscape, noise, **options, n_particles=300, threads=1, block_size=256)
    other = sp.simulate(landscape, noise, **options, n_particles=700, threads=2, block_size=64)
    assert_same_bits(one["position"].values, other["position"].values[:, :300])


def test_configuration_is_small_and_plain(pair):
    noise, _ = pair
    configuration = json.loads(json.dumps(noise.configuration()))
    assert configuration["noise"] == type(noise).__name__
    assert len(str(configuration)) < 1000
    assert len(repr(noise)) < 200


def test_another_number_of_coordinates_is_refused(pair):
    noise, landscape = pair
    if type(noise).__name__ not in {"Isotropic", "Stable"}:
        with pytest.raises(ValueError, match="coordinates"):
            noise.kick_term(landscape.dim + 1)
