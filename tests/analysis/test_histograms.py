import numpy as np
import pytest
from asserts import assert_excluded, assert_within
from clouds import cloud_of
from grid_landscapes import Bowl

from sgdphys import schema
from sgdphys.analysis import histogram
from sgdphys.analysis.histograms import fitting_grid
from sgdphys.fokker_planck import Grid, stationary


def test_counts_agree_with_the_density_within_their_errors():
    rng = np.random.default_rng(7)
    cloud = cloud_of(0.5 * rng.normal(size=(200_000, 2)))
    grid = Grid([(-2, 2, 40), (-2, 2, 40)])
    counted = histogram(cloud, grid)
    schema.validate_density(counted)
    exact = stationary(Bowl(((1.0, 0.0), (0.0, 1.0))), temperature=0.25, grid=grid)
    often = exact["density"] * grid.cell_volume > 50 / 200_000
    z = ((counted["density"] - exact["density"]) / counted["density_standard_error"]).where(often)
    assert float(np.abs(z).max()) < 5
    assert_within(float((z**2).mean()), 1.0, np.sqrt(2 / int(often.sum())))


def test_mass_is_the_fraction_on_the_grid():
    frame = np.array([-1.0, 0.1, 0.2, 0.9, 2.0, np.nan])
    counted = histogram(cloud_of(frame), Grid([(0, 1, 4)]))
    assert float(counted["mass"][0]) == pytest.approx(3 / 5)
    assert int(counted["particle_count"][0]) == 5
    np.testing.assert_allclose(counted["density"][0], np.array([2, 0, 0, 1]) / 5 / 0.25)
    np.testing.assert_allclose(counted["density_standard_error"][0, 0], np.sqrt(0.4 * 0.6 / 5) / 0.25)


def test_fitting_grid_holds_every_frame():
    rng = np.random.default_rng(0)
    cloud = cloud_of(np.full(1000, -3.0), rng.normal(size=1000))
    assert float(histogram(cloud)["mass"].min()) == 1.0
    ((low, high, cells),) = fitting_grid(cloud).axes
    assert low < -3
    assert high > cloud["position"].max()
    assert 2 <= cells <= 400
    assert fitting_grid(cloud_of(np.full(10, 0.5))).axes == ((0.0, 1.0, 2),)


def test_labels_of_the_coordinates_name_the_axes():
    cloud = cloud_of(np.random.default_rng(0).normal(size=(100, 2))).assign_coords(coordinate=["weight", "bias"])
    assert histogram(cloud)["density"].dims == ("time", "weight", "bias")


def test_pooled_frames_have_the_errors_of_independent_particles():
    # six frames that repeat one frame tell nothing new; six independent ones tell six times as much
    rng = np.random.default_rng(4)
    grid = Grid([(-2, 2, 16)])
    frame = rng.normal(size=20_000)
    once = histogram(cloud_of(frame), grid)
    repeated = histogram(cloud_of(*[frame] * 6), grid, pool=True)
    fresh = histogram(cloud_of(*rng.normal(size=(6, 20_000))), grid, pool=True)
    np.testing.assert_allclose(repeated["density"], once["density"], rtol=1e-12)
    np.testing.assert_allclose(repeated["density_standard_error"], once["density_standard_error"], rtol=1e-9)
    ratio = once["density_standard_error"] / fresh["density_standard_error"]
    np.testing.assert_allclose(ratio, np.sqrt(6), rtol=0.1)
    assert repeated.sizes["time"] == 1
    assert int(repeated["particle_count"][0]) == 20_000
    assert repeated.attrs["pooled_frames"] == 6


def test_pooled_errors_are_the_spread_of_repetitions():
    # frames of an autoregression with correlation .8 between neighbours
    rng = np.random.default_rng(5)
    grid = Grid([(-3, 3, 12)])
    runs = [histogram(correlated_cloud(rng, 400), grid, pool=True) for _ in range(300)]
    spread = np.std([run["density"][0] for run in runs], axis=0, ddof=1)
    stated = np.sqrt(np.mean([run["density_standard_error"][0] ** 2 for run in runs], axis=0))
    np.testing.assert_allclose(stated[2:-2], spread[2:-2], rtol=4 / np.sqrt(2 * 300))
    binomial = np.sqrt(np.mean([run["density"][0] for run in runs], axis=0) / grid.cell_volume / (400 * 8))
    ratio = float(np.mean(spread[2:-2] / binomial[2:-2]))
    assert_excluded(ratio, 1.0, ratio / np.sqrt(2 * 300 * 8))  # eight frames taken for independent


def correlated_cloud(rng, count):
    frames = [rng.normal(size=count)]
    for _ in range(7):
        frames.append(0.8 * frames[-1] + 0.6 * rng.normal(size=count))
    return cloud_of(*frames)


@pytest.mark.parametrize(
    ("cloud", "grid", "message"),
    [
        (cloud_of(np.zeros((10, 2))), Grid([(-1, 1, 5)]), "1 axes, the cloud 2 coordinates"),
        (stationary(Bowl(), temperature=1.0, grid=Grid([(-5, 5, 5)])), None, "a cloud needs position"),
    ],
)
def test_bad_input_is_refused_in_one_line(cloud, grid, message):
    with pytest.raises(ValueError, match=message):
        histogram(cloud, grid)
