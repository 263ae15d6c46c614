import numpy as np
import pytest

import sgdphys as sp
from sgdphys import schema
from sgdphys.analysis import phase_space

BOWL = sp.landscapes.Quadratic(np.diag([1.0, 2.0]))
RUN = {"temperature": 0.1, "dt": 0.05, "t1": 1.0, "n_particles": 50, "save_at": 3, "seed": 0, "progress": False}


def test_positions_then_velocities():
    cloud = sp.simulate(BOWL, integrator=sp.integrators.BAOAB(friction=1.0), **RUN)
    both = phase_space(cloud)
    schema.validate_cloud(both)
    np.testing.assert_array_equal(both["position"][..., :2], cloud["position"])
    np.testing.assert_array_equal(both["position"][..., 2:], cloud["velocity"])
    assert both["coordinate"].values.tolist() == ["x", "y", "v_x", "v_y"]
    assert both.attrs["configuration"] == cloud.attrs["configuration"]
    assert tuple(sp.fokker_planck.Underdamped(BOWL, 1.0).coordinate_names) == tuple(both["coordinate"].values)


def test_a_cloud_without_velocities_is_refused():
    with pytest.raises(ValueError, match="no velocities: simulate it with an underdamped integrator"):
        phase_space(sp.simulate(BOWL, **RUN))
