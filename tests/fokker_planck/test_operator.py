import numpy as np
import pytest
from asserts import assert_generator, assert_second_order, assert_stationary
from grid_landscapes import Bowl, Well
from scipy import sparse
from scipy.sparse.linalg import eigsh

import sgdphys as sp
from sgdphys.fokker_planck import Grid, Underdamped, discretise
from sgdphys.fokker_planck.factorisation import factorise
from sgdphys.fokker_planck.operator import bernoulli
from sgdphys.noises import Diagonal

LINE = Grid([(-3, 3, 400)])
PLANE = Grid([(-2.5, 2.5, 60), (-2, 2, 50)])
SPACE = Grid([(-2, 2, 12), (-2, 2, 10), (-2, 2, 9)])


def slowest_rate(operator):
    """Smallest non-zero eigenvalue of -L, from the operator made symmetric by the Gibbs state."""
    root = np.sqrt(operator.gibbs())
    symmetric = sparse.diags(1 / root) @ operator.matrix @ sparse.diags(root)
    values = eigsh(-(symmetric + symmetric.T) / 2, k=2, sigma=-1e-3, which="LM", return_eigenvectors=False)
    return np.sort(values)[1]


def test_bernoulli_function_is_exact_to_rounding():
    z = np.array([-50.0, -1.0, -1e-3, -1e-9, 1e-9, 1e-3, 1.0, 50.0])
    np.testing.assert_allclose(bernoulli(z), z / np.expm1(z), rtol=1e-15)
    np.testing.assert_array_equal(bernoulli(np.array([0.0, 800.0, -800.0])), [1.0, 0.0, 800.0])
    np.testing.assert_allclose(bernoulli(-z), bernoulli(z) + z, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(
    ("landscape", "grid", "temperature"),
    [
        (Well(), LINE, 0.1),
        (Well(tilt=0.1), LINE, 0.02),
        (Well(), LINE, 1e-3),
        (Well(dim=2, narrowing=3.0), PLANE, 0.1),
        (Bowl(((1.0, 0.3, 0.0), (0.3, 2.0, 0.1), (0.0, 0.1, 0.5))), SPACE, 0.3),
    ],
)
def test_gibbs_state_at_cell_centres_is_stationary(landscape, grid, temperature):
    operator = discretise(landscape, temperature=temperature, grid=grid)
    assert_generator(operator.matrix)
    assert_stationary(operator.matrix, operator.gibbs())


def test_gibbs_state_of_twice_the_temperature_is_not_stationary():
    operator = discretise(Well(), temperature=0.1, grid=LINE)
    hot = discretise(Well(), temperature=0.2, grid=LINE).gibbs()
    with pytest.raises(AssertionError):
        assert_stationary(operator.matrix, hot, tolerance=1e-4)


def test_unequal_diffusion_is_a_generator_without_the_gibbs_state():
    operator = discretise(Well(dim=2, narrowing=3.0), Diagonal([1.0, 0.2]), temperature=0.1, grid=PLANE)
    assert not operator.is_reversible
    assert_generator(operator.matrix)
    isotropic = discretise(Well(dim=2, narrowing=3.0), temperature=0.1, grid=PLANE)
    with pytest.raises(AssertionError):
        assert_stationary(operator.matrix, isotropic.gibbs(), tolerance=1e-4)
    with pytest.raises(ValueError, match="no Gibbs state is known"):
        operator.gibbs()


@pytest.mark.parametrize(
    ("temperature", "rate"),
    [(0.125, 5.681802e-2), (0.1, 3.354506e-2), (0.0625, 7.444821e-3), (0.05, 2.776107e-3), (0.03, 1.026962e-4)],
)
def test_slowest_relaxation_of_the_double_well(temperature, rate):
    # first eigenvalue of the Fokker-Planck operator by high-precision quadrature; Kramers' 2k would be 5 to 10 % off
    found = slowest_rate(discretise(Well(), temperature=temperature, grid=Grid([(-2.5, 2.5, 1000)])))
    assert found == pytest.approx(rate, rel=3e-4)


@pytest.mark.parametrize(("temperature", "half"), [(0.1, 0.010175), (0.0625, 0.0021674)])
def test_slowest_relaxation_through_a_narrow_gate(temperature, half):
    # an entropic barrier: leaving out the second coordinate would give a rate 1.7 times as large
    grid = Grid([(-2, 2, 160), (-2, 2, 100)])
    found = slowest_rate(discretise(Well(dim=2, narrowing=3.0), temperature=temperature, grid=grid))
    assert found / 2 == pytest.approx(half, rel=3e-3)


def test_relaxation_rate_is_of_second_order():
    errors = [slowest_rate(discretise(Bowl(), temperature=0.1, grid=Grid([(-3, 3, n)]))) - 1 for n in (60, 120, 240)]
    assert_second_order(errors)
    assert abs(errors[-1]) < 1.1e-3


def test_flux_and_move_are_the_matrix():
    operator = discretise(Well(dim=2), temperature=0.2, grid=PLANE)
    density = np.random.default_rng(0).random(PLANE.size)
    moved = operator.move(density, 1e-3 * operator.flux(density))
    np.testing.assert_allclose(moved - density, 1e-3 * operator.matrix @ density, atol=1e-12)


def test_implicit_solves_keep_positivity_exactly():
    operator = discretise(Well(), temperature=0.05, grid=LINE)
    point = np.zeros(LINE.size)
    point[17] = 1.0
    for dt in (1e-3, 1.0, 1e3):
        solved = factorise(sparse.eye_array(LINE.size) - dt * operator.matrix)(point)
        assert solved.min() >= 0
        assert solved.sum() == pytest.approx(1.0, abs=1e-16 * dt * abs(operator.matrix).max() + 1e-13)


def test_the_negative_share_is_that_of_the_matrix():
    for scheme in ("central", "upwind"):
        motion = Underdamped(sp.landscapes.Quadratic(1.0), 0.5, scheme)
        operator = discretise(motion, temperature=0.5, grid=Grid([(-2, 1.3, 20), (-1, 2.2, 20)]))
        entries = operator.matrix.tocoo()
        rates = entries.data[entries.row != entries.col]
        assert operator.negative_share == pytest.approx(max(0.0, -rates.min()) / rates.max(), rel=1e-12)
        assert (operator.negative_share > 0) == (scheme == "central")


def test_empty_cells_beside_full_ones_make_entropy_production_infinite():
    operator = discretise(Well(), temperature=0.1, grid=LINE)
    point = np.zeros(LINE.size)
    point[100] = 1 / LINE.cell_volume
    assert operator.entropy_production(point) == np.inf
    assert operator.entropy_production(np.maximum(point, 1e-9)) < np.inf


def test_entropy_production_is_the_integral_of_the_squared_current():
    # of a Gaussian in a bowl: J = p (T x/s^2 - x), int J^2/(T p) = (T - s^2)^2/(T s^2)
    grid, variance, temperature = Grid([(-3, 3, 600)]), 0.05, 0.2
    operator = discretise(Bowl(), temperature=temperature, grid=grid)
    density = np.exp(-(grid.centres[0] ** 2) / (2 * variance))
    density /= density.sum() * grid.cell_volume
    exact = (temperature - variance) ** 2 / (temperature * variance)
    assert operator.entropy_production(density) == pytest.approx(exact, rel=2e-3)
