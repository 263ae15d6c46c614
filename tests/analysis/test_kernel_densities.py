import numpy as np
import pytest
from asserts import assert_excluded, assert_within
from clouds import cloud_of

from sgdphys import schema
from sgdphys.analysis import kernel_density
from sgdphys.fokker_planck import Grid, stationary

LINE = Grid([(-4, 4, 81)])


def gaussian(x, variance=1.0):
    return np.exp(-(x**2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)


def test_the_density_is_the_sum_of_the_kernels():
    points = np.random.default_rng(0).normal(size=(50, 2))
    grid = Grid([(-2, 2, 9), (-2, 2, 7)])
    found = kernel_density(cloud_of(points), grid, (0.4, 0.3)).isel(time=0)
    apart = grid.points()[:, None, :] - points[None]
    kernels = np.prod([gaussian(apart[..., axis], h**2) for axis, h in enumerate((0.4, 0.3))], axis=0)
    np.testing.assert_allclose(found["density"].values.ravel(), kernels.mean(axis=1), atol=6e-4)
    spread = kernels.std(axis=1) / np.sqrt(50)
    np.testing.assert_allclose(found["density_standard_error"].values.ravel(), spread, atol=6e-4)
    schema.validate_density(kernel_density(cloud_of(points), grid))


def test_errors_are_the_spread_of_repetitions_around_the_smoothed_density():
    # 400 clouds: the mean is p convolved with the kernel, exactly; the spread is known to 1/sqrt(800) in each cell
    rng = np.random.default_rng(1)
    found = kernel_density(cloud_of(*rng.normal(size=(400, 1000))), LINE, 0.3)
    smooth = gaussian(LINE.centres[0], 1 + 0.3**2)
    spread = found["density"].std("time", ddof=1).values
    inside = slice(15, -15)
    np.testing.assert_allclose(
        np.sqrt((found["density_standard_error"] ** 2).mean("time"))[inside], spread[inside], rtol=4.5 / np.sqrt(800)
    )
    assert_within(found["density"].mean("time")[inside], smooth[inside], spread[inside] / 20, largest=4.5)
    centre = 40
    assert_excluded(found["density"].mean("time")[centre], gaussian(0.0), spread[centre] / 20)  # not p itself


def test_the_stated_bias_is_that_of_the_smoothing():
    rng = np.random.default_rng(2)
    found = kernel_density(cloud_of(rng.normal(size=100_000)), LINE, 0.1).isel(time=0)
    x = LINE.centres[0]
    bias = gaussian(x, 1 + 0.1**2) - gaussian(x)
    np.testing.assert_allclose(found["density_bias"], bias, atol=0.25 * np.abs(bias).max())
    assert float(found["density_bias"][40]) < 0


def test_silverman_and_scott_choose_the_width():
    rng = np.random.default_rng(3)
    points = rng.normal(size=(4000, 2)) * (1.0, 3.0)
    found = kernel_density(cloud_of(points), Grid([(-5, 5, 20), (-15, 15, 20)]))["bandwidth"][0]
    np.testing.assert_allclose(found, np.array([1, 3]) * 4000 ** (-1 / 6), rtol=0.05)  # (4/(d+2))^(1/(d+4)) is 1 here
    wide = np.append(rng.normal(size=3900), 50 * rng.normal(size=100))  # outliers do not widen the kernels
    robust = float(kernel_density(cloud_of(wide), LINE)["bandwidth"][0, 0])
    assert robust == pytest.approx((4 / 3 / 4000) ** 0.2, rel=0.06)
    scott = float(kernel_density(cloud_of(wide), LINE, "scott")["bandwidth"][0, 0])
    assert scott == pytest.approx(wide.std() * 4000**-0.2, rel=1e-9)


def test_walls_reflect_or_let_through_as_asked():
    # a density that is flat at its wall: open walls lose half of it there
    rng = np.random.default_rng(4)
    cloud = cloud_of(*np.abs(rng.normal(size=(200, 2000))))
    grid = Grid([(0, 6, 120)])
    turned = kernel_density(cloud, grid, 0.2, walls="reflecting")
    exact = 2 * gaussian(grid.centres[0], 1.04)
    spread = turned["density"].std("time", ddof=1)
    assert_within(turned["density"].mean("time")[:60], exact[:60], spread[:60] / np.sqrt(200), largest=4.5)
    error = np.sqrt((turned["density_standard_error"] ** 2).mean("time"))
    np.testing.assert_allclose(error[:40], spread[:40], rtol=4.5 / 20)
    np.testing.assert_allclose(turned["mass"], 1.0, rtol=1e-7)
    assert float(kernel_density(cloud, grid, 0.2)["mass"][0]) < 0.95
    lap = kernel_density(cloud_of(rng.uniform(0, 1, size=50_000)), Grid([(0, 1, 20)]), 0.05, walls="periodic")
    assert_within(lap["density"], 1.0, lap["density_standard_error"])
    assert float(lap["mass"][0]) == pytest.approx(1, abs=1e-9)


def test_pooled_errors_know_that_frames_repeat_particles():
    rng = np.random.default_rng(5)
    frame = rng.normal(size=5000)
    once = kernel_density(cloud_of(frame), LINE, 0.3).isel(time=0, x=slice(20, -20))
    repeated = kernel_density(cloud_of(*[frame] * 5), LINE, 0.3, pool=True).isel(time=0, x=slice(20, -20))
    fresh = kernel_density(cloud_of(*rng.normal(size=(5, 5000))), LINE, 0.3, pool=True).isel(time=0, x=slice(20, -20))
    np.testing.assert_allclose(repeated["density"], once["density"], atol=1e-12)
    errors = [float(each["density_standard_error"].mean()) for each in (once, repeated, fresh)]
    # 40 cells, about 10 of them independent, whose errors from 100 groups are uncertain by 7 percent each
    assert_within(errors[1] / errors[0], 1.0, 0.03)
    assert_within(errors[1] / errors[2], np.sqrt(5), 0.04 * np.sqrt(5))
    assert_excluded(errors[1] / errors[2], 1.0, 0.04 * np.sqrt(5))


def test_default_grid_in_three_coordinates_holds_everything():
    found = kernel_density(cloud_of(np.random.default_rng(6).normal(size=(300, 3))))
    assert float(found["mass"][0]) == pytest.approx(1, abs=2e-3)
    assert found["density"].dims == ("time", "x", "y", "z")
    for name in found:
        assert found[name].attrs == schema.describe(str(name))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bandwidth": -1.0}, "bandwidth must be a positive number or 1"),
        ({"bandwidth": (1.0, 2.0)}, "bandwidth must be a positive number or 1"),
        ({"bandwidth": "wide"}, "bandwidth must be silverman, scott or numbers, got 'wide'"),
        ({"bandwidth": 1e-9}, "give a smaller grid= or a larger bandwidth="),
        ({"walls": "soft"}, "walls must be one of open, reflecting, periodic, got 'soft'"),
        ({"grid": Grid([(-1, 1, 5)] * 2)}, "the grid has 2 axes, the cloud 1 coordinates"),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments, message):
    with pytest.raises(ValueError, match=message):
        kernel_density(cloud_of(np.random.default_rng(0).normal(size=100)), **({"grid": LINE} | arguments))


def test_clouds_without_a_density_are_refused():
    with pytest.raises(ValueError, match="share a coordinate"):
        kernel_density(cloud_of(np.zeros(10)))
    with pytest.raises(ValueError, match="one to three coordinates, got 10 of 4"):
        kernel_density(cloud_of(np.zeros((10, 4))))
    with pytest.raises(ValueError, match="got 0 of 1"):
        kernel_density(cloud_of(np.full(10, np.nan)))


def test_a_density_is_no_cloud():
    class Bowl:
        dim = 1

        def potential(self, x):
            return x[:, 0] ** 2 / 2

    with pytest.raises(ValueError, match="a cloud needs position"):
        kernel_density(stationary(Bowl(), temperature=1.0, grid=Grid([(-6, 6, 50)])))


def test_a_particle_at_a_wall_is_shared_with_what_lies_behind_it():
    """On a ring with the other end, at a mirror with nothing else; far away nothing is seen of it."""
    grid, cloud = Grid([(0, 1, 20)]), cloud_of(np.full(5, 1e-12))
    ring = kernel_density(cloud, grid, 0.1, walls="periodic")["density"].values[0]
    np.testing.assert_allclose(ring, ring[::-1], rtol=1e-9, atol=1e-12)
    mirror = kernel_density(cloud, grid, 0.1, walls="reflecting")["density"].values[0]
    assert np.all(np.diff(mirror) <= 0) and mirror[-1] < 1e-6 * mirror[0]
    assert mirror.sum() / 20 == pytest.approx(1, abs=1e-6)
