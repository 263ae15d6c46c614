import numpy as np
import pytest
from asserts import assert_within
from clouds import cloud_of
from grid_landscapes import Bowl, Well

from sgdphys import schema
from sgdphys.analysis import potential
from sgdphys.fokker_planck import Grid, stationary
from sgdphys.noises import Isotropic

LINE = Grid([(-2, 2, 80)])


def test_the_potential_of_the_gibbs_state_is_the_landscape():
    found = potential(stationary(Well(tilt=0.1), temperature=0.1, grid=LINE), 0.1)["effective_potential"][0]
    exact = Well(tilt=0.1).potential(LINE.points())
    np.testing.assert_allclose(found, exact - exact.min(), atol=1e-13)
    assert found.attrs == schema.describe("effective_potential")


def test_the_potential_of_scaled_noise_is_the_scaled_landscape():
    found = potential(stationary(Well(), Isotropic(2.0), temperature=0.1, grid=LINE), 0.1)["effective_potential"][0]
    exact = Well().potential(LINE.points())
    np.testing.assert_allclose(found, (exact - exact.min()) / 2, atol=1e-13)


def test_a_cloud_shows_its_potential_within_the_errors_of_counts():
    rng = np.random.default_rng(8)
    cloud = cloud_of(np.sqrt(0.1) * rng.normal(size=400_000))
    result = potential(cloud, 0.1, Grid([(-1, 1, 50)])).isel(time=0)
    exact = Bowl().potential(result["x"].values[:, None])
    offset = result["effective_potential"] - exact
    weights = 1 / result["effective_potential_standard_error"] ** 2
    offset = offset - float((offset * weights).sum() / weights.sum())
    assert_within(offset, 0.0, result["effective_potential_standard_error"])
    doubled = potential(cloud, 0.2, Grid([(-1, 1, 50)])).isel(time=0)["effective_potential"]
    assert float((doubled - exact)[-1] / result["effective_potential_standard_error"][-1]) > 10


def test_empty_cells_are_unknown():
    result = potential(cloud_of(np.array([0.1, 0.1, 0.9])), 0.5, Grid([(0, 1, 4)]))
    np.testing.assert_allclose(result["effective_potential"][0], [0, np.nan, np.nan, 0.5 * np.log(2)])
    assert np.isnan(result["effective_potential_standard_error"][0, 1])
    np.testing.assert_allclose(result["effective_potential_standard_error"][0, 0], 0.5 * np.sqrt(1 / 3 / 2))


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(ValueError, match="temperature must be positive"):
        potential(cloud_of(np.zeros(10)), temperature)
