import numpy as np
import pytest

from sgdphys.fokker_planck import Grid


def test_values_belong_to_cell_centres():
    grid = Grid([(-1, 1, 4)])
    np.testing.assert_allclose(grid.centres[0], [-0.75, -0.25, 0.25, 0.75])
    np.testing.assert_allclose(grid.edges[0], [-1, -0.5, 0, 0.5, 1])
    assert grid.spacing == (0.5,)


def test_points_run_over_the_last_coordinate_first():
    grid = Grid([(0, 2, 2), (10, 13, 3)])
    x, y = grid.points().T
    np.testing.assert_allclose(x, [0.5, 0.5, 0.5, 1.5, 1.5, 1.5])
    np.testing.assert_allclose(y, [10.5, 11.5, 12.5, 10.5, 11.5, 12.5])
    assert grid.shape == (2, 3)
    assert grid.size == 6
    assert grid.cell_volume == pytest.approx(1.0)


def test_three_axes_are_a_grid_too():
    grid = Grid([(0, 1, 2), (0, 1, 3), (0, 1, 4)])
    assert grid.points().shape == (24, 3)
    assert grid.cell_volume == pytest.approx(1 / 24)


def test_equal_grids_are_equal_and_hashable():
    assert Grid([(0, 1, 2)]) == Grid(((0.0, 1.0, 2.0),))
    assert hash(Grid([(0, 1, 2)])) == hash(Grid([(0, 1, 2)]))


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ([], "needs at least one axis"),
        ([(1, 1, 10)], "finite walls low < high, got low=1, high=1"),
        ([(2, 1, 10)], "finite walls low < high"),
        ([(0, float("nan"), 10)], "finite walls low < high"),
        ([(0, float("inf"), 10)], "finite walls low < high"),
        ([(0, 1, 1)], "2 or more, got 1"),
        ([(0, 1, 10.5)], "whole number of cells"),
        ([(0, 1, float("nan"))], "whole number of cells"),
        ([(0, 1)], r"must be \(low, high, cells\)"),
        ([(0, 1, 5), (0, -1, 5)], "axis 1 of a grid"),
        ([("a", 1, 5)], "axis 0 of a grid must be three numbers"),
        ([(0, None, 5)], "axis 0 of a grid must be three numbers"),
        (None, "a grid needs a list of axes"),
        ("abc", "a grid needs a list of axes"),
    ],
)
def test_bad_axes_are_refused_in_one_line(axes, message):
    with pytest.raises(ValueError, match=message) as refusal:
        Grid(axes)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("boundaries", "message"),
    [
        ("Periodic", "boundaries of axis 0 must be of far, reflecting, periodic, absorbing, got"),
        (None, "boundaries must be of far, .* or a list of them, got None"),
        ([None], "boundaries of axis 0 must be of far"),
        ([("far",)], "boundaries of axis 0 must be of far"),
        ([("far", "periodic")], "periodic on both sides or on none"),
        (["far", "far"], "one entry for each of 1 axes, got 2"),
    ],
)
def test_bad_boundaries_are_refused_in_one_line(boundaries, message):
    with pytest.raises(ValueError, match=message) as refusal:
        Grid([(-1, 1, 10)], boundaries)
    assert "\n" not in str(refusal.value)
