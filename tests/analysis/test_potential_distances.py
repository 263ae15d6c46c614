import math

import numpy as np
import pytest
import xarray as xr
from asserts import assert_excluded, assert_within
from clouds import cloud_of
from grid_landscapes import Bowl, Well
from scipy.integrate import quad

from sgdphys import schema
from sgdphys.analysis import histogram, potential_distance, potential_distances
from sgdphys.analysis.cell_samples import CellSample
from sgdphys.fokker_planck import Grid, stationary
from sgdphys.landscapes import Quadratic
from sgdphys.noises import Diagonal, Formula, Full, Isotropic

T = 0.2
LINE = Grid([(-10, 10, 1000)])
# physics.md C1: H = diag(2, .5), noise diag(1, .1) turned by 45 degrees
HESSIAN = np.diag([2.0, 0.5])
COVARIANCE = np.array([[0.275, 0.36], [0.36, 1.1]])  # of the stationary state, per temperature


def ito_expected():
    """Slope, c and distance of Phi = (T + 1/2) ln(1 + x^2) from x^2/2, by quadrature (Ito, D = 1 + x^2)."""
    power = 1 + 1 / (2 * T)

    def mean(function):
        return quad(lambda x: function(x) * (1 + x * x) ** -power, 0, np.inf)[0] / norm

    norm = quad(lambda x: (1 + x * x) ** -power, 0, np.inf)[0]
    phi, loss = (lambda x: T * power * np.log1p(x * x)), (lambda x: x * x / 2)
    covariance = mean(lambda x: phi(x) * loss(x)) - mean(phi) * mean(loss)
    variance = mean(lambda x: loss(x) ** 2) - mean(loss) ** 2
    rest = mean(lambda x: phi(x) ** 2) - mean(phi) ** 2 - covariance**2 / variance
    return variance / covariance, math.sqrt(rest) / T


def linear_expected():
    """c and distance for a Gaussian of covariance S: d^2 = (dim - tr(HS)^2/tr(HSHS))/2, c = tr(HSHS)/(T tr(HS))."""
    product = HESSIAN @ COVARIANCE
    square = np.trace(product @ product)
    return square / np.trace(product), math.sqrt((2 - np.trace(product) ** 2 / square) / 2)


def excess(result):
    """The squared distance before it is cut at zero."""
    return result["apparent_potential_distance"] ** 2 - result["expected_potential_distance"] ** 2


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_isotropic_noise_makes_no_distance_on_a_grid(scale):
    density = stationary(Well(tilt=0.1), Isotropic(scale), temperature=T, grid=Grid([(-3, 3, 200)]))
    found = potential_distance(density, Well(tilt=0.1), T).isel(time=0)
    assert float(found["potential_distance"]) < 1e-7
    assert float(found["noise_scale"]) == pytest.approx(scale, rel=1e-12)
    assert float(found["expected_noise_scale"]) == scale
    assert float(found["relative_entropy"]) == pytest.approx(0, abs=1e-13)
    assert float(found["noise_scale_standard_error"]) == float(found["relative_entropy_standard_error"]) == 0
    assert np.isnan(found["potential_distance_z"])
    for name in found:
        assert found[name].attrs == schema.describe(str(name))


def test_multiplicative_noise_makes_the_distance_of_the_quadrature():
    scale, distance = ito_expected()
    line = Grid([(-60, 60, 6000)])  # the density falls as x^-7, what is averaged as x^-3
    noise = Formula("1 + x**2")
    bowl = Quadratic(1.0)
    found = potential_distance(stationary(bowl, noise, temperature=T, grid=line), bowl, T, noise=noise).isel(time=0)
    assert float(found["potential_distance"]) == pytest.approx(distance, rel=2e-3)
    assert float(found["noise_scale"]) == pytest.approx(scale, rel=2e-3)
    assert float(found["expected_noise_scale"]) == pytest.approx(1 + T / (1 - T), rel=1e-3)  # 1 + E x^2
    backward = Formula("1 + x**2", interpretation="hanggi-klimontovich")
    other = potential_distance(stationary(bowl, backward, temperature=T, grid=line), bowl, T).isel(time=0)
    assert abs(float(other["potential_distance"]) / distance - 1) > 0.1
    assert "expected_noise_scale" not in other  # nothing on record says what D is


def test_a_cloud_of_multiplicative_noise_shows_the_same_distance():
    # on the line from -2 to 2 the weights end, so that heavy tails do not dominate the squares
    rng = np.random.default_rng(1)
    freedom = 1 + 1 / T
    cloud = cloud_of(rng.standard_t(freedom, size=400_000) / math.sqrt(freedom))
    grid = Grid([(-2, 2, 100)])
    centres = grid.centres[0]
    exact = xr.Dataset({"density": (("time", "x"), [(1 + centres**2) ** -3.5])}, {"time": [0.0], "x": centres})
    reference = potential_distance(exact, Bowl(), T).isel(time=0)
    for method in ("histogram", "kernel"):
        found = potential_distance(cloud, Bowl(), T, grid=grid, method=method).isel(time=0)
        for name in ("noise_scale", "potential_distance", "relative_entropy"):
            error = np.hypot(found[f"{name}_standard_error"], 0.002 * reference[name])  # width of the cells
            assert_within(found[name], reference[name], error)
        assert float(found["potential_distance_z"]) > 10
        assert_excluded(found["noise_scale"], 1.0, found["noise_scale_standard_error"])


def gaussian_density(grid, covariance):
    points = grid.points()
    density = np.exp(-np.einsum("ni,ij,nj->n", points, np.linalg.inv(covariance), points) / 2).reshape(grid.shape)
    axes = dict(zip("xy", grid.centres, strict=True))
    return xr.Dataset({"density": (("time", "x", "y"), density[np.newaxis])}, {"time": [0.0], **axes})


def test_circulation_puts_the_potential_at_a_distance_from_the_loss():
    scale, distance = linear_expected()
    bowl, potential = (Bowl(tuple(map(tuple, matrix))) for matrix in (HESSIAN, np.linalg.inv(COVARIANCE)))
    whole = gaussian_density(Grid([(-2, 2, 100), (-3, 3, 100)]), 0.1 * COVARIANCE)
    found = potential_distance(whole, bowl, 0.1).isel(time=0)
    assert float(found["potential_distance"]) == pytest.approx(distance, rel=1e-6)
    assert float(found["noise_scale"]) == pytest.approx(scale, rel=1e-6)
    # from particles, in a box all of whose cells hold enough of them
    points = np.random.default_rng(2).multivariate_normal([0, 0], 0.1 * COVARIANCE, size=400_000)
    box = [(-0.2, 0.2), (-0.35, 0.35)]
    exact = gaussian_density(Grid([(*walls, 80) for walls in box]), 0.1 * COVARIANCE)
    reference = potential_distance(exact, bowl, 0.1).isel(time=0)
    found = potential_distance(cloud_of(points), bowl, 0.1, grid=Grid([(*walls, 20) for walls in box])).isel(time=0)
    for name in ("noise_scale", "potential_distance", "relative_entropy"):
        assert_within(found[name], reference[name], np.hypot(found[f"{name}_standard_error"], 0.003 * reference[name]))
        assert float(found[name]) > 10 * float(found[f"{name}_standard_error"])
    # Phi = x' U x / 2 in place of the loss: no distance
    closer = potential_distance(cloud_of(points), potential, 0.1).isel(time=0)
    assert abs(float(closer["potential_distance_z"])) < 4
    assert_within(closer["noise_scale"], 1.0, closer["noise_scale_standard_error"])
    assert_excluded(found["noise_scale"], 1.0, found["noise_scale_standard_error"])


@pytest.mark.parametrize("method", ["histogram", "kernel"])
@pytest.mark.parametrize(("count", "cells"), [(500, 40), (5000, 40)])
def test_sampling_alone_makes_no_distance(method, count, cells):
    rng = np.random.default_rng(3)
    cloud = cloud_of(*math.sqrt(1.6 * T) * rng.normal(size=(64, count)))
    found = potential_distance(cloud, Bowl(), T, grid=Grid([(-2.5, 2.5, cells)]), method=method)
    assert_within(excess(found).mean(), 0.0, excess(found).std(ddof=1) / 8)
    assert_within(found["relative_entropy"].mean(), 0.0, found["relative_entropy"].std(ddof=1) / 8)
    assert_within(found["noise_scale"].median(), 1.6, 1.25 * found["noise_scale"].std(ddof=1) / 8)
    assert float(np.abs(found["potential_distance_z"]).max()) < 5
    assert float(found["potential_distance_z"].std()) == pytest.approx(1, abs=0.35)
    spread = float(found["noise_scale"].std() / found["noise_scale_standard_error"].mean())
    assert spread == pytest.approx(1, abs=0.35)
    apparent = found["apparent_potential_distance"]
    assert_excluded(apparent.mean(), 0.0, apparent.std(ddof=1) / 8)  # what a plain fit would report


def test_sampling_alone_makes_no_distance_in_two_coordinates():
    rng = np.random.default_rng(4)
    bowl = Bowl(((1.0, 0.0), (0.0, 2.0)))
    cloud = cloud_of(*rng.normal(size=(25, 2000, 2)) * np.sqrt(T / np.array([1, 2])))
    found = potential_distance(cloud, bowl, T)
    assert_within(excess(found).mean(), 0.0, excess(found).std(ddof=1) / 5)
    assert_within(found["noise_scale"].mean(), 1.0, found["noise_scale"].std(ddof=1) / 5)


def test_pooled_frames_make_no_distance_either():
    # eight frames with correlation .9 between neighbours: as many independent particles as in two or three of them
    rng = np.random.default_rng(5)
    runs = []
    for _ in range(50):
        frames = [rng.normal(size=1000)]
        for _ in range(7):
            frames.append(0.9 * frames[-1] + math.sqrt(0.19) * rng.normal(size=1000))
        cloud = cloud_of(*math.sqrt(T) * np.array(frames))
        runs.append(potential_distance(cloud, Bowl(), T, grid=Grid([(-1.5, 1.5, 24)]), pool=True))
    found = xr.concat(runs, "time")
    assert_within(excess(found).mean(), 0.0, excess(found).std(ddof=1) / math.sqrt(50))
    assert float(found["potential_distance_z"].std()) == pytest.approx(1, abs=0.35)
    spread = float(found["noise_scale"].std() / found["noise_scale_standard_error"].mean())
    assert spread == pytest.approx(1, abs=0.35)
    independent = 22 / (8 * 1000)  # what sampling would add for independent frames
    assert float((found["expected_potential_distance"] ** 2).mean()) > 1.3 * independent


def test_the_record_of_the_run_tells_what_to_expect():
    bowl = Bowl(((1.0, 0.0), (0.0, 1.0)))
    grid = Grid([(-2, 2, 20), (-2, 2, 20)])
    density = stationary(bowl, Diagonal([0.5, 1.5]), temperature=T, grid=grid)
    found = potential_distance(density, bowl, T).isel(time=0)
    assert float(found["expected_noise_scale"]) == pytest.approx(1.0)
    assert float(found["potential_distance"]) > 0.3
    plain = stationary(bowl, temperature=T, grid=grid)
    assert float(potential_distance(plain, bowl, T)["expected_noise_scale"][0]) == 1.0


def test_bad_input_is_refused_in_one_line():
    cloud = cloud_of(np.random.default_rng(0).normal(size=1000))
    with pytest.raises(ValueError, match="give the cloud in place of its density"):
        potential_distance(histogram(cloud), Bowl(), T)
    with pytest.raises(ValueError, match="only 2 cells hold 10 independent particles"):
        potential_distance(cloud, Bowl(), T, grid=Grid([(-10, 10, 2)]))
    with pytest.raises(ValueError, match="20 finite particles or more, got 10"):
        potential_distance(cloud_of(np.arange(10.0)), Bowl(), T)
    with pytest.raises(ValueError, match="the same value in all cells"):
        potential_distance(cloud, lambda x: np.zeros(len(x)), T)
    with pytest.raises(ValueError, match="temperature must be positive"):
        potential_distance(cloud, Bowl(), 0.0)
    with pytest.raises(ValueError, match="method must be histogram or kernel"):
        potential_distance(cloud, Bowl(), T, method="nearest")


def test_the_logarithm_of_counts_is_freed_of_its_bias():
    """Densities that are low in the mean of their logarithm by half their relative variance: no distance, and c = 1."""
    grid = Grid([(-2, 2, 20)])
    x, scale = grid.centres[0], 0.3 * np.linspace(0.2, 1, 20)
    signs = np.where(np.arange(100) % 2, 1.0, -1.0)[:, np.newaxis]
    variance = scale**2 / 99
    density = np.exp(-(x**2) / 2 + variance / 2)
    sample = CellSample(grid.points(), density, density * (1 + signs * scale), np.zeros((1, 1)), np.ones(1), 0.2, (20,))
    np.testing.assert_allclose(sample.relative_variance(), variance, rtol=1e-9)
    found = potential_distances._distance(sample, lambda points: points[:, 0] ** 2 / 2, 1.0)
    assert found["noise_scale"] == pytest.approx(1.0, abs=1e-12)
    assert found["apparent_potential_distance"] < 1e-6


@pytest.mark.parametrize("given", [True, False])
def test_the_expected_scale_is_the_mean_over_the_directions(given):
    bowl, noise = Quadratic(np.eye(2)), Full([[0.5, 0.2], [0.2, 1.1]])
    density = stationary(bowl, noise, temperature=T, grid=Grid([(-2, 2, 20), (-2, 2, 20)]))
    if given:
        density = density.drop_attrs()
    found = potential_distance(density, bowl, T, noise=noise if given else None)
    assert float(found["expected_noise_scale"][0]) == pytest.approx(0.8)


def test_errors_and_scores_are_honest_with_a_distance_and_without():
    """200 clouds each: the errors are the scatter, and the scores that say whether there is a distance are normal."""
    rng = np.random.default_rng(7)
    grid = Grid([(-0.7, 0.7, 14)])  # full everywhere
    plain = potential_distance(cloud_of(*math.sqrt(T) * rng.normal(size=(200, 1000))), Bowl(), T, grid=grid)
    assert float(plain["potential_distance_z"].std()) == pytest.approx(1, abs=0.15)
    heavy = potential_distance(cloud_of(*0.3 * rng.standard_t(3, size=(200, 2000))), Bowl(), T, grid=grid)
    for name in ("noise_scale", "relative_entropy", "potential_distance"):
        ratio = float(heavy[f"{name}_standard_error"].mean() / heavy[name].std())
        assert ratio == pytest.approx(1, abs=0.2), name


def test_what_makes_no_distance_is_refused_in_one_line():
    cloud = cloud_of(np.random.default_rng(0).normal(size=1000))
    for landscape, options, message in (
        (None, {}, "potential must be a landscape, a callable or a density"),
        (lambda x: x**2, {}, "one number a point, got shape"),
        (lambda x: np.nan * x[:, 0], {}, "not finite at"),
        (Quadratic(np.eye(2)), {}, r"shape \(particle, 2\)"),
        (lambda x: 1e8 + 1e-9 * x[:, 0], {}, "the same value in all cells"),
        (Bowl(), {"noise": 2.0}, r"noise must be a noise with diffusion\(x\), got float"),
        (Bowl(), {"grid": 4}, "grid must be a Grid"),
        (Bowl(), {"grid": Grid([(50, 60, 4)])}, "only 0 cells hold"),
        (Bowl(), {"temperature": "warm"}, "temperature must be positive"),
    ):
        with pytest.raises(ValueError, match=message) as told:
            potential_distance(cloud, landscape, **{"temperature": T} | options)
        assert "\n" not in str(told.value)
    still = cloud_of(*np.repeat(np.zeros((1, 100)), 3, axis=0))
    with pytest.raises(ValueError, match="only 1 cells hold"):
        potential_distance(still, Bowl(), T, pool=True)
