import numpy as np
import pytest
from asserts import assert_keeps_mass, assert_never_negative, assert_stationary
from scipy.linalg import expm

import sgdphys as sp
from sgdphys.fokker_planck import Grid, Underdamped, discretise, evolve, stationary

BOWL, T, FRICTION = sp.landscapes.Quadratic(1.0), 0.25, 0.7
MEAN, VARIANCES = np.array([0.8, -0.3]), np.array([0.02, 0.05])


def plane(cells):
    return Grid([(-3.5, 3.5, cells), (-3.5, 3.5, cells)])


def exact_moments(time):
    # m' = A m and S' = A S + S A' + diag(0, 2 gamma T), whose stationary covariance is T 1
    carried = expm(np.array([[0, 1], [-1, -FRICTION]]) * time)
    return carried @ MEAN, T * np.eye(2) + carried @ (np.diag(VARIANCES) - T * np.eye(2)) @ carried.T


def errors_of(scheme, cells, time):
    grid = plane(cells)
    density = evolve(
        Underdamped(BOWL, FRICTION, scheme),
        temperature=T,
        grid=grid,
        start=lambda points: np.exp(-((points - MEAN) ** 2 / VARIANCES / 2).sum(axis=1)),
        times=[time],
    )
    assert_keeps_mass(density)
    weights = density["density"].values[0].ravel() * grid.cell_volume
    mean = weights @ grid.points()
    centred = grid.points() - mean
    exact = exact_moments(time)
    return np.concatenate(
        [mean - exact[0], ((centred.T * weights) @ centred - exact[1])[[0, 0, 1], [0, 1, 1]]]
    ), density


def test_moments_of_the_linear_oscillator_to_second_order():
    found = np.array([errors_of("central", cells, 1.5)[0] for cells in (60, 120)])
    assert np.all(np.abs(np.log2(np.abs(found[0] / found[1])) - 2) < 0.15)
    assert np.abs(found[1]).max() < 7e-4


def test_upwind_streaming_is_positive_and_of_first_order():
    found, densities = zip(*(errors_of("upwind", cells, 1.5) for cells in (40, 80)), strict=True)
    assert_never_negative(densities[0])
    orders = np.log2(np.abs(np.array(found[0]) / found[1]))
    assert np.all((orders > 0.7) & (orders < 1.2))


@pytest.mark.parametrize("scheme", ["central", "upwind"])
def test_the_maxwell_boltzmann_state_is_stationary_to_rounding(scheme):
    well = sp.landscapes.Expression("x**4/4 - x**2/2 + 0.1*x")
    operator = discretise(
        Underdamped(well, FRICTION, scheme), sp.noises.Isotropic(2.0), temperature=0.1, grid=plane(50)
    )
    assert_stationary(operator.matrix, operator.gibbs())
    assert abs(np.asarray(operator.matrix.sum(axis=0))).max() < 1e-13 * abs(operator.matrix).max()
    assert (operator.negative_share > 0) == (scheme == "central")
    assert not operator.is_reversible  # it has a current
    assert np.abs(operator.current(operator.gibbs())).max() > 0.01
    assert operator.entropy_production(operator.gibbs()) < 1e-12


def test_energy_is_equipartitioned_and_axes_are_named():
    state = stationary(Underdamped(BOWL, FRICTION), temperature=T, grid=plane(100))
    assert state["density"].dims == ("time", "x", "v_x")
    kinetic = (state["density"] * state["v_x"] ** 2).sum() * plane(100).cell_volume / 2
    assert float(kinetic) == pytest.approx(T / 2, rel=1e-6)
    energies = sp.analysis.free_energy(state, Underdamped(BOWL, FRICTION), temperature=T)
    assert float(energies["relative_entropy"][0]) == pytest.approx(0, abs=1e-12)


def test_free_energy_falls():
    density = evolve(
        Underdamped(BOWL, FRICTION, "upwind"),
        temperature=T,
        grid=plane(60),
        start=(1.5, 0),
        times=np.linspace(0.1, 6, 30),
    )
    energies = sp.analysis.free_energy(density, Underdamped(BOWL, FRICTION), temperature=T)["free_energy"].values
    assert np.all(np.diff(energies) < 0)


def test_an_absorbing_wall_takes_what_moves_outwards():
    grid = Grid([(-3.5, 1.0, 60), (-3.5, 3.5, 60)], [("far", "absorbing"), "far"])
    density = evolve(Underdamped(BOWL, FRICTION, "upwind"), temperature=T, grid=grid, start=(0, 0), times=[0, 1, 2, 4])
    absorbed = density["absorbed"].values
    assert np.all(np.diff(absorbed) > 0)
    np.testing.assert_allclose(density["mass"] + absorbed, 1, atol=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Underdamped(BOWL, 0.0), "friction must be positive"),
        (lambda: Underdamped(BOWL, 1.0, "weno"), "scheme must be 'central' or 'upwind'"),
        (lambda: stationary(Underdamped(BOWL, 1.0), temperature=0.1, grid=Grid([(-1, 1, 9)])), "the grid has 1 axes"),
        (lambda: stationary(Underdamped(BOWL, 1.0), sgd=sp.SGD(0.1, 1), grid=plane(9)), "needs temperature="),
        (
            lambda: stationary(Underdamped(BOWL, 1.0), sp.noises.Formula("1+x**2"), temperature=0.1, grid=plane(9)),
            "constant noise D = c 1",
        ),
        (
            lambda: evolve(
                Underdamped(BOWL, 1.0), temperature=0.1, grid=plane(9), start=(0, 0), times=[1], method="exponential"
            ),
            "needs rates that are not negative",
        ),
    ],
)
def test_bad_settings_are_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)
