import math

import numpy as np
import pytest
from asserts import assert_excluded, assert_falls, assert_within
from clouds import cloud_of
from grid_landscapes import Bowl, Well

from sgdphys import schema
from sgdphys.analysis import free_energy, relative_entropy
from sgdphys.fokker_planck import Grid, evolve, stationary
from sgdphys.landscapes import ChaudhariSoatto, Quadratic
from sgdphys.noises import Isotropic
from sgdphys.simulation import simulate
from sgdphys.theory import decompose_linear

T = 0.1
TIMES = np.array([0.0, 0.5, 1.0, 2.0, 4.0])
# T KL(p || p_ss) of the Ornstein-Uhlenbeck process h = 1, T = .1 from mean 1, variance .01
GOLDEN = np.array([0.570129, 0.187491, 0.0680717, 0.00916469, 0.000167734])
EQUILIBRIUM = -T * 0.5 * math.log(2 * math.pi * T)
LINE = Grid([(-3, 3, 400)])


def relaxing_cloud(count, seed=1):
    rng = np.random.default_rng(seed)
    mean, variance = np.exp(-TIMES), T + (0.01 - T) * np.exp(-2 * TIMES)
    frames = mean[:, None] + np.sqrt(variance)[:, None] * rng.normal(size=(len(TIMES), count))
    return cloud_of(*frames, times=TIMES)


@pytest.mark.parametrize("method", ["gaussian", "nearest-neighbour", "grid"])
def test_free_energy_of_a_relaxing_cloud(method):
    result = free_energy(relaxing_cloud(100_000), Bowl(), temperature=T, reference=EQUILIBRIUM, method=method)
    assert_within(T * result["relative_entropy"], GOLDEN, T * result["relative_entropy_standard_error"])
    assert float(result["relative_entropy_standard_error"][2]) < 0.01 * GOLDEN[2] / T
    wrong = free_energy(relaxing_cloud(100_000), Bowl(), temperature=2 * T, method=method)["free_energy"] - EQUILIBRIUM
    assert np.all(np.abs(wrong - GOLDEN) > 10 * result["free_energy_standard_error"])
    for name in result:
        assert result[name].attrs == schema.describe(str(name))


def test_the_gaussian_standard_error_is_that_of_the_delta_method():
    # SE(KL)^2 = [(m h/T)^2 s + (h/T - 1/s)^2 s^2/2]/n: mean energy and entropy are correlated
    result = free_energy(relaxing_cloud(100_000), Bowl(), temperature=T, reference=EQUILIBRIUM, method="gaussian")
    mean, s = np.exp(-TIMES), T + (0.01 - T) * np.exp(-2 * TIMES)
    exact = np.sqrt(((mean / T) ** 2 * s + (1 / T - 1 / s) ** 2 * s**2 / 2) / 100_000)
    np.testing.assert_allclose(result["relative_entropy_standard_error"][:4], exact[:4], rtol=0.02)
    apart = np.hypot(result["mean_potential_standard_error"], T * result["entropy_standard_error"]) / T
    assert float(apart[4] / exact[4]) > 5  # added as if independent


@pytest.mark.parametrize("method", ["gaussian", "nearest-neighbour"])
def test_standard_errors_are_the_spread_of_repetitions(method):
    rng = np.random.default_rng(2)
    cloud = cloud_of(*(0.4 + 0.25 * rng.normal(size=(300, 1000))))
    result = free_energy(cloud, Bowl(), temperature=T, method=method)
    for name in ("mean_potential", "entropy", "free_energy"):
        spread, error = float(result[name].std()), float(result[f"{name}_standard_error"].mean())
        assert error == pytest.approx(spread, rel=0.17), name


def test_a_density_and_a_cloud_answer_alike():
    cloud = relaxing_cloud(100_000)
    start = np.exp(-((LINE.centres[0] - 1) ** 2) / 0.02)
    density = evolve(Bowl(), temperature=T, grid=LINE, start=start, times=TIMES)
    by_cloud = free_energy(cloud, Bowl(), temperature=T, reference=stationary(Bowl(), temperature=T, grid=LINE))
    by_grid = free_energy(density, Bowl(), temperature=T)
    for name in ("mean_potential", "entropy", "free_energy", "relative_entropy"):
        assert_within(by_cloud[name], by_grid[name], by_cloud[f"{name}_standard_error"])
    np.testing.assert_allclose(T * by_grid["relative_entropy"], GOLDEN, rtol=0.005)
    assert_falls(by_grid["free_energy"])


def test_relative_entropy_is_free_energy_above_equilibrium():
    density = evolve(Well(tilt=0.1), temperature=T, grid=LINE, start=-1.0, times=np.linspace(0.1, 20, 30))
    reference = stationary(Well(tilt=0.1), temperature=T, grid=LINE)
    direct = relative_entropy(density, reference)["relative_entropy"]
    by_energy = free_energy(density, Well(tilt=0.1), temperature=T)["relative_entropy"]
    by_reference = free_energy(density, Well(tilt=0.1), temperature=T, reference=reference)["relative_entropy"]
    np.testing.assert_allclose(direct, by_energy, atol=1e-12)
    np.testing.assert_allclose(direct, by_reference, atol=1e-12)
    assert_falls(direct)
    assert float(relative_entropy(reference, reference)["relative_entropy"][0]) == pytest.approx(0, abs=1e-13)


def test_relative_entropy_of_a_cloud_from_its_own_density():
    rng = np.random.default_rng(3)
    reference = stationary(Bowl(), temperature=T, grid=LINE)
    cloud = cloud_of(math.sqrt(T) * rng.normal(size=50_000), 0.2 * rng.normal(size=50_000))
    result = relative_entropy(cloud, reference)
    exact = [0.0, 0.5 * (0.04 / T - 1 - math.log(0.04 / T))]
    assert_within(result["relative_entropy"], exact, result["relative_entropy_standard_error"])
    assert list(result["particle_count"].values) == [50_000, 50_000]


def test_scaled_noise_needs_the_scaled_temperature():
    # D = 2: with temperature = T D the potential is the landscape itself, and F is at its minimum in the Gibbs state
    density = stationary(Well(), Isotropic(2.0), temperature=T, grid=LINE)
    assert float(free_energy(density, Well(), temperature=2 * T)["relative_entropy"][0]) == pytest.approx(0, abs=1e-12)
    assert float(free_energy(density, Well(), temperature=T)["relative_entropy"][0]) > 0.05


def test_example_19_from_particles():
    # physics.md C3: the circulating field leaves the Gibbs state of its potential, whatever its strength
    n_particles = 40_000
    landscape = ChaudhariSoatto(rotation=1.5)
    run = simulate(
        landscape, temperature=1.0, dt=0.005, t1=5.0, n_particles=n_particles, save_at=2, seed=5,
        start=lambda rng: rng.normal(size=(n_particles, 2)),
    ).isel(time=[1])  # fmt: skip
    found = free_energy(run, landscape, temperature=1.0, reference=-math.log(7.623464)).isel(time=0)
    exact = {"mean_potential": 0.739543, "entropy": 2.770774, "free_energy": -2.031231, "relative_entropy": 0.0}
    for name, value in exact.items():
        assert_within(found[name], value, found[f"{name}_standard_error"])
    second = run["position"][0, :, 0] ** 2
    assert_within(second.mean(), 1.041797, second.std() / math.sqrt(n_particles))
    assert_excluded(found["free_energy"], -1.8378770, found["free_energy_standard_error"])  # -ln(2 pi), of |x|^2/2
    box = Grid([(-3.5, 3.5, 140), (-4.5, 4.5, 140)])
    by_grid = free_energy(stationary(landscape, temperature=1.0, grid=box), landscape, temperature=1.0).isel(time=0)
    for name, value in exact.items():
        assert float(by_grid[name]) == pytest.approx(value, abs=2e-3), name


def test_the_potential_of_a_linear_process_and_its_equilibrium():
    # physics.md C1: Phi = x' U x / 2 of a process that circulates; in the Gibbs state of its loss F is above F_eq
    hessian, noise = np.diag([2.0, 0.5]), np.array([[0.55, 0.45], [0.45, 0.55]])
    linear = decompose_linear(hessian, noise, temperature=T)
    rng = np.random.default_rng(6)
    stationary_points = rng.multivariate_normal([0, 0], linear["stationary_covariance"], size=20_000)
    gibbs_points = rng.multivariate_normal([0, 0], T * np.linalg.inv(hessian), size=20_000)
    cloud = cloud_of(stationary_points, gibbs_points)
    found = free_energy(cloud, linear, temperature=T, method="gaussian")
    product = linear["potential_matrix"].values @ np.linalg.inv(hessian)
    divergence = 0.5 * (np.trace(product) - 2 - math.log(np.linalg.det(product)))
    assert_within(found["relative_entropy"], [0.0, divergence], found["relative_entropy_standard_error"])
    by_landscape = free_energy(cloud, Quadratic(linear["potential_matrix"].values), temperature=T, method="gaussian")
    assert by_landscape.identical(found)
    shifted = free_energy(cloud, Quadratic(hessian, constant=3.0), temperature=T, method="gaussian")
    assert_within(shifted["relative_entropy"][1], 0.0, shifted["relative_entropy_standard_error"][1])
    assert_excluded(shifted["relative_entropy"][0], 0.0, shifted["relative_entropy_standard_error"][0])
    saddle = free_energy(cloud, Quadratic(np.diag([1.0, -1.0])), temperature=T)
    assert "relative_entropy" not in saddle  # nothing to compare with


def test_equilibrium_of_a_cloud_is_not_guessed():
    result = free_energy(cloud_of(np.random.default_rng(0).normal(size=100)), Bowl(), temperature=T)
    assert "relative_entropy" not in result


def test_potential_may_be_a_plain_function():
    cloud = cloud_of(np.random.default_rng(0).normal(size=100))
    one = free_energy(cloud, Bowl(), temperature=T)
    other = free_energy(cloud, lambda x: x[:, 0] ** 2 / 2, temperature=T)
    assert one.identical(other)


def test_bad_input_is_refused_in_one_line():
    cloud = cloud_of(np.random.default_rng(0).normal(size=100) + 3)
    with pytest.raises(ValueError, match="of 100 points lie outside the reference's grid"):
        relative_entropy(cloud, stationary(Bowl(), temperature=T, grid=LINE))
    with pytest.raises(ValueError, match="temperature must be positive"):
        free_energy(cloud, Bowl(), temperature=0.0)
    with pytest.raises(ValueError, match="must be a landscape, a callable or a density, got float"):
        free_energy(cloud, 1.0, temperature=T)
    with pytest.raises(ValueError, match="a density needs density"):
        relative_entropy(cloud, cloud)
    density = stationary(Bowl(), temperature=T, grid=LINE)
    for dataset in (cloud, density):
        with pytest.raises(ValueError, match=r"method must be one of .* got 'guassian'"):
            free_energy(dataset, Bowl(), temperature=T, method="guassian")
        with pytest.raises(ValueError, match=r"method must be one of .* got 'guassian'"):
            relative_entropy(dataset, density, method="guassian")


def test_the_last_frame_of_a_density_stands_for_the_stationary_state():
    """A density that still relaxes in its first frame, as potential and as reference."""
    relaxing = evolve(Bowl(), temperature=T, grid=LINE, start=1.0, times=[0.05, 30.0])
    still, last = relaxing.isel(time=[1]), stationary(Bowl(), temperature=T, grid=LINE)
    for potential in (relaxing, still):
        found = free_energy(last, potential, temperature=T)
        assert float(found["relative_entropy"][0]) == pytest.approx(0, abs=1e-6)
    by_reference = free_energy(last, Bowl(), temperature=T, reference=relaxing)
    assert float(by_reference["relative_entropy"][0]) == pytest.approx(0, abs=1e-6)
    assert float(free_energy(last, relaxing.isel(time=[0]), temperature=T)["relative_entropy"][0]) > 1


def test_cells_slightly_below_zero_have_no_entropy():
    density = stationary(Bowl(), temperature=T, grid=LINE)
    below = density.copy(deep=True)
    below["density"][0, 0] = -1e-12
    for name in ("entropy", "free_energy"):
        values = [float(free_energy(part, Bowl(), temperature=T)[name][0]) for part in (density, below)]
        assert values[1] == pytest.approx(values[0], abs=1e-9)


@pytest.mark.parametrize(
    ("potential", "options", "message"),
    [
        (None, {}, "potential must be a landscape, a callable or a density, got NoneType"),
        (lambda x: x, {}, r"one number a point, got shape \(50, 1\) for 50 points"),
        (lambda x: 1.0, {}, "one number a point"),
        (lambda x: np.where(x[:, 0] > 0, np.inf, 0.0), {}, "the potential is not finite at"),
        (Quadratic(np.eye(2)), {}, r"shape \(particle, 2\)"),
        (Bowl(), {"temperature": 0.0}, "temperature must be positive"),
        (Bowl(), {"temperature": "warm"}, "temperature must be positive"),
        (Bowl(), {"reference": 1j}, "reference must be finite"),
        (Bowl(), {"reference": "none"}, "reference must be finite"),
        (Bowl(), {"method": "fft"}, "method must be one of"),
        (Bowl(), {"method": "grid", "grid": 4}, "grid must be a Grid"),
        (Bowl(), {"method": "grid", "grid": Grid([(50, 60, 4)])}, "50 of 50 particles lie outside the grid"),
    ],
)
def test_what_has_no_free_energy_is_refused_in_one_line(potential, options, message):
    cloud = cloud_of(np.random.default_rng(0).normal(size=50))
    with pytest.raises(ValueError, match=message) as told:
        free_energy(cloud, potential, **{"temperature": T} | options)
    assert "\n" not in str(told.value)


def test_references_of_other_dimensions_and_clouds_of_none_are_refused():
    cloud, plane = (cloud_of(np.random.default_rng(0).normal(size=shape)) for shape in ((50, 1), (50, 2)))
    reference = stationary(Bowl(), temperature=T, grid=LINE)
    with pytest.raises(ValueError, match="the reference has 1 axes, the points 2 coordinates"):
        relative_entropy(plane, reference)
    for part, message in (
        (None, "takes a Dataset"),
        (cloud.isel(particle=slice(3)), "needs 4 finite particles or more, got 3"),
        (cloud.isel(coordinate=slice(0)), "one particle and one coordinate or more"),
        (cloud + 1j, "real numbers"),
        (cloud * 1e3, "points lie outside the reference's grid"),
    ):
        with pytest.raises(ValueError, match=message):
            relative_entropy(part, reference)
