import numpy as np
import pytest
from clouds import cloud_of
from grid_landscapes import Well

from sgdphys.analysis.frames import (
    axis_labels,
    cell_centres,
    cell_volume,
    check_cloud,
    check_times,
    finite_points,
    frame_count,
    resolution,
    series,
)
from sgdphys.fokker_planck import Grid, stationary

GRID = Grid([(-1, 1, 4), (0, 3, 6)], "reflecting")


def test_cells_of_a_density_are_those_of_its_grid():
    density = stationary(Well(dim=2), temperature=1.0, grid=GRID)
    np.testing.assert_allclose(cell_centres(density), GRID.points(), atol=1e-15)
    assert cell_volume(density) == pytest.approx(GRID.cell_volume)
    assert axis_labels(density) == ["x", "y"]


def test_points_are_double_precision_and_finite():
    cloud = cloud_of(np.array([[1.0, 2.0], [np.nan, 0.0], [3.0, -np.inf]]).astype(np.float32))
    points = finite_points(cloud, 0)
    assert points.dtype == np.float64
    np.testing.assert_array_equal(points, [[1.0, 2.0]])
    assert resolution(cloud, points) == np.spacing(np.float32(2))


def test_series_keep_what_belongs_to_time():
    cloud = cloud_of(np.zeros(5), np.ones(5), times=[0.0, 0.5]).assign_coords(step=("time", [0, 10]), lr=0.1)
    result = series(cloud, {"entropy": [1.0, 2.0]}, {"method": "gaussian"})
    assert set(result.coords) == {"time", "step", "lr"}
    assert result.attrs == {"method": "gaussian"}
    assert frame_count(cloud) == 2


@pytest.mark.parametrize("function", [check_cloud, frame_count])
def test_what_is_no_cloud_of_numbers_is_refused_in_one_line(function):
    cloud = cloud_of(*np.zeros((2, 3)))
    for part, message in (
        (cloud["position"], "takes a Dataset"),
        (cloud.isel(time=slice(0)), "holds no frame"),
        (cloud.isel(particle=slice(0)), "got 0 and 1"),
        (cloud.isel(coordinate=slice(0)), "got 3 and 0"),
        (cloud.astype(object), "position of a cloud must be real numbers, got object"),
        (cloud > 0, "got bool"),
        (cloud.assign_coords(time=np.array([0, 1], "datetime64[s]")), "the time of a cloud must be real numbers"),
    ):
        with pytest.raises(ValueError, match=message) as told:
            function(part)
        assert "\n" not in str(told.value)
    function(cloud.astype(np.float32))
    function(cloud.astype(int))


@pytest.mark.parametrize("times", [[1.0, 0.0], [0.0, 0.0], [0.0, np.nan], [0.0, np.inf]])
def test_times_that_do_not_rise_are_refused(times):
    check_times(cloud_of(*np.zeros((2, 3))))
    with pytest.raises(ValueError, match="must be finite and rise"):
        check_times(cloud_of(*np.zeros((2, 3)), times=times))


@pytest.mark.parametrize("names", [["x", "x"], ["x", "time"], ["coordinate", "y"]])
def test_names_of_axes_that_clash_are_refused(names):
    cloud = cloud_of(np.zeros((3, 2)))
    assert axis_labels(cloud.assign_coords(coordinate=["theta", "phi"])) == ["theta", "phi"]
    with pytest.raises(ValueError, match="names of the coordinates must differ"):
        axis_labels(cloud.assign_coords(coordinate=names))
