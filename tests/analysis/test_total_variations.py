import numpy as np
import pytest
import xarray as xr
from asserts import assert_excluded, assert_within
from clouds import cloud_of
from grid_landscapes import Bowl, Well
from scipy.special import factorial

from sgdphys import schema
from sgdphys.analysis import histogram, total_variation, total_variations
from sgdphys.analysis.total_variations import grid_of
from sgdphys.fokker_planck import Grid, evolve, stationary

LINE = Grid([(-2.5, 2.5, 50)])


def density_of(cell_probabilities):
    """Return a density on [0, 1] whose equal cells hold the probabilities; what they lack lies outside."""
    cells = len(cell_probabilities)
    values = np.asarray(cell_probabilities, float)[None] * cells
    return xr.Dataset({"density": (("time", "x"), values)}, {"time": [0.0], "x": (np.arange(cells) + 0.5) / cells})


def cloud_of_counts(counts):
    """Return particles at cell centres of [0, 1]; the last count lies outside."""
    return cloud_of(np.repeat((np.arange(len(counts)) + 0.5) / (len(counts) - 1), counts))


def test_the_expectation_is_the_average_over_all_outcomes():
    size, chances = 12, np.array([0.5, 0.03, 0.27, 0.2])
    density = density_of(chances[:3])
    ways, distances, squares = [], [], []
    for a, b, c in np.ndindex(size + 1, size + 1, size + 1):
        if a + b + c <= size:
            counts = np.array([a, b, c, size - a - b - c])
            ways.append(np.prod(chances**counts) * factorial(size) / factorial(counts).prod())
            found = total_variation(cloud_of_counts(counts), density)
            distances.append(float(found["total_variation"][0]))
            squares.append(float(found["chi_square"][0]))
    exact = np.dot(ways, distances)
    np.testing.assert_allclose(found["expected_total_variation"], exact, rtol=1e-12)
    spread = np.sqrt(np.dot(ways, np.square(distances)) - exact**2)
    np.testing.assert_allclose(found["total_variation_standard_error"], spread, rtol=0.1)
    assert found["degrees_of_freedom"].values == 1  # cells of 6 expected particles, and of 6 in three sparse ones
    np.testing.assert_allclose(np.dot(ways, squares), 1, rtol=1e-12)


@pytest.mark.parametrize("cells", [1000, 40])
def test_draws_from_the_reference_have_excesses_of_unit_variance(cells):
    rng = np.random.default_rng(3)
    chances = rng.dirichlet(np.ones(cells))
    frames = [np.repeat((np.arange(cells) + 0.5) / cells, rng.multinomial(3000, chances)) for _ in range(200)]
    found = total_variation(cloud_of(*frames), density_of(chances))
    for name in ("total_variation_z", "chi_square_z"):
        z = found[name].values
        assert_within(z.mean(), 0, 1 / np.sqrt(200))
        assert_within(z.var(), 1, 1.1 * np.sqrt(2 / 200))
    approximate = np.sqrt(2 * chances * (1 - chances) / (np.pi * 3000)).sum() / 2
    assert float(found["expected_total_variation"][0]) < approximate  # the normal formula overstates sparse cells
    np.testing.assert_allclose(found["expected_total_variation"], approximate, rtol=0.25 if cells == 1000 else 0.01)


def test_a_gibbs_cloud_is_told_from_that_of_another_temperature():
    rng = np.random.default_rng(5)
    cloud = cloud_of(np.sqrt(0.1) * rng.normal(size=50_000))
    grid = Grid([(-2, 2, 400)])
    for merge in (1, 10):
        right = total_variation(cloud, stationary(Bowl(), temperature=0.1, grid=grid), merge=merge)
        wrong = total_variation(cloud, stationary(Bowl(), temperature=0.12, grid=grid), merge=merge)
        for name in ("total_variation_z", "chi_square_z"):
            assert_within(right[name], 0.0, 1.0)
            assert_excluded(wrong[name], 0.0, 1.0)
    assert right["total_variation"].attrs == schema.describe("total_variation")


def test_frames_of_equal_time_are_compared():
    density = evolve(Bowl(), temperature=0.1, grid=LINE, start=0.5, times=[0.0, 0.5, 1.0])
    found = total_variation(density, density.isel(time=[0, 2]), time=1.0)
    assert found["time"].values.tolist() == [1.0]
    assert float(found["total_variation"][0]) == 0
    assert total_variation(density, density)["total_variation"].shape == (3,)
    with pytest.raises(ValueError, match=r"the reference has no frame at time 0\.5"):
        total_variation(density, density.isel(time=[0, 2]))
    with pytest.raises(ValueError, match=r"the Dataset has no frame at time 0\.7"):
        total_variation(density, density, time=0.7)


def test_the_distance_of_densities_is_half_the_integral():
    first, second = density_of([0.5, 0.3]), density_of([0.2, 0.8])
    np.testing.assert_allclose(total_variation(first, second)["total_variation"], [0.5])
    assert total_variation(first, second)["total_variation_standard_error"].values == 0
    np.testing.assert_allclose(total_variation(first, second, merge=2)["total_variation"], [0.2])


def test_what_is_outside_the_grid_is_a_cell():
    cloud = cloud_of(np.array([0.1, 0.9, 7.0, np.nan]))
    found = total_variation(cloud, density_of([0.25, 0.25]))
    np.testing.assert_allclose(found["total_variation"], [0.0], atol=1e-15)
    assert found["particle_count"].values == 4


def test_particles_where_there_is_no_probability_are_found():
    found = total_variation(cloud_of_counts([500, 500, 60]), density_of([0.5, 0.5]))
    np.testing.assert_allclose(found["total_variation"], 60 / 1060, rtol=1e-12)
    assert float(found["total_variation_z"][0]) > 3


def test_a_grid_of_planes_is_found_again():
    grid = Grid([(-2, 2, 8), (0, 3, 5)])
    plane = histogram(cloud_of(np.random.default_rng(0).normal(size=(100, 2))), grid)
    np.testing.assert_allclose(grid_of(plane).axes, grid.axes, rtol=1e-12)
    assert total_variation(plane, plane, merge=3)["total_variation"].values == 0


def test_bad_input_is_refused():
    density = stationary(Well(), temperature=0.1, grid=LINE)
    with pytest.raises(ValueError, match="the reference must be a density"):
        total_variation(density, cloud_of(np.zeros(3)))
    with pytest.raises(ValueError, match="must share their grid"):
        total_variation(stationary(Well(), temperature=0.1, grid=Grid([(-3, 3, 50)])), density)
    with pytest.raises(ValueError, match="merge must be a positive integer"):
        total_variation(density, density, merge=0)
    with pytest.raises(ValueError, match="the grid has 1 axes, the cloud 2"):
        total_variation(cloud_of(np.zeros((3, 2))), density)


def test_the_spread_of_chi_square_holds_in_cells_of_few_particles():
    """Twenty cells of six expected particles each: without the terms of 1/n the spread would be 10 % off."""
    rng = np.random.default_rng(15)
    expected = np.full(20, 6.0)
    scores = [total_variations._chi_square(counts * 1.0, expected)["chi_square_z"] for counts in
              rng.multinomial(120, expected / 120, size=10_000)]  # fmt: skip
    assert_within(np.std(scores), 1.0, 0.0085)
    assert_within(np.mean(scores), 0.0, 0.01)


def test_a_negative_reference_is_refused():
    cloud = cloud_of_counts([40, 30, 30, 0, 0])
    found = total_variation(cloud, density_of([0.4, 0.3001, 0.3, -1e-4]))
    assert float(found["total_variation"][0]) < 0.15
    with pytest.raises(ValueError, match=r"the reference holds the negative probability -0\.1: solve it"):
        total_variation(cloud, density_of([0.4, 0.4, 0.3, -0.1]))


def test_cells_are_merged_along_all_axes():
    rng = np.random.default_rng(3)
    cloud = cloud_of(rng.uniform(size=(400, 2)))
    centres = (np.arange(6) + 0.5) / 6
    density = xr.Dataset(
        {"density": (("time", "x", "y"), np.ones((1, 6, 6)))}, {"time": [0.0], "x": centres, "y": centres}
    )
    counts = np.histogram2d(*cloud["position"].values[0].T, bins=3, range=[[0, 1], [0, 1]])[0]
    found = total_variation(cloud, density, merge=2)
    assert int(found["degrees_of_freedom"][0]) == 8
    assert float(found["chi_square"][0]) == pytest.approx(np.sum((counts - 400 / 9) ** 2 / (400 / 9)))
