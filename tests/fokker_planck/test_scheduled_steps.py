"""Second order of every method in a Fokker-Planck equation whose temperature changes, against exact variances."""

import numpy as np
import pytest
from asserts import assert_second_order
from grid_landscapes import Bowl

import sgdphys as sp
from sgdphys.fokker_planck import Grid, evolve
from sgdphys.fokker_planck.problems import settle
from sgdphys.fokker_planck.scheduled_steps import ScheduledStepper

GRID = Grid([(-4, 4, 40)])
HEATING = {"temperature": lambda t: 0.2 * (1 + 2 * t), "grid": GRID}


def start(x):
    return np.exp(-(x[:, 0] ** 2) / 0.4)


def last(**settings):
    return evolve(Bowl(), start=start, times=[1.0], **HEATING, **settings)["density"].values[-1]


def distances(method, steps):
    exact = last(tolerance=1e-10)
    return np.array([np.abs(last(method=method, dt=dt) - exact).sum() * GRID.cell_volume / 2 for dt in steps])


def test_the_variance_follows_the_temperature():
    # v' = -2 v + 2 T(t): v = .2 (2 t) + (v0 - 0) exp(-2 t) with T = .2 (1 + 2 t)
    grid, times = Grid([(-5, 5, 500)]), np.array([0.5, 1.0, 2.0])
    density = evolve(Bowl(), start=start, times=times, **(HEATING | {"grid": grid}))
    variances = (density["density"].values * grid.centres[0] ** 2).sum(axis=1) * grid.cell_volume
    np.testing.assert_allclose(variances, 0.4 * times + 0.2 * np.exp(-2 * times), rtol=3e-4)
    assert np.all(density["time_error"].values < 1e-3)


def test_crank_nicolson_of_a_changing_equation_is_of_second_order():
    assert_second_order(distances("crank-nicolson", [0.02, 0.01, 0.005]), slack=0.2)


def test_implicit_euler_of_a_changing_equation_is_of_first_order_at_the_end_of_steps():
    errors = distances("implicit-euler", [0.04, 0.02, 0.01])
    np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:]), 1, atol=0.1)
    assert errors[-1] < 5e-4  # nine times as much with the operator at the beginning of each step


def test_two_half_steps_are_the_result_and_their_distance_bounds_its_error():
    problem = settle(Bowl(), None, HEATING["temperature"], None, GRID)
    density, tight = start(GRID.points()), ScheduledStepper(problem, 1e-12)
    density /= density.sum() * GRID.cell_volume
    errors, estimates = [], []
    for dt in (0.1, 0.05):
        exact = tight.advance(density, 0.0, dt, dt / 64)[0]
        found, estimate = ScheduledStepper(problem, 1.0)._both(density, 0.0, dt)
        errors.append(np.abs(found - exact).sum() * GRID.cell_volume / 2)
        estimates.append(estimate)
    np.testing.assert_allclose(estimates, errors, rtol=0.3)  # a third of the distance; of the whole step it is 1/4
    assert abs(np.log2(errors[0] / errors[1]) - 3) < 0.3


@pytest.mark.parametrize("tolerance", [1e-4, 1e-6])
def test_no_step_is_taken_whose_error_is_too_large(tolerance):
    problem = settle(Bowl(), None, sp.schedules.Cyclic(0.2, 1.0, 0.5, "sine"), None, GRID)
    density = start(GRID.points())
    density /= density.sum() * GRID.cell_volume
    exact = ScheduledStepper(problem, 1e-9).advance(density, 0.0, 1.0, 1e-3)[0]
    found, total, _ = ScheduledStepper(problem, tolerance).advance(density, 0.0, 1.0, 1.0)
    assert np.abs(found - exact).sum() * GRID.cell_volume / 2 < total < 1000 * tolerance
