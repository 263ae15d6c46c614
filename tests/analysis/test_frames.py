import numpy as np
import pytest
from clouds import cloud_of
from grid_landscapes import Well

from sgdphys.analysis.frames import (
    axis_labels,
    cell_centres,
    cell_volume,
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
