import functools

import numpy as np
import pytest
from asserts import assert_excluded, assert_same_bits, assert_within
from clouds import cloud_of
from linear_drifts import ROTATED, linear_drift

import sgdphys as sp
from sgdphys import schema
from sgdphys.analysis import drift_and_diffusion
from sgdphys.analysis import drift_diffusion_estimates as estimates
from sgdphys.fokker_planck.grid import Grid

LINE = Grid([(-1.5, 1.5, 30)])
WELL = sp.landscapes.Expression("x**4/4 - x**2/2")
NOISES = {
    "constant": (None, lambda x: 0.2 + 0 * x),
    "growing": (sp.noises.Formula("1 + x**2"), lambda x: 0.2 + 0.2 * x**2),
}


@functools.cache
def ornstein_uhlenbeck(lag, particles=2000, frames=300):
    """Return an exact cloud of rate 1 and diffusion 1/2."""
    rng = np.random.default_rng(11)
    decay = np.exp(-lag)
    positions = [np.sqrt(0.5) * rng.normal(size=particles)]
    for _ in range(frames - 1):
        positions.append(decay * positions[-1] + np.sqrt(0.5 * (1 - decay**2)) * rng.normal(size=particles))
    return cloud_of(*positions, times=lag * np.arange(frames))


@functools.cache
def in_the_well(noise, lag):
    """Return a cloud in the double well at T = 1/5, frames a lag apart."""
    start = 0.8 * np.random.default_rng(2).normal(size=(20_000, 1))
    run = {"temperature": 0.2, "dt": 0.002, "t1": lag * 40, "n_particles": 20_000, "start": start, "save_at": 41}
    return sp.simulate(WELL, NOISES[noise][0], seed=1, **run)


def z_of(found, drift, diffusion):
    """Return the deviations of the cells in standard errors."""
    first = (found["drift"][..., 0] - drift) / found["drift_standard_error"][..., 0]
    second = (found["diffusion"][..., 0, 0] - diffusion) / found["diffusion_standard_error"][..., 0, 0]
    return first.values, second.values


def assert_honest(z):
    """The deviations are as large as their standard errors say."""
    assert np.abs(z).max() < 4, z
    assert 0.7 < np.sqrt(np.mean(z**2)) < 1.3, z


@pytest.mark.parametrize(("lag", "correction"), [(0.02, 1), (0.1, 2), (0.2, 3)])
def test_ornstein_uhlenbeck(lag, correction):
    found = drift_and_diffusion(ornstein_uhlenbeck(lag), LINE, correction=correction)
    for z in z_of(found, -found["x"], 0.5):
        assert_honest(z)
    assert found.attrs == {"lag": pytest.approx(lag), "of": "flow", "correction": correction}
    assert found["drift"].attrs == schema.describe("drift")
    assert found["diffusion"].dims == ("x", "coordinate", "coordinate_2")


@pytest.mark.parametrize("noise", NOISES)
def test_double_well(noise):
    found = drift_and_diffusion(in_the_well(noise, 0.02), LINE)
    x = found["x"]
    for z in z_of(found, x - x**3, NOISES[noise][1](x)):
        assert_honest(z)


@pytest.mark.parametrize("noise", NOISES)
def test_a_finite_lag_biases_what_is_not_corrected(noise):
    x = LINE.centres[0]
    truth = x - x**3, NOISES[noise][1](x)
    plain = z_of(drift_and_diffusion(in_the_well(noise, 0.2), LINE, correction=0), *truth)
    corrected = z_of(drift_and_diffusion(in_the_well(noise, 0.2), LINE, correction=3), *truth)
    for biased, better in zip(plain, corrected, strict=True):
        assert np.abs(biased).max() > 15
        assert np.sqrt(np.mean(better**2)) < np.sqrt(np.mean(biased**2)) / 4


@functools.cache
def rotating():
    """Return a cloud under a drift that is no gradient, with correlated noise."""
    matrix = np.array([[1.0, 1.5], [-1.5, 0.7]])
    start = 0.5 * np.random.default_rng(4).normal(size=(40_000, 2))
    run = {"temperature": 0.3, "dt": 0.002, "t1": 0.6, "n_particles": 40_000, "start": start, "save_at": 31}
    return matrix, sp.simulate(linear_drift(matrix), sp.noises.Full(ROTATED), seed=3, **run)


def test_a_rotating_drift_and_a_full_diffusion_in_the_plane():
    matrix, cloud = rotating()
    found = drift_and_diffusion(cloud, Grid([(-0.8, 0.8, 8), (-0.8, 0.8, 8)]), fewest=1000)
    points = np.stack(np.meshgrid(found["x"], found["y"], indexing="ij"), axis=-1)
    drift = (found["drift"].values + points @ matrix.T) / found["drift_standard_error"].values
    diffusion = (found["diffusion"].values - 0.3 * ROTATED) / found["diffusion_standard_error"].values
    for z in (drift[..., 0], drift[..., 1], diffusion[..., 0, 0], diffusion[..., 0, 1], diffusion[..., 1, 1]):
        assert_honest(z)
    np.testing.assert_array_equal(found["diffusion"][..., 0, 1], found["diffusion"][..., 1, 0])
    symmetric = (found["drift"].values + points @ (matrix + matrix.T) / 2) / found["drift_standard_error"].values
    assert np.abs(symmetric).max() > 10  # the gradient part alone


def test_some_coordinates_of_many():
    _, cloud = rotating()
    position = cloud["position"].isel(time=slice(5), particle=slice(4000)).values
    wide = cloud_of(*np.concatenate([position[..., 1:], position, position[..., :1]], axis=2), times=cloud["time"][:5])
    grid = Grid([(-0.8, 0.8, 4), (-0.8, 0.8, 4)])
    found = drift_and_diffusion(wide, grid, coordinates=["x1", 2])
    narrow = drift_and_diffusion(cloud_of(*position, times=cloud["time"][:5].values), grid)
    np.testing.assert_array_equal(found["drift"], narrow["drift"])
    assert found["drift"].dims == ("x1", "x2", "coordinate")
    assert found["coordinate"].values.tolist() == ["x1", "x2"]
    with pytest.raises(ValueError, match="give coordinates= with one to three different of x0, x1, x2, x3, got 4"):
        drift_and_diffusion(wide)
    with pytest.raises(ValueError, match="coordinates= must be of x0, x1, x2, x3 or their numbers, got 'w'"):
        drift_and_diffusion(wide, coordinates=["w"])


@pytest.mark.parametrize("particles", [1, 3000])
def test_errors_of_overlapping_displacements_are_honest(particles):
    rng = np.random.default_rng(6)
    steps = rng.normal(size=(300_000 // particles, particles)) * np.sqrt(2 * 0.01)
    steps[0] *= 7
    free = cloud_of(*(np.mod(np.cumsum(steps, axis=0) + 4, 8) - 4), times=0.01 * np.arange(len(steps)))
    jumps = np.abs(np.diff(free["position"].values[..., 0], axis=0)).max()
    assert jumps > 7  # the circle closes at +-4, outside the grid
    found = drift_and_diffusion(free, Grid([(-2.5, 2.5, 25)]), lag=10, correction=0)
    z = z_of(found, 0.0, 1.0)
    assert_honest(z[0])
    assert_honest(z[1])
    counted = np.sqrt(2 / (0.1 * found["visits"].values))
    assert np.sqrt(np.mean((found["drift"].values[:, 0] / counted) ** 2)) > 1.5  # as if all displacements were new


def test_one_step_of_sgd_is_a_map():
    sgd = sp.SGD(lr=0.5, batch_size=4)
    cloud = sp.simulate(
        sp.landscapes.Quadratic([1.5]), sp.noises.Isotropic(2.0), sgd=sgd, n_steps=60, n_particles=4000, seed=5,
        save_at=61, start=0.5,
    )  # fmt: skip
    grid = Grid([(-0.8, 0.8, 16)])
    found = drift_and_diffusion(cloud, grid, of="map")
    for z in z_of(found, -1.5 * found["x"], 2 * sgd.temperature):
        assert_honest(z)
    flow = z_of(drift_and_diffusion(cloud, grid, of="flow", correction=0), -1.5 * found["x"], 2 * sgd.temperature)
    assert_within(flow[0], 0, 1)  # the first moment over a step is the same
    rate = -np.log(1 - 0.75) / 0.5
    assert_excluded(np.abs(found["drift"].values[0, 0] - rate * 0.75), 0, found["drift_standard_error"].values[0, 0])
    for options in ({"lag": 2}, {"cloud": cloud.isel(time=slice(None, None, 2))}):
        with pytest.raises(ValueError, match="save every step"):
            drift_and_diffusion(**{"cloud": cloud, "of": "map"} | options)


def test_cells_without_enough_starts_are_unknown():
    cloud = ornstein_uhlenbeck(0.02)
    found = drift_and_diffusion(cloud, Grid([(-6, 6, 60)]))
    few = found["visits"].values < 100
    assert few.any()
    for name in ("drift", "diffusion", "drift_standard_error", "diffusion_standard_error"):
        np.testing.assert_array_equal(np.isnan(found[name].values).reshape(60), few)
    assert int(found["visits"].sum()) == 2000 * 298


def test_particles_that_left_for_infinity_count_until_they_leave():
    cloud = ornstein_uhlenbeck(0.02).copy(deep=True)
    cloud["position"][10:, :1000] = np.nan
    found = drift_and_diffusion(cloud)
    assert 1000 * (298 + 8) * 0.995 < int(found["visits"].sum()) < 1000 * (298 + 8)
    assert np.isfinite(found["drift"]).all()
    assert found.sizes["x"] == 40


def test_bad_input_is_refused():
    cloud = ornstein_uhlenbeck(0.02).isel(time=slice(20))
    uneven = cloud.isel(time=[0, 1, 3])
    for part, options, message in (
        (uneven, {}, "must be equally spaced"),
        (cloud, {"lag": 10}, "need 21 frames, the cloud has 20"),
        (cloud, {"lag": 0}, "lag must be a positive integer"),
        (cloud, {"of": "flux"}, 'of must be "flow" or "map"'),
        (cloud, {"correction": 4}, "correction must be 0, 1, 2 or 3"),
        (cloud, {"fewest": 1_000_000}, "no cell has 1000000 starts"),
        (cloud, {"grid": Grid([(-1, 1, 4), (-1, 1, 4)])}, "the grid has 2 axes, the cloud 1"),
        (cloud.isel(particle=slice(1)) * np.nan, {}, "no finite position"),
    ):
        with pytest.raises(ValueError, match=message):
            drift_and_diffusion(part, **options)


def test_it_repeats_to_the_bit():
    cloud = ornstein_uhlenbeck(0.02)
    assert_same_bits(drift_and_diffusion(cloud, LINE), drift_and_diffusion(cloud, LINE))


@pytest.mark.parametrize("correction", [0, 1, 2, 3])
def test_each_correction_removes_an_order_of_the_lag(correction):
    """Without noise, x e^-t: the error of the drift falls by 2^(orders + 1) when the lag is halved, exactly known."""
    x = np.linspace(-1, 1, 1200)
    errors = []
    for lag in (0.1, 0.05):
        cloud = cloud_of(*(x * np.exp(-lag * k) for k in range(6)), times=lag * np.arange(6))
        found = drift_and_diffusion(cloud, Grid([(-0.5, 0.5, 2)]), correction=correction, fewest=10)
        errors.append(float(found["drift"][1, 0]) + 0.25)
    assert np.log2(errors[0] / errors[1]) == pytest.approx(correction + 1, abs=0.15)


def test_the_square_of_a_noisy_drift_is_not_taken_from_the_diffusion():
    """Free motion, a dozen starts a cell: the square of a drift of 0 with its error would take 8 % of it."""
    rng = np.random.default_rng(12)
    cells, tau = 4000, 0.1
    starts = rng.uniform(0, cells, size=12 * cells)
    cloud = cloud_of(starts, starts + np.sqrt(2 * tau) * rng.normal(size=len(starts)), times=[0.0, tau])
    found = drift_and_diffusion(cloud, Grid([(0, cells, cells)]), correction=0, fewest=5)["diffusion"].values.ravel()
    known = found[np.isfinite(found)]
    error = known.std() / np.sqrt(len(known))
    assert abs(known.mean() - 1) < 0.015 + 4 * error
    assert error < 0.01


def test_errors_know_how_few_batches_there_are():
    values = np.random.default_rng(13).normal(size=(9, 1, 1))
    influences = np.concatenate([(values - values.mean()) / 9, np.zeros((5, 1, 1))])
    assert estimates._error(influences)[0, 0] == pytest.approx(values.std(ddof=1) / 3)


def test_cells_that_few_batches_visit_are_unknown():
    rng = np.random.default_rng(14)
    places = np.where(np.arange(1280) < 70, -0.5, 0.5)[:, np.newaxis]  # seven batches of ten particles on the left
    position = np.moveaxis(places + rng.uniform(-0.4, 0.4, size=(1280, 40)), 1, 0)
    found = drift_and_diffusion(cloud_of(*position, times=0.1 * np.arange(40)), Grid([(-1, 1, 2)]))
    assert found["visits"].values.tolist() == [70 * 38, 1210 * 38]
    for name in ("drift", "diffusion", "drift_standard_error", "diffusion_standard_error"):
        assert np.isnan(found[name].values.ravel()).tolist() == [True, False]


@pytest.mark.parametrize("second", [lambda x: 0 * x + 2, lambda x: 3 * x, lambda x: np.rint(x)])
def test_starts_on_a_line_are_told(second):
    x = ornstein_uhlenbeck(0.02).isel(time=slice(20))["position"].values[..., 0]
    cloud = cloud_of(*np.stack([np.rint(x) if second(x[0, :1]) == np.rint(x[0, 0]) else x, second(x)], axis=2))
    with pytest.raises(ValueError, match="in no cell do the starts differ in all directions"):
        drift_and_diffusion(cloud)
    assert np.isfinite(drift_and_diffusion(cloud_of(*x), fewest=50)["drift"]).any()


def test_what_is_no_cloud_of_numbers_is_refused_in_one_line():
    cloud = ornstein_uhlenbeck(0.02).isel(time=slice(20))
    for part, options, message in (
        (cloud["position"], {}, "an analysis takes a Dataset"),
        (cloud.isel(particle=slice(0)), {}, "one particle and one coordinate or more, got 0 and 1"),
        (cloud + 1j, {}, "position of a cloud must be real numbers, got complex128"),
        (cloud.isel(time=slice(0)), {}, "holds no frame"),
        (cloud, {"grid": [(-1, 1, 4)]}, "grid must be a Grid, such as .* got list"),
        (cloud, {"coordinates": "x"}, "coordinates= must be a list of names or numbers, got 'x'"),
        (cloud, {"coordinates": 0}, "coordinates= must be a list"),
        (cloud, {"correction": [1]}, "correction must be an integer"),
        (cloud, {"of": ["flow"]}, "of must be"),
        (cloud, {"grid": Grid([(50, 60, 5)])}, "the fullest has 0"),
    ):
        with pytest.raises(ValueError, match=message) as told:
            drift_and_diffusion(part, **options)
        assert "\n" not in str(told.value)


def test_infinite_positions_are_left_out_without_a_word():
    cloud = ornstein_uhlenbeck(0.02).isel(time=slice(20)).copy(deep=True)
    cloud["position"][7, 3] = np.inf
    without = cloud.where(np.isfinite(cloud["position"]))
    assert_same_bits(drift_and_diffusion(cloud, LINE), drift_and_diffusion(without, LINE))


@pytest.mark.parametrize("scale", [1e8, 1e-8])
def test_the_unit_of_length_does_not_matter(scale):
    cloud = ornstein_uhlenbeck(0.02).isel(time=slice(40))
    found = drift_and_diffusion(cloud, LINE)
    scaled = drift_and_diffusion(cloud * scale, Grid([(-1.5 * scale, 1.5 * scale, 30)]))
    np.testing.assert_allclose(scaled["drift"].values / scale, found["drift"].values, rtol=1e-9)
    np.testing.assert_allclose(scaled["diffusion"].values / scale**2, found["diffusion"].values, rtol=1e-9)


def test_cells_whose_starts_share_a_place_are_unknown_with_their_errors():
    x = ornstein_uhlenbeck(0.02).isel(time=slice(20))["position"].values[..., 0]
    found = drift_and_diffusion(cloud_of(*np.where(x < 0, np.rint(x), x)), Grid([(-1.5, 1.5, 6)]))
    unknown = np.isnan(found["drift"].values[:, 0])
    assert unknown.tolist() == [True] * 3 + [False] * 3
    for name in ("drift_standard_error", "diffusion", "diffusion_standard_error"):
        np.testing.assert_array_equal(np.isnan(found[name].values.ravel()), unknown)
