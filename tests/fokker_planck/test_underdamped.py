import numpy as np
import pytest
from asserts import assert_keeps_mass, assert_never_negative, assert_stationary
from scipy.linalg import expm
from scipy.stats import norm

import sgdphys as sp
from sgdphys.fokker_planck import (
    Grid,
    Underdamped,
    discretise,
    evolve,
    mean_first_passage_time,
    relaxation_rates,
    stationary,
)

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


def test_noise_and_temperature_enter_as_a_product():
    settings = {"grid": plane(40), "start": (0.8, -0.3), "times": [1.0]}
    hot = evolve(Underdamped(BOWL, FRICTION, "upwind"), temperature=0.3, **settings)
    noisy = evolve(Underdamped(BOWL, FRICTION, "upwind"), sp.noises.Isotropic(3.0), temperature=0.1, **settings)
    np.testing.assert_allclose(noisy["density"], hot["density"], atol=1e-12)


@pytest.mark.parametrize("scheme", ["central", "upwind"])
@pytest.mark.parametrize("walls", [("reflecting", "reflecting"), ("periodic", "far")])
def test_the_stationary_state_in_a_box_full_of_probability(scheme, walls):
    # walls that cut through exp(-H/T): no stream along them
    grid = Grid([(-1, 1, 12), (-0.8, 1.1, 10)], list(walls))
    landscape = sp.landscapes.Expression("cos(pi*x)") if "periodic" in walls else BOWL
    operator = discretise(Underdamped(landscape, FRICTION, scheme), temperature=0.5, grid=grid)
    assert_stationary(operator.matrix, operator.gibbs())
    assert abs(np.asarray(operator.matrix.sum(axis=0))).max() < 1e-13 * abs(operator.matrix).max()


def test_each_velocity_belongs_to_its_position():
    grid = Grid([(-1.5, 1.5, 7), (-1, 1, 6), (-1.6, 1.6, 7), (-1.7, 1.7, 8)], "reflecting")
    landscape = sp.landscapes.Expression("x**2/2 + 2*y**2 + x*y/2")
    operator = discretise(Underdamped(landscape, FRICTION), temperature=0.5, grid=grid)
    assert_stationary(operator.matrix, operator.gibbs())
    points, rate = grid.points(), operator.matrix.T @ grid.points()
    inner = np.all(np.abs(points) < 0.6 * np.array([1.5, 1, 1.6, 1.7]), axis=1)
    cells = np.array(grid.spacing)
    np.testing.assert_allclose(rate[inner, :2], points[inner, 2:], atol=cells[2:].max() / 2)  # d<x>/dt = v
    force = -np.stack([points[:, 0] + points[:, 1] / 2, 4 * points[:, 1] + points[:, 0] / 2], axis=1)
    np.testing.assert_allclose(rate[inner, 2:], force[inner] - FRICTION * points[inner, 2:], atol=0.8)


def test_free_flight_through_absorbing_walls():
    # hardly any friction and no force: x + v t of a Gaussian beyond one of the walls, exactly
    errors, time = [], 0.8
    for cells in (60, 120):
        grid = Grid([(-1.5, 1.0, cells), (-3, 3, cells)], ["absorbing", "far"])
        density = evolve(
            Underdamped(sp.landscapes.Expression("0*x"), 1e-6, "upwind"), temperature=T, grid=grid, times=[time],
            start=lambda p: np.exp(-(p[:, 0] ** 2) / 0.08 - (p[:, 1] - 0.3) ** 2 / (2 * T)),
        )  # fmt: skip
        width = np.sqrt(0.04 + T * time**2)
        beyond = norm.sf((1.0 - 0.3 * time) / width) + norm.cdf((-1.5 - 0.3 * time) / width)
        errors.append(float(density["absorbed"][0]) / beyond - 1)
    assert abs(errors[1]) < 0.15
    assert 1.6 < errors[0] / errors[1] < 2.5  # of first order


def test_strong_friction_is_the_overdamped_equation():
    # time over gamma, to order 1/gamma^2
    well, friction = sp.landscapes.Expression("x**4/4 - x**2/2 + 0.1*x"), 60.0
    line, grid = Grid([(-2.2, 2.2, 50)]), Grid([(-2.2, 2.2, 50), (-2.3, 2.3, 40)])
    slow = evolve(well, temperature=0.2, grid=line, start=lambda x: np.exp(-((x[:, 0] + 1) ** 2) / 0.1), times=[1.0])
    fast = evolve(
        Underdamped(well, friction), temperature=0.2, grid=grid, times=[friction],
        start=lambda p: np.exp(-((p[:, 0] + 1) ** 2) / 0.1 - p[:, 1] ** 2 / 0.4),
    )  # fmt: skip
    positions = fast["density"].values[0].sum(axis=1) * grid.spacing[1]
    assert np.abs(positions - slow["density"].values[0]).sum() * line.cell_volume / 2 < 2e-3


def test_velocities_may_not_be_absorbed():
    grid = Grid([(-2, 2, 20), (-2, 2, 20)], ["far", ("far", "absorbing")])
    with pytest.raises(ValueError, match="walls of velocities may not absorb"):
        discretise(Underdamped(BOWL, 1.0), temperature=0.1, grid=grid)


def test_units_are_those_of_unit_mass():
    motion, grid = Underdamped(BOWL, FRICTION), plane(20)
    state = stationary(motion, temperature=T, grid=grid)
    assert state["v_x"].attrs["units"] == "sqrt(loss)"
    assert state["x"].attrs["units"] == "x"
    assert state["time"].attrs["units"] == "x/sqrt(loss)"
    assert state["density"].attrs["units"] == "1/(x sqrt(loss))^(dim/2)"
    rates = relaxation_rates(motion, temperature=T, grid=grid, count=3)
    assert rates["relaxation_rate"].attrs["units"] == "sqrt(loss)/x"
    time = mean_first_passage_time(motion, temperature=T, grid=grid, start=(-1, 0), target="x > 1")
    assert time.attrs["units"] == "x/sqrt(loss)"
    still = stationary(BOWL, temperature=T, grid=Grid([(-3, 3, 20)]))
    assert still["time"].attrs["units"] == "x^2/loss"
