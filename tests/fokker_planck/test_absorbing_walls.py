"""Absorbing walls against exact decay rates, with drift and with tensors."""

import numpy as np
import pytest
from asserts import assert_second_order

import sgdphys as sp
from sgdphys.fokker_planck import Grid, discretise, evolve

T = 0.1


@pytest.mark.parametrize("slope", [0.8, -0.8])
def test_a_drift_between_absorbing_walls_decays_with_the_exact_rate(slope):
    # f = a x: p = sin(pi x) exp(-a x/(2T)) decays with T pi^2 + a^2/(4T)
    errors = []
    for cells in (25, 50, 100):
        grid = Grid([(0, 1, cells)], "absorbing")
        density = evolve(
            sp.landscapes.Expression("a*x", a=slope), temperature=T, grid=grid, times=[0, 0.5],
            start=lambda x: np.sin(np.pi * x[:, 0]) * np.exp(-slope * x[:, 0] / (2 * T)),
        )  # fmt: skip
        errors.append(float(density["mass"][1]) - np.exp(-0.5 * (T * np.pi**2 + slope**2 / (4 * T))))
    assert_second_order(np.array(errors))
    assert abs(errors[-1]) < 1e-4


@pytest.mark.parametrize("slope", [0.8, -3.0])
def test_a_constant_drift_splits_exactly_on_any_grid(slope):
    # from x the upper wall is met first with (e^(a x/T) - 1)/(e^(a/T) - 1): exponential fitting is exact there
    for cells in (4, 9):
        grid = Grid([(0, 1, cells)], "absorbing")
        matrix = discretise(sp.landscapes.Expression("a*x", a=slope), temperature=T, grid=grid).matrix.toarray()
        found = np.linalg.solve(matrix[:cells, :cells].T, -matrix[cells + 1, :cells])
        np.testing.assert_allclose(found, np.expm1(slope * grid.centres[0] / T) / np.expm1(slope / T), rtol=1e-10)


@pytest.mark.parametrize(("matrix", "reach"), [([[1.0, 0.7], [0.7, 1.0]], 1), ([[0.91, 0.3], [0.3, 0.11]], 3)])
def test_a_tensor_between_absorbing_walls_and_around_a_ring(matrix, reach):
    # nothing depends on y: the mass decays as on a line with D_xx
    flat, errors = sp.landscapes.Expression("0*x + 0*y"), []
    for cells in (16, 32):
        grid = Grid([(0, 1, cells), (0, 1, cells)], ["absorbing", "periodic"])
        assert discretise(flat, sp.noises.Full(matrix), temperature=T, grid=grid).reach == reach
        density = evolve(
            flat, sp.noises.Full(matrix), temperature=T, grid=grid, start=lambda x: np.sin(np.pi * x[:, 0]), times=[1]
        )
        errors.append(float(density["mass"][0]) - np.exp(-T * matrix[0][0] * np.pi**2))
        assert float(density["density"].min()) >= 0
    assert_second_order(np.array(errors), slack=0.2)


def test_a_tensor_in_a_box_with_a_corner_of_two_kinds():
    # x low absorbs, the others reflect: turned by a half turn, x high absorbs, and nothing else changes
    flat, noise, found = sp.landscapes.Expression("0*x + 0*y"), sp.noises.Full([[1.0, 0.7], [0.7, 1.0]]), []
    for sides in (("absorbing", "reflecting"), ("reflecting", "absorbing")):
        grid = Grid([(0, 1, 24), (0, 1, 24)], [sides, "reflecting"])
        density = evolve(flat, noise, temperature=T, grid=grid, start=lambda x: 1 + 0 * x[:, 0], times=[1.0])
        found.append(density["density"].values[0])
    np.testing.assert_allclose(found[0], found[1][::-1, ::-1], atol=1e-9)


def test_current_and_entropy_production_leave_out_the_walls():
    grid, flat = Grid([(0, 1, 10)], "absorbing"), sp.landscapes.Expression("0*x")
    operator = discretise(flat, temperature=T, grid=grid)
    even = np.concatenate([np.ones(10), np.zeros(2)])
    assert operator.entropy_production(even) == 0
    np.testing.assert_array_equal(operator.current(even), 0)
    slanted = np.concatenate([np.arange(10.0), np.zeros(2)])
    current = operator.current(slanted)[:, 0]
    np.testing.assert_allclose(current[1:-1], -T / 0.1, rtol=1e-12)
    np.testing.assert_allclose(current[[0, -1]], -T / 0.2, rtol=1e-12)
