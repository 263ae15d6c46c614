"""Drifts and diffusions against formulas that no grid knows."""

import numpy as np
import pytest
from asserts import assert_second_order
from scipy.linalg import expm, solve_continuous_lyapunov

import sgdphys as sp
from sgdphys.fokker_planck import Grid, discretise, evolve, stationary
from sgdphys.fokker_planck.equations import Equation

FLAT = sp.landscapes.Expression("0*x + 0*y")
TENSOR = np.array([[1.0, 0.6], [0.6, 1.0]])
READINGS = {"ito": 0.0, "stratonovich": 0.5, "hanggi-klimontovich": 1.0}


class Given:
    """A diffusion as a function alone, so that its divergence is a central difference."""

    additive = False

    def __init__(self, function, interpretation="ito"):
        self.diffusion, self.interpretation = function, interpretation


def tensor_of(x):
    # rows (2 + x, x y) and (x y, 3 + y^2): div D = (1 + x, y + 2 y)
    product = x[:, 0] * x[:, 1]
    return np.stack([np.stack([2 + x[:, 0], product], 1), np.stack([product, 3 + x[:, 1] ** 2], 1)], 1)


FORMULA = [["2 + x", "x*y"], ["x*y", "3 + y**2"]]


@pytest.mark.parametrize("noise", [sp.noises.Formula(FORMULA), Given(tensor_of)], ids=["kernel", "difference"])
def test_the_divergence_of_a_tensor(noise):
    points = np.random.default_rng(0).uniform(-1, 1, size=(50, 2))
    equation = Equation(FLAT, noise, 0.1, 1.0, 0.0, 0.0)
    exact = np.stack([1 + points[:, 0], 3 * points[:, 1]], axis=1)
    np.testing.assert_allclose(equation.divergence(points), exact, atol=1e-9)


@pytest.mark.parametrize("reading", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("noise", [sp.noises.Formula(FORMULA), Given(tensor_of)], ids=["kernel", "difference"])
def test_exponents_are_the_integral_of_force_over_diffusion(noise, reading):
    # along random segments: step . (TD)^-1 grad f + (1 - r) step . D^-1 div D, by a fine midpoint rule
    rng, landscape = np.random.default_rng(1), sp.landscapes.Quadratic(np.diag([1.0, 3.0]))
    start = rng.uniform(-0.8, 0.8, size=(20, 2))
    step = rng.uniform(-0.1, 0.1, size=(20, 2))
    exact = np.zeros(20)
    for share in (np.arange(4000) + 0.5) / 4000:
        x = start + share * step
        force = x * [1.0, 3.0] / 0.2 + (1 - reading) * np.stack([1 + x[:, 0], 3 * x[:, 1]], axis=1)
        exact += np.einsum("ni,ni->n", step, np.linalg.solve(tensor_of(x), force[:, :, None])[:, :, 0]) / 4000
    found = Equation(landscape, noise, 0.2, 1.0, 0.0, reading).exponents(start, start + step)
    np.testing.assert_allclose(found, exact, atol=1e-8)


@pytest.mark.parametrize("reading", ["ito", "hanggi-klimontovich"])
def test_the_mean_drift_of_a_tensor_that_depends_on_x(reading):
    # d<x>/dt = -<grad f> + r T <div D> with D from above, from a narrow density in the middle
    noise, temperature = Given(tensor_of, reading), 0.01
    start, time = np.array([0.4, -0.5]), 0.02
    grid = Grid([(-0.2, 1.0, 120), (-1.1, 0.1, 120)])
    density = evolve(
        FLAT, noise, temperature=temperature, grid=grid, times=[0, time],
        start=lambda x: np.exp(-((x - start) ** 2).sum(axis=1) / 0.01),
    )  # fmt: skip
    means = [frame.ravel() @ grid.points() * grid.cell_volume for frame in density["density"].values]
    rate = (means[1] - means[0]) / time
    exact = READINGS[reading] * temperature * np.array([1 + start[0], 3 * start[1]])
    np.testing.assert_allclose(rate, exact, atol=3e-4)  # .014 and -.015, or nothing


@pytest.mark.parametrize(("reading", "r"), READINGS.items())
def test_every_axis_feels_its_own_diffusion(reading, r):
    # D = diag(1 + x^2, 2 + sin y) and f = x^2/2 + cos y/2: p ~ D_x^-(1 - r) D_y^-(1 - r) exp(-int f'/(TD))
    noise = sp.noises.Formula(["1 + x**2", "2 + sin(y)"], interpretation=reading)
    landscape, errors = sp.landscapes.Expression("x**2/2 + cos(y)/2"), []
    for cells in (20, 40):
        grid = Grid([(-3, 3, cells), (-2, 2, cells)], "reflecting")
        x, y = grid.centres
        fine = np.linspace(-2, 2, 200_001)
        slope = -np.sin(fine) / 2 / (0.5 * (2 + np.sin(fine)))
        work = np.concatenate([[0], np.cumsum((slope[1:] + slope[:-1]) / 2) * (fine[1] - fine[0])])
        along = (1 + x**2) ** (-(1 - r) - 1 / (2 * 0.5))
        across = (2 + np.sin(y)) ** -(1 - r) * np.exp(-np.interp(y, fine, work))
        exact = np.outer(along, across)
        exact /= exact.sum() * grid.cell_volume
        found = stationary(landscape, noise, temperature=0.5, grid=grid)["density"].values[0]
        errors.append(np.abs(found - exact).max())
    assert errors[0] < 1e-5


@pytest.mark.parametrize("temperature", [0.1, 0.7])
def test_a_constant_drift_on_a_torus(temperature):
    # p is even, J = c p, entropy production c D^-1 c/T
    drift = np.array([0.3, -0.2])
    field = sp.landscapes.Field(FLAT, ["0.3", "-0.2"])
    grid = Grid([(0, 2 * np.pi, 16), (0, 2 * np.pi, 12)], "periodic")
    for noise, diffusion in ((sp.noises.Full(TENSOR), TENSOR), (None, np.eye(2))):
        state = stationary(field, noise, temperature=temperature, grid=grid)
        even = 1 / (2 * np.pi) ** 2
        np.testing.assert_allclose(state["density"], even, rtol=1e-11)
        current = state["current"].values[0].reshape(-1, 2)
        np.testing.assert_allclose(current, np.broadcast_to(even * drift, current.shape), atol=1e-12)
        exact = drift @ np.linalg.solve(diffusion, drift) / temperature
        assert float(state["entropy_production_rate"][0]) == pytest.approx(exact, rel=1e-9)


def test_a_shear_on_a_torus_with_a_tensor():
    field, errors = sp.landscapes.Field(FLAT, ["sin(y)", "cos(x)"]), []
    for cells in (16, 32):
        grid = Grid([(0, 2 * np.pi, cells), (0, 2 * np.pi, cells)], "periodic")
        state = stationary(field, sp.noises.Full(TENSOR), temperature=0.3, grid=grid)
        drift = np.stack([np.sin(grid.points()[:, 1]), np.cos(grid.points()[:, 0])], axis=1)
        exact = np.einsum("ni,ij,nj->n", drift, np.linalg.inv(TENSOR), drift).mean() / 0.3
        current = state["current"].values[0].reshape(-1, 2) * (2 * np.pi) ** 2
        errors.append([np.abs(current - drift).max(), float(state["entropy_production_rate"][0]) - exact])
    for column in np.array(errors).T:
        assert_second_order(column, slack=0.1)


def test_a_weak_circulation_is_not_taken_for_none():
    base = sp.landscapes.Quadratic(np.eye(2))
    field, grid = sp.landscapes.Field(base, ["-1e-4*y", "1e-4*x"]), Grid([(-3, 3, 40), (-3, 3, 40)])
    assert not discretise(field, temperature=0.3, grid=grid).is_reversible
    state = stationary(field, temperature=0.3, grid=grid)
    # area rate l <x^2>, entropy production 2 l^2
    assert float(state["entropy_production_rate"][0]) == pytest.approx(2e-8, rel=0.02)


def test_weight_decay_pulls_where_coordinates_mix_too():
    # OU with H + wd 1 and D of SGD: Sigma from the Lyapunov equation
    sgd, hessian = sp.SGD(lr=0.2, batch_size=1, weight_decay=0.8), np.diag([1.0, 0.5])
    grid = Grid([(-2.5, 2.5, 80), (-2.5, 2.5, 80)])
    state = stationary(sp.landscapes.Quadratic(hessian), sp.noises.Full(TENSOR), sgd=sgd, grid=grid)
    weights = state["density"].values[0].ravel() * grid.cell_volume
    found = (grid.points().T * weights) @ grid.points()
    exact = solve_continuous_lyapunov(hessian + 0.8 * np.eye(2), 2 * 0.1 * TENSOR)
    np.testing.assert_allclose(found, exact, rtol=0.02)


def test_conductances_are_means_of_both_cells():
    grid = Grid([(-2, 2, 20)], "reflecting")
    operator = discretise(sp.landscapes.Quadratic(1.0), sp.noises.Formula("1 + x**2"), temperature=0.3, grid=grid)
    diffusion = 0.3 * (1 + grid.centres[0] ** 2) / grid.spacing[0] ** 2
    np.testing.assert_allclose(operator.conductances, (diffusion[1:] + diffusion[:-1]) / 2, rtol=1e-13)


def test_three_dimensional_tensors_move_as_they_should():
    # OU in space with a full D, from a Gaussian: mean and covariance of the matrix exponential, to second order
    hessian, diffusion = np.diag([1.0, 2.0, 1.5]) + 0.2, np.eye(3) + 0.5
    mean, time, errors = np.array([0.4, -0.3, 0.2]), 0.5, []
    for cells in (12, 20):
        grid = Grid(3 * [(-2.6, 2.6, cells)], "reflecting")
        density = evolve(
            sp.landscapes.Quadratic(hessian), sp.noises.Full(diffusion), temperature=0.2, grid=grid, times=[time],
            start=lambda x: np.exp(-((x - mean) ** 2).sum(axis=1) / 0.4), tolerance=1e-4,
        )  # fmt: skip
        weights = density["density"].values[0].ravel() * grid.cell_volume
        centred = grid.points() - weights @ grid.points()
        carried, rest = expm(-hessian * time), solve_continuous_lyapunov(hessian, 0.4 * diffusion)
        exact = rest + carried @ (0.2 * np.eye(3) - rest) @ carried.T
        errors.append(np.abs((centred.T * weights) @ centred - exact).max())
    assert errors[1] < 0.55 * errors[0]
    assert errors[1] < 0.02


@pytest.mark.parametrize("peclet", [1e1, 1e3])
def test_drift_that_dominates_stays_positive(peclet):
    field = sp.landscapes.Field(FLAT, ["a*sin(y)", "a*cos(x)"], a=peclet * 0.1 * 24 / (2 * np.pi))
    grid = Grid([(0, 2 * np.pi, 24), (0, 2 * np.pi, 24)], "periodic")
    operator = discretise(field, sp.noises.Full(TENSOR), temperature=0.1, grid=grid)
    assert operator.negative_share == 0
    assert np.abs(operator.exponents).max() > peclet
    density = evolve(field, sp.noises.Full(TENSOR), temperature=0.1, grid=grid, start=(1.0, 1.0), times=[0.01, 1.0])
    assert float(density["density"].min()) >= 0
    state = stationary(field, sp.noises.Full(TENSOR), temperature=0.1, grid=grid)  # some rates underflow, both ways not
    np.testing.assert_allclose(state["density"], 1 / (2 * np.pi) ** 2, rtol=1e-9)
    np.testing.assert_allclose(density["mass"], 1, atol=1e-13)
