import numpy as np
import pytest
from asserts import assert_falls
from grid_landscapes import Well
from scipy.linalg import expm
from scipy.special import rel_entr

import sgdphys as sp
from sgdphys.fokker_planck import Grid, Underdamped, discretise
from sgdphys.fokker_planck import time_steps as module
from sgdphys.fokker_planck.time_steps import Stepper

LINE = Grid([(-2.5, 2.5, 120)])
WELL = discretise(Well(tilt=0.1), temperature=0.1, grid=LINE)


def distance(one, other):
    return 0.5 * np.abs(one - other).sum() * LINE.cell_volume


def bump():
    density = np.exp(-((LINE.centres[0] - 0.6) ** 2) / 0.02)
    return density / (density.sum() * LINE.cell_volume)


def point():
    density = np.zeros(LINE.size)
    density[30] = 1 / LINE.cell_volume
    return density


def amplification(weights, z):
    return sum(weight / (1 - module._POLE * z) ** (k + 1) for k, weight in enumerate(weights))


def test_one_step_is_of_fifth_order():
    errors = []
    smooth = WELL.gibbs() * (1 + 0.5 * np.tanh(LINE.centres[0]))
    for dt in (0.05, 0.025, 0.0125):
        exact = expm(dt * WELL.matrix.toarray()) @ smooth
        errors.append(distance(Stepper(WELL, 1.0).step(smooth, dt)[0], exact))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(np.abs(orders - 6) < 0.7), orders  # of one step: dt^6


def test_every_mode_is_damped_and_keeps_its_sign():
    z = -np.logspace(-6, 8, 2000)
    factor = amplification(module._FIFTH, z)
    assert np.all((factor > 0) & (factor < 1))
    positive = amplification(module._POSITIVE, z)
    assert np.all((positive > 0) & (positive < 1))
    np.testing.assert_allclose([w.sum() for w in (module._FIFTH, module._THIRD, module._POSITIVE)], 1.0, atol=1e-14)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-9])
def test_the_estimate_bounds_the_error(tolerance):
    stepper = Stepper(WELL, tolerance)
    density, estimate, _ = stepper.advance(bump(), 3.0, stepper.first_step(bump()))
    exact = expm(3.0 * WELL.matrix.toarray()) @ bump()
    assert distance(density, exact) < max(estimate, 1e-13)
    assert estimate < 300 * tolerance


def test_limited_flux_keeps_mass_and_positivity():
    stepper = Stepper(WELL, 1.0)
    for dt in (0.1, 1.0):
        stages = [point()]
        for _ in range(5):
            stages.append(stepper._solver(dt)(stages[-1]))
        raw = module._FIFTH @ np.array(stages[1:])
        assert raw.min() < 0  # what the limiter is for
        limited = stepper.step(point(), dt)[0]
        assert limited.min() >= 0
        assert limited.sum() == pytest.approx(point().sum(), rel=1e-14)
        exact = expm(dt * WELL.matrix.toarray()) @ point()
        assert distance(limited, exact) < 1.1 * distance(raw, exact)


@pytest.mark.parametrize("dt", [0.5, 1.0])
def test_limiting_in_one_well_takes_nothing_from_the_other(dt):
    # half of the particles wait behind a barrier of 60 T while a point spreads in the other well. Setting negative
    # cells to zero and dividing by the sum would carry some of that half across
    cold = discretise(Well(tilt=0.1), temperature=0.004, grid=LINE)
    behind = np.exp(-10 * (LINE.centres[0] + 1) ** 2) * (LINE.centres[0] < 0)
    start = behind / (2 * behind.sum() * LINE.cell_volume)
    start[90] += 0.5 / LINE.cell_volume
    stepper = Stepper(cold, 1.0)
    stages = [start]
    for _ in range(5):
        stages.append(stepper._solver(dt)(stages[-1]))
    clipped = np.maximum(module._FIFTH @ np.array(stages[1:]), 0.0)
    clipped /= clipped.sum() * LINE.cell_volume
    limited, exact = stepper.step(start, dt)[0], expm(dt * cold.matrix.toarray()) @ start
    left = LINE.centres[0] < -0.1
    assert limited[left].sum() * LINE.cell_volume == pytest.approx(exact[left].sum() * LINE.cell_volume, abs=1e-5)
    assert clipped[left].sum() * LINE.cell_volume < 0.5 - 1e-3
    assert distance(limited, exact) < 0.8 * distance(clipped, exact)


def test_relative_entropy_falls_at_every_step_from_a_point():
    stepper, density, gibbs = Stepper(WELL, 1e-6), point(), WELL.gibbs()
    divergences = [rel_entr(density, gibbs).sum() * LINE.cell_volume]
    dt = 2.0**-15
    for _ in range(40):
        density, _ = stepper.step(density, dt)
        divergences.append(rel_entr(density, gibbs).sum() * LINE.cell_volume)
        dt *= 1.4
    assert_falls(divergences)
    assert divergences[-1] < 1e-3 * divergences[0]


def test_gibbs_state_stays_at_any_step():
    for dt in (1e-3, 1.0, 1e4):
        density, error = Stepper(WELL, 1.0).step(WELL.gibbs(), dt)
        np.testing.assert_allclose(density, WELL.gibbs(), rtol=1e-16 * dt * abs(WELL.matrix).max() + 1e-13)
        assert error < 1e-9


def test_a_tolerance_below_rounding_is_refused():
    with pytest.raises(ValueError, match="is not reached by any time step"):
        Stepper(WELL, 1e-22).advance(bump(), 1.0, 0.1)


def test_the_estimate_does_not_depend_on_the_cells():
    found = []
    for cells in (100, 200):
        grid = Grid([(-2.5, 2.5, cells)])
        operator = discretise(Well(tilt=0.1), temperature=0.1, grid=grid)
        smooth = operator.gibbs() * (1 + 0.5 * np.tanh(grid.centres[0]))
        found.append(Stepper(operator, 1.0).step(smooth / (smooth.sum() * grid.cell_volume), 0.2)[1])
    assert found[0] == pytest.approx(found[1], rel=0.1)


def test_steps_with_negative_rates_are_linear():
    # no flux is limited where rates are negative: the sum of two steps is the step of the sum
    motion = Underdamped(sp.landscapes.Quadratic(1.0), 0.5)
    operator = discretise(motion, temperature=0.25, grid=Grid([(-3, 3, 40), (-3, 3, 40)]))
    assert operator.negative_share > 0
    parts = np.eye(operator.size)[[700, 905]]
    stepper = Stepper(operator, 1.0)
    together = stepper.step(parts.sum(axis=0), 0.3)[0]
    assert together.min() < 0
    np.testing.assert_allclose(sum(stepper.step(part, 0.3)[0] for part in parts), together, atol=1e-12)
