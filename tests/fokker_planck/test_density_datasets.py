import json

import numpy as np
import pytest
from grid_landscapes import Well

from sgdphys import SGD, schema
from sgdphys.fokker_planck import Grid
from sgdphys.fokker_planck.density_datasets import axis_names, configuration_text, density_dataset, warn_of_cut_off
from sgdphys.landscapes import Expression
from sgdphys.noises import Diagonal

PLANE = Grid([(0, 1, 4), (0, 1, 5)])


def test_frames_become_a_valid_density():
    dataset = density_dataset(PLANE, ["x", "y"], [0.0, 2.0], np.ones((2, 20)), "{}", time_error=np.zeros(2))
    schema.validate_density(dataset)
    assert dataset["density"].dims == ("time", "x", "y")
    np.testing.assert_allclose(dataset["mass"], 1.0)
    np.testing.assert_allclose(dataset["boundary_mass"], 14 / 20)
    for name in dataset:
        assert dataset[name].attrs == schema.describe(str(name))


def test_axes_are_named_as_the_landscape_names_them():
    assert axis_names(Well(dim=2), PLANE) == ["x", "y"]
    assert axis_names(Expression("x0**2 + x1**2"), PLANE) == ["x0", "x1"]


def test_configuration_holds_every_setting():
    sgd = SGD(lr=0.1, batch_size=2)
    text = configuration_text("evolve", Expression("h*x**2", h=2.0), Diagonal([1.0]), None, sgd, PLANE, tolerance=1e-6)
    configuration = json.loads(text)
    assert configuration["verb"] == "evolve"
    assert configuration["sgd"]["lr"] == pytest.approx(0.1)
    assert configuration["noise"] == {"noise": "Diagonal", "c": [1.0]}
    assert configuration["grid"] == [[0, 1, 4], [0, 1, 5]]
    assert configuration["landscape"]["landscape"] == "Expression"
    plain = json.loads(configuration_text("evolve", Well(), None, 0.1, None, PLANE))
    assert plain["landscape"] == {"landscape": "Well"}


@pytest.mark.parametrize("wall", [1.0, 1.3])
def test_the_warning_tells_what_lies_beyond(wall):
    # exp(-2 x) from a far wall at 0 on: exp(-2 wall) lies beyond, however fine the cells
    for cells in (40, 200):
        grid = Grid([(0, wall, cells)], [("reflecting", "far")])
        frames = np.exp(-2 * grid.centres[0])[np.newaxis]
        frames *= -np.expm1(-2 * wall) / (frames.sum() * grid.cell_volume)
        with pytest.warns(UserWarning, match=f"about {np.exp(-2 * wall):.2g} of the probability lies beyond the high"):
            warn_of_cut_off(frames, grid)


def test_a_density_that_does_not_fall_towards_the_wall():
    grid = Grid([(0, 1, 50)], [("far", "reflecting")])
    with pytest.warns(UserWarning, match="about 0.02 of the probability lies beyond the low wall of axis 0, at 0"):
        warn_of_cut_off(np.ones((1, 50)), grid)
