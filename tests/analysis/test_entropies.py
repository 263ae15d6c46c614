import math

import numpy as np
import pytest
import xarray as xr
from asserts import assert_within
from clouds import cloud_of
from grid_landscapes import Bowl

from sgdphys import schema
from sgdphys.analysis import entropy
from sgdphys.fokker_planck import Grid, stationary

UNIT = 0.5 * math.log(2 * math.pi * math.e)


@pytest.mark.parametrize("method", ["auto", "gaussian", "nearest-neighbour", "grid"])
def test_every_method_finds_the_gaussian_over_time(method):
    rng = np.random.default_rng(2)
    cloud = cloud_of(rng.normal(size=20_000), 3 * rng.normal(size=20_000) + 1, times=[0.5, 2.0])
    result = entropy(cloud, method)
    assert_within(result["entropy"], UNIT + np.log([1, 3]), result["entropy_standard_error"])
    np.testing.assert_array_equal(result["time"], [0.5, 2.0])
    assert result["entropy"].attrs == schema.describe("entropy")
    assert result.attrs["method"] == ("nearest-neighbour" if method == "auto" else method)


def test_auto_takes_many_coordinates_for_gaussian():
    rng = np.random.default_rng(2)
    result = entropy(cloud_of(rng.normal(size=(300, 8))))
    assert result.attrs["method"] == "gaussian"
    assert_within(result["entropy"], 8 * UNIT, result["entropy_standard_error"])


def test_a_density_is_summed():
    density = stationary(Bowl(((1.0, 0.0), (0.0, 4.0))), temperature=0.1, grid=Grid([(-3, 3, 120), (-1.5, 1.5, 120)]))
    result = entropy(density)
    assert float(result["entropy"][0]) == pytest.approx(2 * UNIT + 0.5 * math.log(0.1 * 0.025), abs=1e-6)
    assert float(result["entropy_standard_error"][0]) == 0
    assert "particle_count" not in result


def test_particles_that_left_are_left_out_and_counted():
    rng = np.random.default_rng(4)
    frame = rng.normal(size=(5000, 2))
    broken = frame.copy()
    broken[:1000, 1] = np.nan
    broken[1000, 0] = np.inf
    both = entropy(cloud_of(frame[1001:]), "gaussian")
    result = entropy(cloud_of(broken), "gaussian")
    assert float(result["entropy"][0]) == float(both["entropy"][0])
    assert int(result["particle_count"][0]) == 3999


def test_single_precision_storage_does_not_change_the_answer():
    frame = np.random.default_rng(5).normal(size=50_000)
    cloud = cloud_of(frame)
    rough = cloud.assign(position=cloud["position"].astype(np.float32))
    assert float(entropy(rough)["entropy"][0]) == pytest.approx(float(entropy(cloud)["entropy"][0]), abs=1e-4)


def test_a_point_start_has_minus_infinite_entropy():
    result = entropy(cloud_of(np.full(100, -1.0), np.random.default_rng(0).normal(size=100)))
    assert float(result["entropy"][0]) == -math.inf
    assert math.isfinite(float(result["entropy"][1]))


@pytest.mark.parametrize(
    ("dataset", "method", "message"),
    [
        (xr.Dataset({"weight": ("time", [1.0])}), "auto", r"a cloud needs position"),
        (np.zeros((10, 1)), "auto", "an analysis takes a Dataset .* got ndarray"),
        (cloud_of(np.zeros(10))["position"], "auto", "got DataArray"),
        (cloud_of(np.zeros(10)), "histogram", "method must be one of"),
        (cloud_of(np.full(10, np.nan)), "auto", "got 0"),
        (cloud_of(np.full(10, np.nan)), "grid", "no grid fits 0 finite positions"),
        (cloud_of(np.zeros((10, 4))), "grid", "give grid="),
        (cloud_of(np.zeros(10)).isel(time=slice(0)), "auto", "holds no frame"),
    ],
)
def test_bad_input_is_refused_in_one_line(dataset, method, message):
    with pytest.raises(ValueError, match=message) as refusal:
        entropy(dataset, method)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("dim", "axes"), [(1, 2), (2, 1)])
def test_a_grid_of_another_dimension_is_refused(dim, axes):
    # it would count a line as the diagonal of a plane: -1.40 instead of .32 nat for a standard deviation of 1/3
    cloud = cloud_of(np.random.default_rng(0).normal(size=(100, dim)) / 3)
    with pytest.raises(ValueError, match=f"the grid has {axes} axes, the cloud {dim} coordinates"):
        entropy(cloud, "grid", grid=Grid([(-3, 3, 30)] * axes))
