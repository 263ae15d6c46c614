import numpy as np
import pytest
from asserts import assert_generator, assert_second_order, assert_stationary

import sgdphys as sp
from sgdphys.fokker_planck import Grid, discretise, stationary

QUADRATIC = sp.landscapes.Quadratic(1.0)
TURNED = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
BROKEN = TURNED @ np.diag([1.0, 0.1]) @ TURNED.T  # physics: canonical broken balance, C1
GRADUAL = sp.noises.Formula("1 + x**2")


def polynomial(dim):
    return sp.landscapes.Expression(" + ".join(f"{name}**4/4 - {name}**2/2" for name in "xyz"[:dim]) + " + 0.2*x")


def hot(reading):
    return sp.noises.Formula("1 + x**2", interpretation=reading)


BOX = [(-2.2, 2.2, 24)]
REVERSIBLE = {
    "line": (polynomial(1), None, BOX),
    "line, D(x) ito": (polynomial(1), hot("ito"), BOX),
    "line, D(x) stratonovich": (polynomial(1), hot("stratonovich"), BOX),
    "line, D(x) klimontovich": (polynomial(1), hot("hanggi-klimontovich"), BOX),
    "plane": (polynomial(2), None, 2 * BOX),
    "plane, unequal": (polynomial(2), sp.noises.Diagonal([1.0, 0.3]), 2 * BOX),
    "plane, aligned tensor": (
        sp.landscapes.Quadratic(np.array([[2.0, 0.6], [0.6, 1.0]])),
        sp.noises.Full(np.array([[2.0, 0.6], [0.6, 1.0]])),
        2 * BOX,
    ),
    "plane, D(x)": (polynomial(2), sp.noises.Formula(["1 + x**2", "2 + sin(y)"]), 2 * BOX),
    "space": (polynomial(3), None, 3 * [(-2.2, 2.2, 11)]),
    "space, tensor": (
        sp.landscapes.Quadratic(np.eye(3) + 0.3),
        sp.noises.Full(np.linalg.inv(np.eye(3) + 0.3)),
        3 * [(-2.2, 2.2, 10)],
    ),
}


@pytest.mark.parametrize("name", REVERSIBLE)
def test_the_state_without_current_is_stationary_to_rounding(name):
    landscape, noise, axes = REVERSIBLE[name]
    operator = discretise(landscape, noise, temperature=0.3, grid=Grid(axes, "reflecting"))
    assert operator.is_reversible
    assert_generator(operator.matrix)
    assert_stationary(operator.matrix, operator.gibbs())
    assert operator.entropy_production(operator.gibbs()) < 1e-12
    np.testing.assert_allclose(operator.current(operator.gibbs()), 0, atol=1e-13 * operator.conductances.max())


@pytest.mark.parametrize("name", [name for name in REVERSIBLE if "space" not in name])
def test_the_solved_state_is_that_state(name):
    landscape, noise, axes = REVERSIBLE[name]
    settings = {"temperature": 0.3, "grid": Grid(axes, "reflecting")}
    known = stationary(landscape, noise, method="gibbs", **settings)["density"].values
    solved = stationary(landscape, noise, method="elimination", **settings)["density"].values
    np.testing.assert_allclose(solved, known, rtol=1e-11)


@pytest.mark.parametrize(("reading", "power"), [("ito", 1.0), ("stratonovich", 0.5), ("hanggi-klimontovich", 0.0)])
def test_the_density_of_a_noise_that_grows_outwards(reading, power):
    # p ~ D^-(power) exp(-int f'/(T D)) = (1 + x^2)^-(power + 1/(2T)) at the centres, on any grid
    grid = Grid([(-5, 5, 41)], "reflecting")
    x = grid.centres[0]
    exact = (1 + x**2) ** (-power - 1 / 0.4)
    found = stationary(QUADRATIC, hot(reading), temperature=0.2, grid=grid)["density"].values[0]
    np.testing.assert_allclose(found, exact / (exact.sum() * grid.cell_volume), rtol=1e-8)


@pytest.mark.parametrize(("reading", "moment"), [("ito", 0.25), ("stratonovich", 1 / 3), ("hanggi-klimontovich", 0.5)])
def test_second_moments_of_the_readings(reading, moment):
    grid = Grid([(-300, 300, 40000)])
    density = stationary(QUADRATIC, hot(reading), temperature=0.2, grid=grid)["density"].values[0]
    assert (grid.centres[0] ** 2 * density).sum() * grid.cell_volume == pytest.approx(moment, rel=2e-5)


def covariance(density, grid):
    weights = density["density"].values[0].ravel() * grid.cell_volume
    return (grid.points() * weights[:, None]).T @ grid.points()


def test_broken_balance_to_second_order():
    # Sigma/T = [[.275, .36], [.36, 1.1]], entropy production 1.8225, whatever the temperature
    errors = []
    for cells in (50, 100, 200):
        grid = Grid([(-2.2, 2.2, cells), (-4.2, 4.2, cells)])
        landscape = sp.landscapes.Quadratic(np.diag([2.0, 0.5]))
        state = stationary(landscape, sp.noises.Full(BROKEN), temperature=0.1, grid=grid)
        moments = covariance(state, grid) / 0.1 - [[0.275, 0.36], [0.36, 1.1]]
        errors.append(
            [moments[0, 0], moments[0, 1], moments[1, 1], float(state["entropy_production_rate"][0]) - 1.8225]
        )
    for column in np.array(errors).T:
        assert_second_order(column, slack=0.25)
    assert abs(errors[-1][-1]) < 7e-3


def test_imposed_detailed_balance_produces_nothing_and_is_not_stationary():
    grid = Grid([(-2.2, 2.2, 60), (-4.2, 4.2, 60)])
    operator = discretise(
        sp.landscapes.Quadratic(np.diag([2.0, 0.5])), sp.noises.Full(BROKEN), temperature=0.1, grid=grid
    )
    imposed = discretise(sp.landscapes.Quadratic(np.diag([2.0, 0.5])), temperature=0.1, grid=grid)
    assert imposed.entropy_production(imposed.gibbs()) < 1e-12
    assert not operator.is_reversible
    with pytest.raises(AssertionError):
        assert_stationary(operator.matrix, imposed.gibbs(), tolerance=1e-4)


@pytest.mark.parametrize("rotation", [0.5, 1.5])
def test_example_19_of_chaudhari_and_soatto(rotation):
    # the state is exp(-Phi) for every rotation; E x^2 = 1.041797, E y^2 = 1, EPR = .681382 l^2, area rate .412095 l
    landscape, errors = sp.landscapes.ChaudhariSoatto(rotation=rotation), []
    for cells in (50, 100, 200):
        grid = Grid([(-4, 4, cells), (-5, 5, cells)])
        state = stationary(landscape, temperature=1.0, grid=grid)
        x, y = grid.points().T
        J = state["current"].values[0].reshape(-1, 2) * grid.cell_volume
        weights = np.exp(-landscape.potential(grid.points()))
        density = state["density"].values[0].ravel()
        distance = np.abs(density * grid.cell_volume - weights / weights.sum()).sum() / 2
        area = ((x * J[:, 1] - y * J[:, 0]) / 2).sum() - 0.412095 * rotation
        entropy = float(state["entropy_production_rate"][0]) - 0.681382 * rotation**2
        errors.append([distance, area, entropy, (x**2 * density).sum() * grid.cell_volume - 1.041797])
    for column in np.array(errors).T[:3]:
        assert_second_order(column, slack=0.2)
    assert np.all(np.abs(errors[-1]) < [1e-4, 2e-4, 6e-4, 5e-5])


def test_a_tilted_ring_carries_the_exact_current():
    # Stratonovich's formula for J in cos(x) - F x on a circle, by quadrature
    force, energy = 0.5, 0.4
    x = (np.arange(4000) + 0.5) * 2 * np.pi / 4000
    tilted = np.exp((np.cos(x) - force * x) / energy)
    inverse = np.exp(-(np.cos(x) - force * x) / energy)
    width = 2 * np.pi / 4000
    turn = np.exp(-2 * np.pi * force / energy)
    unrolled = np.concatenate([tilted, turn * tilted])
    inner = np.array([unrolled[k : k + 4000].sum() - (1 - turn) * tilted[k] / 2 for k in range(4000)])  # trapezoids
    exact = energy * (1 - turn) / ((inverse * inner).sum() * width**2)
    errors = []
    for cells in (40, 80, 160):
        grid = Grid([(0, 2 * np.pi, cells)], "periodic")
        state = stationary(sp.landscapes.Expression("cos(x) - F*x", F=force), temperature=energy, grid=grid)
        current = state["current"].values[0, :, 0]
        np.testing.assert_allclose(current, current[0], rtol=1e-11)
        errors.append(current[0] - exact)
        entropy = 2 * np.pi * force / energy * current[0]
        assert float(state["entropy_production_rate"][0]) == pytest.approx(entropy, rel=1e-10)
    assert_second_order(errors)


def test_noise_of_full_tensor_that_depends_on_x_keeps_second_order():
    # Haenggi-Klimontovich: moments on three grids
    matrix = [["1 + 0.5*sin(x)", "0.4*cos(y)"], ["0.4*cos(y)", "0.7"]]
    noise, found = sp.noises.Formula(matrix, interpretation="hanggi-klimontovich"), []
    for cells in (30, 60, 120):
        grid = Grid([(-3, 3, cells), (-3, 3, cells)])
        state = stationary(sp.landscapes.Quadratic(np.diag([2.0, 1.0])), noise, temperature=0.3, grid=grid)
        found.append(covariance(state, grid)[[0, 0, 1], [0, 1, 1]])
    coarse, fine = found[0] - found[1], found[1] - found[2]
    assert np.all(np.abs(np.log2(np.abs(coarse / fine)) - 2) < 0.4)


def test_too_anisotropic_a_diffusion_is_refused_with_the_number():
    angle = np.array([np.cos(0.3), np.sin(0.3)])
    noise = sp.noises.Full(np.outer(angle, angle) + 1e-7 * np.eye(2))
    with pytest.raises(ValueError, match=r"condition number of 1e\+07: .* hops of \d+ cells, and this grid takes 10"):
        discretise(sp.landscapes.Quadratic(np.eye(2)), noise, temperature=0.1, grid=Grid([(-2, 2, 40), (-2, 2, 40)]))


@pytest.mark.parametrize("matrix", [[[2, 3], [3, 5]], [[2, -3], [-3, 5]], [[5, 8], [8, 13]]])
def test_corners_that_no_hop_leaves_are_joined_along_the_axes(matrix):
    # D = sum of two hops alone, (1, 1) and (1, 2) for the first: in two corners both lead through walls
    noise, settings = sp.noises.Full(matrix), {"temperature": 0.1, "grid": Grid([(-5, 5, 50), (-5, 5, 50)])}
    operator = discretise(sp.landscapes.Quadratic(np.eye(2)), noise, **settings)
    assert_generator(operator.matrix)
    assert operator.matrix.diagonal().max() < 0
    added = np.flatnonzero(operator.kinds >= len(operator.hops) - 2)
    axis = operator.kinds[added] - len(operator.hops) + 2
    np.testing.assert_allclose(operator.conductances[added], 0.1 * np.diagonal(matrix)[axis] / 0.2**2)
    for method in ("elimination", "factorisation"):
        state = stationary(sp.landscapes.Quadratic(np.eye(2)), noise, method=method, **settings)
        np.testing.assert_allclose(
            covariance(state, settings["grid"]), 0.1 * np.array(matrix), rtol=0.05 if matrix[0][0] == 5 else 1e-5
        )


def test_joined_corners_keep_the_gibbs_state():
    matrix = np.array([[2.0, 3.0], [3.0, 5.0]])
    settings = {"temperature": 1.0, "grid": Grid([(-2, 2, 24), (-2, 2, 24)], "reflecting")}
    operator = discretise(sp.landscapes.Quadratic(matrix), sp.noises.Full(matrix), **settings)
    assert operator.is_reversible
    assert_stationary(operator.matrix, operator.gibbs())
    points = settings["grid"].points()
    density = np.exp(-(points**2).sum(axis=1) / 2)  # f = x' D x/2, so that D^-1 grad f = x
    np.testing.assert_allclose(operator.gibbs(), density / density.sum() / settings["grid"].cell_volume, rtol=1e-9)
