"""The last states are those of the saved cloud."""

import numpy as np
import pytest
from asserts import assert_same_bits

import sgdphys as sp
from sgdphys.noises import Isotropic
from sgdphys.observers import Snapshots

BOWL = sp.landscapes.Quadratic([[1.0, 0.3], [0.3, 2.0]])


@pytest.mark.parametrize(("last", "every", "steps"), [(1, 1, [20]), (3, 4, [12, 16, 20]), (5, 9, [2, 11, 20])])
def test_equal_the_frames(last, every, steps):
    sgd = sp.SGD(lr=0.1, batch_size=1, momentum=0.5)
    cloud = sp.simulate(
        BOWL, Isotropic(1.0), sgd=sgd, n_steps=20, n_particles=300, save_at=21, observers=[Snapshots(last, every)]
    )
    np.testing.assert_allclose(cloud["snapshot_time"], cloud["time"][steps])
    assert_same_bits(cloud["snapshot_position"].values, cloud["position"].values[steps])
    assert_same_bits(cloud["snapshot_velocity"].values, cloud["velocity"].values[steps])


def test_overdamped_motion_has_no_velocities():
    cloud = sp.simulate(BOWL, temperature=0.1, dt=0.1, n_steps=3, save_at=0, observers=[Snapshots(2)])
    assert "snapshot_velocity" not in cloud
    assert cloud["snapshot_position"].dims == ("snapshot_time", "particle", "coordinate")


@pytest.mark.parametrize("arguments", [{"last": 0}, {"every": 0}, {"last": 1.5}])
def test_numbers_that_are_none_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        Snapshots(**arguments)
