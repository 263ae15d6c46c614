import numpy as np
import pytest
from clouds import cloud_of

from sgdphys.analysis.paths import bundled, stationary_paths


def walkers(frames=9, particles=30, dim=2):
    return cloud_of(*np.random.default_rng(0).normal(size=(frames, particles, dim)))


def test_second_half_by_default():
    cloud = walkers()
    paths = stationary_paths(cloud, None)
    np.testing.assert_array_equal(paths.times, [4, 5, 6, 7, 8])
    np.testing.assert_allclose(paths.position + paths.mean, cloud["position"].values[4:])
    assert paths.duration == 4 and paths.interval == 1 and (paths.particles, paths.dim) == (30, 2)


def test_blocks_hold_every_step_once():
    paths = stationary_paths(walkers(), 0)
    blocks = list(paths.steps(width=30_000))
    assert len(blocks) > 1
    middle, change = (np.concatenate(parts, axis=1) for parts in list(zip(*blocks, strict=True))[1:])
    np.testing.assert_allclose(middle - change / 2, paths.position[:-1], atol=1e-15)
    np.testing.assert_allclose(middle + change / 2, paths.position[1:], atol=1e-15)


def test_bundles_keep_the_mean():
    values = np.random.default_rng(1).normal(size=(103, 3))
    bundles = bundled(values, most=10)
    assert bundles.shape == (10, 3)
    np.testing.assert_allclose(bundles.mean(axis=0), values.mean(axis=0))
    np.testing.assert_array_equal(bundled(values), values)


def test_no_frames_are_refused():
    with pytest.raises(ValueError, match="no frame"):
        stationary_paths(walkers().isel(time=slice(0)), None)
