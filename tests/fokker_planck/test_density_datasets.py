import json

import numpy as np
import pytest
from grid_landscapes import Well

from sgdphys import SGD, schema
from sgdphys.fokker_planck import Grid
from sgdphys.fokker_planck.density_datasets import axis_names, configuration_text, density_dataset
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
