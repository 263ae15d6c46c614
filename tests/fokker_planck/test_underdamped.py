import numpy as np
import pytest
from asserts import assert_keeps_mass, assert_never_negative, assert_stationary
from scipy.linalg import expm

import sgdphys as sp
from sgdphys.fokker_planck import Grid, Underdamped, discretise, evolve, mean_first_passage_time, stationary

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
                Underdamped(BOWL, 1.0), temperature=0.1, grid=plane(40), start=(0, 0), times=[1], method="exponential"
            ),
            "needs rates that are not negative",
        ),
    ],
)
def test_bad_settings_are_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("cells", [30, 60, 120])
def test_a_grid_too_coarse_for_its_tails_stays_stable(cells):
    # H/T reaches 160; central streaming everywhere brings rounding from there: densities of -1e9 at 30 cells
    grid = Grid([(-4, 4, cells), (-4, 4, cells)])
    start = lambda points: np.exp(-(points**2).sum(axis=1) / 0.4)  # noqa: E731
    density = evolve(Underdamped(BOWL, 1.0), temperature=0.1, grid=grid, start=start, times=[0.5, 10])
    assert float(density["density"].min()) > -1e-12
    weights = density["density"].values[-1].ravel() * grid.cell_volume
    np.testing.assert_allclose(weights @ grid.points() ** 2, 0.1, rtol=0.03)


def test_a_density_below_zero_is_warned_of():
    with pytest.warns(UserWarning, match=r"falls to -[0-9.]+, 0\.1\d of its largest value: refine the grid"):
        evolve(Underdamped(BOWL, 1.0), temperature=0.1, grid=Grid(2 * [(-3, 3, 60)]), start=(0, 0), times=[0.5])


def drift_on_a_ring(force, friction, temperature, modes=20, levels=40):
    """Mean velocity in cos(x) - force x: Fourier modes in x, Hermite functions in v (Risken 1989, chapter 11)."""
    numbers = np.arange(-modes, modes + 1)
    size, root = len(numbers), np.sqrt(temperature)
    slope = np.diag(1j * numbers)
    push = force * np.eye(size) + (np.eye(size, k=-1) - np.eye(size, k=1)) / 2j
    matrix = np.zeros((levels, size, levels, size), dtype=complex)
    for level in range(levels):
        matrix[level, :, level] = -level * friction * np.eye(size)
        if level:
            matrix[level, :, level - 1] = -np.sqrt(level) * (root * slope - push / root)
            matrix[level - 1, :, level] = -np.sqrt(level) * root * slope
    matrix = matrix.reshape(levels * size, levels * size)
    matrix[modes], right = np.eye(levels * size)[modes], np.eye(levels * size)[modes]
    return root * np.linalg.solve(matrix, right)[size + modes].real


def test_a_tilt_drives_a_current_around_a_ring():
    exact, found = drift_on_a_ring(1.0, 1.0, 0.5), []
    tilted = Underdamped(sp.landscapes.Expression("cos(x) - x"), 1.0)
    assert exact == pytest.approx(0.615229, abs=1e-6)
    for cells in (60, 120):
        grid = Grid([(0, 2 * np.pi, cells), (-5, 5, cells)], ["periodic", "far"])
        state = stationary(tilted, temperature=0.5, grid=grid)
        assert "factorisation" in state.attrs["configuration"]  # exp(-H/T) has no drift, but a jump at the seam
        found.append(float((state["density"] * state["v_x"]).sum()) * grid.cell_volume - exact)
    assert abs(np.log2(found[0] / found[1]) - 2) < 0.3
    assert abs(found[1]) < 5e-3


def test_a_periodic_landscape_has_the_maxwell_boltzmann_state():
    grid = Grid([(0, 2 * np.pi, 40), (-4, 4, 40)], ["periodic", "far"])
    operator = discretise(Underdamped(sp.landscapes.Expression("cos(x)"), 0.5), temperature=0.5, grid=grid)
    assert_stationary(operator.matrix, operator.gibbs())


def test_both_schemes_tend_to_one_mean_passage_time():
    # a gate that took half of the outflow, or let something back in, gave 230 to 330 and did not converge
    well, times = sp.landscapes.Expression("x**4/4 - x**2/2"), {}
    for scheme in ("central", "upwind"):
        for cells in (40, 80):
            grid = Grid([(-2.5, 2.5, cells), (-2.4, 2.4, cells)])
            settings = {"temperature": 0.1, "grid": grid, "start": (-1, 0), "target": "x > 0.5"}
            times[scheme, cells] = float(mean_first_passage_time(Underdamped(well, 1.0, scheme), **settings))
    assert times["central", 40] == pytest.approx(times["central", 80], rel=5e-3)
    extrapolated = 2 * times["upwind", 80] - times["upwind", 40]
    assert extrapolated == pytest.approx(times["central", 80], rel=5e-3)
