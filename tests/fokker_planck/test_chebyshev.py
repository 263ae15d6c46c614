import numpy as np
import pytest
from grid_landscapes import Bowl, Well

import sgdphys as sp
from sgdphys.fokker_planck import Grid, Underdamped, discretise, evolve, marches
from sgdphys.fokker_planck.chebyshev import ChebyshevAction
from sgdphys.fokker_planck.fixed_steps import exponential_action

LINE = Grid([(-2.5, 2.5, 150)])
RING = Grid([(0, 2 * np.pi, 60)], "periodic")
PLANE = Grid([(-2.5, 2.5, 30), (-2, 2, 25)])
TENSOR = np.array([[1.0, 0.4], [0.4, 0.5]])
BALANCED = {
    "line": (Well(tilt=0.1), None, LINE),
    "line, D(x)": (sp.landscapes.Expression("x**4/4 - x**2/2"), sp.noises.Formula("1 + x**2"), LINE),
    "ring": (sp.landscapes.Expression("cos(x)"), None, RING),
    "plane": (Well(dim=2, narrowing=3.0), None, PLANE),
    "plane, tensor": (sp.landscapes.Quadratic(TENSOR), sp.noises.Full(TENSOR), PLANE),
}


def smooth(grid):
    density = np.exp(-((grid.points() - np.mean(grid.points(), axis=0) - 0.3) ** 2).sum(axis=1) / 0.2)
    return density / (density.sum() * grid.cell_volume)


@pytest.mark.parametrize("name", BALANCED)
@pytest.mark.parametrize("duration", [0.01, 1.0])
def test_the_sum_is_the_exponential(name, duration):
    landscape, noise, grid = BALANCED[name]
    operator = discretise(landscape, noise, temperature=0.2, grid=grid)
    assert ChebyshevAction.serves(operator)
    action, density = ChebyshevAction(operator), smooth(grid)
    exact = exponential_action(operator, density, duration)
    for accuracy in (1e-4, 1e-12):
        found = action(density, duration, accuracy)
        distance = 0.5 * np.abs(found - exact).sum() * grid.cell_volume
        assert distance < action.error(density, accuracy) + 1e-13
        assert found.min() >= 0
        assert found.sum() == pytest.approx(density.sum(), rel=1e-13)


def test_two_terms_fewer_are_too_few_by_the_rule():
    # the number of terms follows the accuracy: half of them leave an error far above the bound
    operator = discretise(Well(), temperature=0.2, grid=LINE)
    action, density = ChebyshevAction(operator), smooth(LINE)
    exact = exponential_action(operator, density, 1.0)
    coarse = action(density, 1.0, 1e-1)
    assert action.terms(1.0, 1e-1) < 0.7 * action.terms(1.0, 1e-10)
    assert 0.5 * np.abs(coarse - exact).sum() * LINE.cell_volume > action.error(density, 1e-10)


def test_what_it_does_not_serve():
    field = sp.landscapes.ChaudhariSoatto(1.0)
    assert not ChebyshevAction.serves(discretise(field, temperature=1.0, grid=PLANE))
    assert not ChebyshevAction.serves(discretise(Well(), temperature=0.2, grid=Grid([(-2, 2, 20)], "absorbing")))
    assert not ChebyshevAction.serves(discretise(Well(), temperature=1e-3, grid=LINE))  # pi is 0 at the walls
    inertial = Underdamped(sp.landscapes.Quadratic(1.0), 1.0, "upwind")
    assert not ChebyshevAction.serves(discretise(inertial, temperature=0.2, grid=PLANE))


def test_a_start_where_the_state_is_almost_empty_is_left_to_implicit_steps():
    operator = discretise(Bowl(), temperature=0.02, grid=LINE)
    density = np.zeros(LINE.size)
    density[-2] = 1 / LINE.cell_volume
    assert ChebyshevAction(operator).accuracy(density, 1e-6) is None
    run = evolve(Bowl(), temperature=0.02, grid=LINE, start=density, times=[0.2, 1.0], tolerance=1e-8)
    exact = exponential_action(operator, density, 1.0)
    np.testing.assert_allclose(run["density"].values[-1], exact, atol=1e-6 * exact.max())


def test_the_adaptive_method_is_the_same_with_and_without(monkeypatch):
    settings = {"temperature": 0.2, "grid": LINE, "start": -1.0, "times": [0.3, 2.0, 50.0], "tolerance": 1e-8}
    mixed = evolve(Well(), **settings)
    monkeypatch.setattr(marches.ChebyshevAction, "serves", staticmethod(lambda _: False))
    stepped = evolve(Well(), **settings)
    np.testing.assert_allclose(mixed["density"], stepped["density"], atol=2e-7)
    assert np.all(np.diff(mixed["time_error"]) >= 0)
    assert 0 < float(mixed["time_error"][-1]) < 1e-6
