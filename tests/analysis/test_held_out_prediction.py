import numpy as np
import pytest
from clouds import cloud_of

from sgdphys.analysis import held_out


def test_particles_are_split_with_their_histories():
    cloud = cloud_of(np.arange(10.0), np.arange(10.0) + 100)
    learn, test = held_out(cloud, 0.3, seed=4)
    assert (learn.sizes["particle"], test.sizes["particle"]) == (7, 3)
    both = np.concatenate([part["position"].values for part in (learn, test)], axis=1)[..., 0]
    np.testing.assert_array_equal(np.sort(both[0]), np.arange(10))
    np.testing.assert_array_equal(both[1], both[0] + 100)
    other = held_out(cloud, 0.3, seed=5)[1]
    assert not np.array_equal(other["position"], test["position"])
    np.testing.assert_array_equal(held_out(cloud, 0.3, seed=4)[1]["position"], test["position"])


def test_each_part_has_a_particle():
    learn, test = held_out(cloud_of(np.arange(2.0)), 0.01)
    assert learn.sizes["particle"] == test.sizes["particle"] == 1


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="fraction must lie between 0 and 1, got 1"):
        held_out(cloud_of(np.arange(5.0)), 1.0)
    with pytest.raises(ValueError, match="needs two or more, the cloud has 1"):
        held_out(cloud_of(np.arange(1.0)))
    with pytest.raises(ValueError, match="seed must be an integer, not negative"):
        held_out(cloud_of(np.arange(5.0)), seed=-1)
