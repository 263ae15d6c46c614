"""Boxes that hold the Gibbs state, and time steps that resolve the curvature."""

import numpy as np
import pytest

import sgdphys as sp
from sgdphys.landscapes import DoubleWell, Expression, FlatSharp, MuellerBrown, Quadratic
from sgdphys.sweeps import gibbs_grid, suggested_time_step


@pytest.mark.parametrize("temperature", [1e-6, 0.01, 1.0, 100.0])
@pytest.mark.parametrize(
    "landscape", [DoubleWell(), Expression("(x - 1000)**2/2"), Quadratic(np.diag([1.0, 30.0]))], ids=str
)
def test_the_box_holds_the_gibbs_state(landscape, temperature):
    """The mean potential on the grid is that of a twice as fine one: nothing is cut off or unresolved."""
    means = []
    start = 1000.0 if "1000" in repr(landscape) else None
    chosen = gibbs_grid(landscape, temperature, start=start)
    for cells in (chosen.shape[0], 2 * chosen.shape[0]):
        grid = gibbs_grid(landscape, temperature, start=start, cells=cells)
        density = sp.fokker_planck.stationary(landscape, temperature=temperature, grid=grid)
        energies = sp.analysis.free_energy(density, landscape, temperature=temperature)
        means.append(float(energies["mean_potential"][0]))
        assert float(density["boundary_mass"][0]) < 1e-12
    assert means[0] == pytest.approx(means[1], rel=1e-6, abs=1e-6 * temperature)


@pytest.mark.parametrize("temperature", [1.0, 0.005, 1e-4, 1e-9])
@pytest.mark.parametrize(
    ("formula", "start", "wells"),
    [
        ("x**4/4 - x**2/2", 1.0, [[-1.0], [1.0]]),
        ("(x - 300)**2*(x + 1)**2/300**2", -1.0, [[-1.0], [300.0]]),
        ("(x**2 - 0.01)**2*(y**2 + 1) + y**2", [0.1, 0.0], [[-0.1, 0.0], [0.1, 0.0]]),
    ],
)
def test_the_box_holds_all_wells_of_equal_depth(formula, start, wells, temperature):
    grid = gibbs_grid(Expression(formula), temperature, start=start)
    for axis, (low, high, _) in enumerate(grid.axes):
        places = np.array(wells)[:, axis]
        assert low < places.min() and places.max() < high


def test_the_box_leaves_out_wells_that_hold_nothing():
    ((low, high, _),) = gibbs_grid(Expression("x**4/4 - x**2/2 + x/10"), 0.001, start=1.0).axes
    assert low < -1.05 and high < -0.8, "the well at 0.95 lies 200 temperatures above the other"


def test_the_box_holds_a_start_in_a_higher_well():
    tilted = Expression("x**4/4 - x**2/2 + x/10")
    ((low, high, _),) = gibbs_grid(tilted, 0.001, start=0.95, hold_start=True).axes
    lowest, start = tilted.potential(np.array([[-1.0467], [0.95]]))
    for wall in (low, high):
        above = float(tilted.potential(np.array([[wall]]))[0]) - start
        assert 0.04 <= above < 0.05, "40 temperatures above the start"
    assert low < -1.05 < 0.95 < high and start - lowest > 0.19


@pytest.mark.parametrize("temperature", [0.01, 1.0])
@pytest.mark.parametrize("formula", ["cos(x)", "x**3 - x", "cos(x) + cos(y)"])
def test_wells_of_a_landscape_without_gibbs_state_are_no_grid(formula, temperature):
    assert gibbs_grid(Expression(formula), temperature, start=None) is None


def test_quadratic_mean_potential_is_half_a_temperature_per_coordinate():
    bowl = Quadratic(np.diag([1.0, 30.0]))
    density = sp.fokker_planck.stationary(bowl, temperature=0.3, grid=gibbs_grid(bowl, 0.3))
    energies = sp.analysis.free_energy(density, bowl, temperature=0.3)
    assert float(energies["mean_potential"][0]) == pytest.approx(0.3, rel=1e-9)


@pytest.mark.parametrize("formula", ["x**3", "0*x", "-x**2", "x**2 - y**2"])
def test_a_landscape_that_does_not_rise_has_no_grid(formula):
    assert gibbs_grid(Expression(formula), 1.0) is None


def test_more_than_two_coordinates_have_no_grid():
    assert gibbs_grid(Quadratic(np.eye(3)), 1.0) is None


def test_mueller_brown_and_flat_sharp_have_grids():
    assert gibbs_grid(MuellerBrown(), 10.0).dim == 2
    assert gibbs_grid(FlatSharp(), 0.05) is not None


@pytest.mark.parametrize("curvature", [1e-4, 1.0, 37.0, 1e6])
def test_time_step_times_curvature(curvature):
    dt = suggested_time_step(Quadratic(np.diag([curvature, curvature / 2])), 0.1)
    assert 0.02 <= dt * curvature <= 0.05


def test_time_step_of_a_landscape_without_hessian():
    class Bare:
        dim = 3

        def potential(self, x):
            return (x**2).sum(axis=1)

        def gradient(self, x):
            return 2 * x

    assert suggested_time_step(Bare(), 0.1) == 0.02


def test_refusals():
    with pytest.raises(ValueError, match="give dt="):
        suggested_time_step(Expression("0*x"), 1.0)
    for temperature in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="temperature must be"):
            suggested_time_step(DoubleWell(), temperature)
        with pytest.raises(ValueError, match="temperature must be"):
            gibbs_grid(DoubleWell(), temperature)
