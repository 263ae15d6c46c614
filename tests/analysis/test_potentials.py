import numpy as np
import pytest
from asserts import assert_within
from clouds import cloud_of
from grid_landscapes import Bowl, Well

from sgdphys import schema
from sgdphys.analysis import potential
from sgdphys.fokker_planck import Grid, stationary
from sgdphys.landscapes import Quadratic
from sgdphys.noises import Formula, Isotropic

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


@pytest.mark.parametrize("temperature", [0.1, 0.2])
def test_the_potential_depends_on_temperature_where_the_noise_depends_on_place(temperature):
    # physics.md C5: f = x^2/2, D = 1 + x^2, Ito: Phi = (T + 1/2) ln(1 + x^2), which is no potential of T alone
    line = Grid([(-8, 8, 800)])
    density = stationary(Quadratic(1.0), Formula("1 + x**2"), temperature=temperature, grid=line)
    found = potential(density, temperature)["effective_potential"][0]
    log = np.log1p(line.centres[0] ** 2)
    np.testing.assert_allclose(found - found[400], (temperature + 0.5) * (log - log[400]), atol=1e-3)


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


def test_errors_stay_honest_in_cells_of_few_counts():
    # exact coverage of two standard errors for expected counts of .5 to 30, given that the cell is not empty
    rng = np.random.default_rng(9)
    expected = np.array([1.0, 2.0, 3.0, 5.0, 10.0, 30.0])
    counts = rng.poisson(expected, size=(20_000, 6))
    known = counts > 0
    count = 10_000  # other particles lie in the first cell, so that all runs have as many
    points = np.zeros((1, count))
    points[0, : counts[0].sum()] = np.repeat(np.arange(1, 7), counts[0])
    found = potential(cloud_of(points[0]), 1.0, Grid([(-0.5, 6.5, 7)]))["effective_potential_standard_error"][0, 1:]
    with np.errstate(divide="ignore"):
        stated = np.sqrt(1 / counts - 1 / count)
        deviation = np.abs(np.log(counts / expected))
    np.testing.assert_allclose(found, np.where(known[0], stated[0], np.nan), rtol=1e-9)
    covered = (known & (deviation < 2 * stated)).sum(axis=0) / known.sum(axis=0)
    assert np.all((covered > 0.93) & (covered < 0.98))
    half_error = (np.log(np.where(known, counts, 1)) - np.log(expected) + np.where(known, stated, 0) ** 2 / 2) * known
    np.testing.assert_allclose((half_error.sum(axis=0) / known.sum(axis=0))[3:], 0, atol=0.03)


def test_kernels_show_the_potential_with_their_bias_stated():
    rng = np.random.default_rng(10)
    cloud = cloud_of(np.sqrt(0.1) * rng.normal(size=100_000))
    line = Grid([(-0.8, 0.8, 33)])
    result = potential(cloud, 0.1, line, method="kernel").isel(time=0)
    offset = result["effective_potential"] - Bowl().potential(line.points())
    corrected = offset - result["effective_potential_bias"]
    error = np.hypot(result["effective_potential_standard_error"], result["effective_potential_standard_error"][16])
    assert_within(corrected - corrected[16], 0.0, error)
    counted = potential(cloud, 0.1, line).isel(time=0)["effective_potential_standard_error"]
    assert float((result["effective_potential_standard_error"] / counted)[[2, 16, 30]].max()) < 0.9
    for name in result:
        assert result[name].attrs == schema.describe(str(name))


def test_pooled_frames_are_not_taken_for_independent():
    rng = np.random.default_rng(11)
    frame = rng.normal(size=10_000)
    once = potential(cloud_of(frame), 1.0, Grid([(-2, 2, 8)])).isel(time=0)
    repeated = potential(cloud_of(*[frame] * 4), 1.0, Grid([(-2, 2, 8)]), pool=True).isel(time=0)
    for name in ("effective_potential", "effective_potential_standard_error"):
        np.testing.assert_allclose(repeated[name], once[name], rtol=1e-9, atol=1e-12)


def test_a_method_that_is_none_is_refused():
    with pytest.raises(ValueError, match="method must be histogram or kernel, got 'spline'"):
        potential(cloud_of(np.zeros(10)), 1.0, method="spline")


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(ValueError, match="temperature must be positive"):
        potential(cloud_of(np.zeros(10)), temperature)


def test_the_bias_of_kernels_has_the_sign_of_what_they_do():
    """Kernels of width h make a Gaussian of variance 1 + h^2: too high a potential in its middle, too low far out."""
    rng = np.random.default_rng(11)
    grid = Grid([(-2.5, 2.5, 25)])
    found = potential(cloud_of(rng.normal(size=200_000)), 0.5, grid, method="kernel", bandwidth=0.2).isel(time=0)
    x = grid.centres[0]
    exact = 0.5 * ((np.log(1.04) + x**2 / 1.04 - x**2) / 2)
    assert exact[12] > 0 > exact[0]
    np.testing.assert_allclose(found["effective_potential_bias"], exact, atol=0.15 * np.abs(exact).max())


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.nan, np.inf, "warm", None, [1.0], 1j])
def test_temperatures_that_are_none_are_refused_in_one_line(temperature):
    cloud = cloud_of(np.random.default_rng(0).normal(size=50))
    with pytest.raises(ValueError, match="temperature must be positive and finite, got") as told:
        potential(cloud, temperature)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("method", ["histogram", "kernel"])
def test_clouds_and_grids_that_do_not_fit_are_refused_in_one_line(method):
    cloud = cloud_of(np.random.default_rng(0).normal(size=50))
    plane = cloud_of(np.random.default_rng(0).normal(size=(50, 4)))
    for part, grid, message in (
        (None, None, "takes a Dataset"),
        (cloud["position"], None, "takes a Dataset"),
        (cloud, Grid([(50, 60, 4)]), "no particle of any frame lies on the grid"),
        (cloud, Grid([(-1, 1, 4), (-1, 1, 4)]), "the grid has 2 axes, the cloud 1 coordinates"),
        (cloud, (-1, 1, 4), "grid must be a Grid"),
        (cloud.isel(particle=slice(0)), None, "one particle and one coordinate or more"),
        (cloud * np.nan, None, "finite"),
        (plane, None, "three"),
        (
            cloud_of(np.zeros((9, 2))).assign_coords(coordinate=["x", "x"]),
            None,
            "names of the coordinates|share a coord",
        ),
    ):
        with pytest.raises(ValueError, match=message) as told:
            potential(part, 1.0, grid, method=method)
        assert "\n" not in str(told.value)
    with pytest.raises(ValueError, match="method must be histogram or kernel"):
        potential(cloud, 1.0, method=["kernel"])
