import numpy as np
import pytest

import sgdphys as sp
from sgdphys import schema
from sgdphys.analysis import project

ROTATION = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]


@pytest.fixture(scope="module")
def cloud():
    landscape = sp.landscapes.Quadratic(np.diag([1.0, 2.0, 3.0, 4.0]))
    return sp.simulate(landscape, temperature=0.1, dt=0.01, t1=1.0, n_particles=64, save_at=3, seed=0, progress=False)


def test_positions_along_two_directions(cloud):
    origin = np.array([1.0, 2.0, 3.0, 4.0])
    seen = project(cloud, ROTATION[:, :2], origin)
    schema.validate_cloud(seen)
    np.testing.assert_allclose(seen["position"], (cloud["position"].values - origin) @ ROTATION[:, :2], atol=1e-14)
    np.testing.assert_array_equal(seen["time"], cloud["time"])
    assert seen.attrs["configuration"] == cloud.attrs["configuration"]


def test_a_whole_rotation_keeps_distances(cloud):
    seen = project(cloud, ROTATION)
    np.testing.assert_allclose((seen["position"] ** 2).sum("coordinate"), (cloud["position"] ** 2).sum("coordinate"))


def test_what_carries_a_basis_serves(cloud):
    twin = sp.landscapes.Quadratic(np.eye(2), origin=np.arange(4.0), basis=ROTATION[:, :2])
    by_landscape = project(cloud, twin)
    np.testing.assert_array_equal(by_landscape["position"], project(cloud, ROTATION[:, :2], np.arange(4.0))["position"])
    np.testing.assert_array_equal(project(cloud, by_landscape)["position"], by_landscape["position"])


@pytest.mark.parametrize(
    ("basis", "origin", "message"),
    [
        (np.eye(3), None, r"basis must have the shape \(4, direction\)"),
        (2 * np.eye(4), None, "orthonormal, V'V differs from 1 by 3"),
        (np.full((4, 1), np.nan), None, "basis|orthonormal"),
        (np.eye(4), [0.0, 1.0], "origin must have 4 coordinates"),
    ],
)
def test_bad_directions_are_refused_in_one_line(cloud, basis, origin, message):
    with pytest.raises(ValueError, match=message) as refusal:
        project(cloud, basis, origin)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("basis", "origin", "message"),
    [
        (np.eye(4) + 1e-3, None, "must be orthonormal, V'V differs from 1 by"),
        (np.zeros((4, 0)), None, "basis must have the shape"),
        (np.eye(4), [0.0, np.nan, 0.0, 0.0], "origin must have 4 coordinates like the cloud, all finite"),
        (None, None, "basis must have the shape"),
    ],
)
def test_directions_that_are_nearly_or_not_at_all_such_are_refused(cloud, basis, origin, message):
    with pytest.raises(ValueError, match=message):
        project(cloud, basis, origin)


def test_a_particle_at_infinity_is_lost_without_a_word(cloud):
    lost = cloud.copy(deep=True)
    lost["position"][-1, 0, 0] = np.inf
    found = project(lost, np.eye(4)[:, 1:3])["position"].values
    assert not np.isfinite(found[-1, 0]).any()
    np.testing.assert_array_equal(found[:, 1:], project(cloud, np.eye(4)[:, 1:3])["position"].values[:, 1:])
