import json

import numpy as np
import pytest
from asserts import assert_falls, assert_keeps_mass, assert_never_negative, assert_second_order, assert_within
from grid_landscapes import Bowl, Well

from sgdphys import SGD, schema
from sgdphys.analysis import free_energy
from sgdphys.fokker_planck import Grid, evolve, stationary
from sgdphys.noises import Diagonal, Isotropic

LINE = Grid([(-3, 3, 300)])
TIMES = np.array([0.0, 0.5, 1.0, 2.0, 4.0])


def moments(density):
    weights = density["density"] / density["density"].sum("x")
    mean = (weights * density["x"]).sum("x")
    return mean.values, (weights * (density["x"] - mean) ** 2).sum("x").values


def gaussian(mean, variance):
    return lambda points: np.exp(-((points[:, 0] - mean) ** 2) / (2 * variance))


def ornstein_uhlenbeck(time, temperature, mean=1.0, variance=0.01):
    return mean * np.exp(-time), temperature + (variance - temperature) * np.exp(-2 * time)


def test_ornstein_uhlenbeck_relaxes_exactly_with_second_order():
    mean_errors, variance_errors = [], []
    for cells in (75, 150, 300, 600):
        density = evolve(Bowl(), temperature=0.1, grid=Grid([(-3, 3, cells)]), start=gaussian(1.0, 0.01), times=TIMES)
        mean, variance = moments(density)
        exact_mean, exact_variance = ornstein_uhlenbeck(TIMES, 0.1)
        mean_errors.append((mean - exact_mean)[2])
        variance_errors.append((variance - exact_variance)[2])
    assert_second_order(np.array(mean_errors), slack=0.2)
    assert_second_order(np.array(variance_errors), slack=0.2)
    assert abs(variance_errors[-1]) < 2e-5
    wrong = ornstein_uhlenbeck(TIMES, 0.2)[1]  # lr/B instead of lr/(2B)
    assert np.all(np.abs(wrong - exact_variance)[1:] > 1000 * np.abs(variance_errors[-1]))


def test_time_errors_are_below_the_space_error():
    density = {
        tolerance: evolve(Bowl(), temperature=0.1, grid=LINE, start=gaussian(1, 0.01), times=TIMES, tolerance=tolerance)
        for tolerance in (1e-6, 1e-10)
    }
    difference = abs(density[1e-6] - density[1e-10])["density"].sum("x") * LINE.cell_volume / 2
    assert float(difference.max()) < 1e-8
    assert np.all(density[1e-6]["time_error"].values[1:] > difference.values[1:])


@pytest.mark.parametrize(
    ("landscape", "grid", "start", "noise"),
    [
        (Well(tilt=0.1), LINE, -1.0, None),
        (Well(), LINE, gaussian(-1, 0.01), Isotropic(0.3)),
        (Well(dim=2, narrowing=3.0), Grid([(-2.5, 2.5, 50), (-2, 2, 40)]), (-1.0, 0.5), Isotropic(1.0)),
    ],
)
def test_mass_positivity_and_falling_free_energy(landscape, grid, start, noise):
    density = evolve(landscape, noise, temperature=0.1, grid=grid, start=start, times=np.linspace(0, 30, 61))
    schema.validate_density(density)
    assert_keeps_mass(density)
    assert_never_negative(density)
    energy = 0.1 * (1.0 if noise is None else noise.c)
    assert_falls(free_energy(density, landscape, temperature=energy)["free_energy"].values)


def test_free_energy_falls_with_the_true_potential_and_not_with_the_loss():
    # a linear drift against unequal diffusion: probability circulates, and Phi differs from f. From the Gibbs state of
    # f, E[f] - T H rises by .427521 T in the end; relative to the stationary density it falls all the time
    bowl = Bowl(((1.25, -0.75), (-0.75, 1.25)))
    noise, grid = Diagonal([1.0, 0.1]), Grid([(-2.4, 2.4, 96), (-2.4, 2.4, 96)])
    gibbs = stationary(bowl, temperature=0.1, grid=grid)
    density = evolve(bowl, noise, temperature=0.1, grid=grid, start=gibbs, times=np.linspace(0, 12, 13))
    true = stationary(bowl, noise, temperature=0.1, grid=grid)
    with_loss = free_energy(density, bowl, temperature=0.1)["relative_entropy"].values
    assert np.all(np.diff(with_loss) > -1e-9)
    assert with_loss[-1] == pytest.approx(0.427521, rel=0.02)
    assert_falls(free_energy(density, true, temperature=0.1)["free_energy"].values)
    assert_keeps_mass(density)


def test_sgd_runs_in_its_own_time():
    sgd = SGD(lr=0.1, batch_size=5, momentum=0.5, weight_decay=0.5)
    grid = Grid([(-1.5, 2, 700)])
    density = evolve(Bowl(), Isotropic(2.0), sgd=sgd, grid=grid, start=gaussian(1.0, 0.01), times=[0.3])
    rate, temperature = 2 * 1.5, 0.02 * 2.0  # mobility times curvature; T = lr/(2B(1 - mu)) times D
    mean, variance = moments(density)
    stationary_variance = temperature / 1.5
    assert mean[0] == pytest.approx(np.exp(-rate * 0.3), rel=1e-3)
    expected = stationary_variance + (0.01 - stationary_variance) * np.exp(-2 * rate * 0.3)
    assert variance[0] == pytest.approx(expected, rel=2e-3)


def test_two_half_runs_are_one_run():
    whole = evolve(Well(), temperature=0.1, grid=LINE, start=-1.0, times=[1.0, 2.0, 5.0])
    half = evolve(Well(), temperature=0.1, grid=LINE, start=-1.0, times=[1.0, 2.0])
    rest = evolve(Well(), temperature=0.1, grid=LINE, start=half, times=[5.0])
    assert np.all(np.diff(whole["time_error"]) > 0)  # a sum over all steps
    np.testing.assert_allclose(rest["density"].values[-1], whole["density"].values[-1], atol=1e-7)


def test_a_cloud_agrees_with_the_density_at_five_times():
    # exact samples of the Ornstein-Uhlenbeck process, counted in cells; the grid's own error is below a tenth of theirs
    rng, count = np.random.default_rng(5), 20_000
    grid = Grid([(-3, 3, 600)])
    density = evolve(Bowl(), temperature=0.1, grid=grid, start=gaussian(1.0, 0.01), times=TIMES)
    for frame, time in enumerate(TIMES):
        mean, variance = ornstein_uhlenbeck(time, 0.1)
        sample = mean + np.sqrt(variance) * rng.normal(size=count)
        expected = (density["density"].values[frame] * grid.cell_volume).reshape(60, 10).sum(1) * count
        observed = np.histogram(sample, bins=grid.edges[0][::10])[0]
        kept = expected > 10
        squares = ((observed - expected)[kept] ** 2 / expected[kept]).sum()
        assert_within(squares, kept.sum() - 1, np.sqrt(2 * (kept.sum() - 1)))


def test_configuration_and_walls_are_recorded():
    settings = {"temperature": 0.1, "start": -1.0, "times": [0, 10]}
    with pytest.warns(UserWarning, match="about 0.014 of the probability lies beyond the high wall of axis 0, at 1"):
        density = evolve(Well(), Isotropic(1.0), grid=Grid([(-1.5, 1.0, 50)]), **settings)
    evolve(Well(), grid=Grid([(-1.5, 1.0, 50)], "reflecting"), **settings)
    configuration = json.loads(density.attrs["configuration"])
    assert configuration["verb"] == "evolve"
    assert configuration["grid"] == [[-1.5, 1.0, 50]]
    assert configuration["noise"] == {"noise": "Isotropic", "c": 1.0}
    assert float(density["boundary_mass"][0]) == 0
    last = density["density"].values[-1]
    assert float(density["boundary_mass"][-1]) == pytest.approx((last[0] + last[-1]) * 0.05, rel=1e-9)
    assert density["x"].attrs["units"] == "x"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times": []}, "must be a list of finite numbers"),
        ({"times": [0.0, np.nan]}, "must be a list of finite numbers"),
        ({"times": [1.0, 1.0]}, "must increase"),
        ({"times": [-1.0, 1.0]}, "not begin before the start at 0.0"),
        ({"tolerance": 0.0}, "tolerance must lie between 0 and 1"),
        ({"tolerance": np.nan}, "tolerance must be finite"),
        ({"tolerance": "fine"}, "tolerance must be finite, got fine"),
        ({"start": "left"}, "start must be real numbers"),
        ({"start": 1j}, "start must be real numbers"),
        ({"times": [0, 1j]}, "times must be real numbers"),
        ({"start": np.nan}, "outside the walls"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(arguments, message):
    settings = {"temperature": 0.1, "grid": LINE, "start": -1.0, "times": [0.0, 1.0]} | arguments
    with pytest.raises(ValueError, match=message) as refusal:
        evolve(Well(), **settings)
    assert "\n" not in str(refusal.value)


def test_what_walls_absorbed_stays_absorbed_when_a_run_goes_on():
    grid = Grid([(-2, 1, 150)], [("far", "absorbing")])
    whole = evolve(Well(), temperature=0.3, grid=grid, start=-1.0, times=[1.0, 2.0, 5.0])
    half = evolve(Well(), temperature=0.3, grid=grid, start=-1.0, times=[1.0, 2.0])
    rest = evolve(Well(), temperature=0.3, grid=grid, start=half, times=[2.0, 5.0])
    assert float(whole["absorbed"][1]) > 0.05
    for name in ("mass", "absorbed"):
        np.testing.assert_allclose(rest[name], whole[name][1:], atol=1e-6)
    np.testing.assert_allclose(rest["mass"] + rest["absorbed"], 1, atol=1e-13)
    closed = evolve(Well(), temperature=0.3, grid=Grid([(-2, 1, 150)], "reflecting"), start=half, times=[5.0])
    assert float(closed["mass"][0]) == pytest.approx(1.0, abs=1e-13)  # the particles still there


@pytest.mark.parametrize("box", [3.0, 5.0])
def test_entropy_production_of_a_relaxing_gaussian_whatever_underflows_in_its_tails(box):
    # m e^-t and v(t) in a bowl: ((T/v - 1)^2 v + m^2)/T. Cells that rounding empties far outside do not count
    grid, times, temperature = Grid([(-box, box, int(100 * box))]), np.array([0.0, 0.1, 0.5, 2.0]), 0.05
    density = evolve(Bowl(), temperature=temperature, grid=grid, start=gaussian(1.0, 0.01), times=times)
    mean, variance = ornstein_uhlenbeck(times, temperature)
    exact = ((temperature / variance - 1) ** 2 * variance + mean**2) / temperature
    np.testing.assert_allclose(density["entropy_production_rate"], exact, rtol=5e-3)
    point = evolve(Bowl(), temperature=temperature, grid=grid, start=1.0, times=[0.0, 0.5])["entropy_production_rate"]
    assert point[0] == np.inf
    assert float(point[1]) < 50
