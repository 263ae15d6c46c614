import json

import numpy as np
import pytest
from asserts import assert_keeps_mass, assert_second_order, assert_stationary
from grid_landscapes import Bowl, Well

from sgdphys import schema
from sgdphys.fokker_planck import Grid, discretise, stationary
from sgdphys.noises import Diagonal, Isotropic

LINE = Grid([(-2.5, 2.5, 300)])
PLANE = Grid([(-2.5, 2.5, 60), (-2, 2, 50)])
SPACE = Grid([(-2, 2, 10), (-2, 2, 9), (-2, 2, 8)], "reflecting")
CASES = [
    (Well(tilt=0.05), LINE, 0.1),
    (Well(dim=2, narrowing=3.0, tilt=0.1), PLANE, 0.1),
    (Bowl(((1.0, 0.3, 0.0), (0.3, 2.0, 0.1), (0.0, 0.1, 0.5))), SPACE, 0.3),
]


@pytest.mark.parametrize("method", ["elimination", "factorisation"])
@pytest.mark.parametrize(("landscape", "grid", "temperature"), CASES)
def test_the_null_vector_is_gibbs(landscape, grid, temperature, method):
    found = stationary(landscape, temperature=temperature, grid=grid, method=method)
    gibbs = stationary(landscape, temperature=temperature, grid=grid, method="gibbs")
    np.testing.assert_allclose(found["density"].values, gibbs["density"].values, rtol=1e-9)
    assert_keeps_mass(found)


def test_elimination_is_exact_between_separate_wells():
    # at T = .008 escapes take e^31; the occupations of the wells still come out to rounding
    grid = Grid([(-1.6, 1.6, 400)])
    found = stationary(Well(tilt=0.01), temperature=0.008, grid=grid, method="elimination")
    gibbs = stationary(Well(tilt=0.01), temperature=0.008, grid=grid)
    np.testing.assert_allclose(found["density"].values, gibbs["density"].values, rtol=1e-11)


def test_elimination_spans_more_than_numbers_do():
    # exp(-Phi/T) falls to e^-1700 at the walls, where the elimination ends
    settings = {"temperature": 0.002, "grid": Grid([(-2.2, 2.2, 400)])}
    found = stationary(Well(), method="elimination", **settings)["density"].values
    np.testing.assert_allclose(found, stationary(Well(), **settings)["density"].values, rtol=1e-9, atol=1e-250)


def test_gibbs_is_chosen_when_all_diffusion_entries_agree():
    density = stationary(Well(dim=2), Diagonal([0.5, 0.5]), temperature=0.2, grid=PLANE)
    configuration = json.loads(density.attrs["configuration"])
    assert configuration["method"] == "gibbs"
    assert configuration["residual"] < 1e-13
    schema.validate_density(density)
    x, y = PLANE.points().T
    expected = np.exp(-(x**4 / 4 - x**2 / 2 + y**2 / 2) / 0.1)
    expected /= expected.sum() * PLANE.cell_volume
    np.testing.assert_allclose(density["density"].values.ravel(), expected, rtol=1e-12)


def test_unequal_diffusion_gives_the_gaussian_of_the_lyapunov_equation():
    # dx = -H x dt + sqrt(2 T D) dW with H = diag(2, .5) and D turned by 45 degrees against each other:
    # covariance / T = [[.275, .36], [.36, 1.1]] in the eigenbasis of H; Gibbs would be diag(.5, 2)
    turn = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
    exact = turn.T @ np.array([[0.275, 0.36], [0.36, 1.1]]) @ turn
    errors = []
    for cells in (48, 96, 192):
        grid = Grid([(-2.2, 2.2, cells), (-2.2, 2.2, cells)])
        density = stationary(Bowl(((1.25, -0.75), (-0.75, 1.25))), Diagonal([1.0, 0.1]), temperature=0.1, grid=grid)
        assert json.loads(density.attrs["configuration"])["residual"] < 1e-13
        weights = density["density"].values.ravel() * grid.cell_volume
        errors.append(((weights[:, None] * grid.points()).T @ grid.points() / 0.1 - exact)[0, 1])
    assert_second_order(np.array(errors), slack=0.25)
    assert abs(errors[-1]) < 0.003


def test_both_null_vectors_agree_off_equilibrium():
    arguments = (Well(dim=2, narrowing=3.0, tilt=0.1), Diagonal([1.0, 0.3]))
    one = stationary(*arguments, temperature=0.1, grid=PLANE, method="elimination")
    other = stationary(*arguments, temperature=0.1, grid=PLANE, method="factorisation")
    np.testing.assert_allclose(one["density"].values, other["density"].values, rtol=1e-9)
    operator = discretise(*arguments, temperature=0.1, grid=PLANE)
    assert_stationary(operator.matrix, one["density"].values.ravel())


def test_equal_settings_of_a_scaled_noise():
    one = stationary(Well(), Isotropic(2.0), temperature=0.1, grid=LINE)
    other = stationary(Well(), temperature=0.2, grid=LINE)
    np.testing.assert_allclose(one["density"].values, other["density"].values, rtol=1e-14)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "shift-invert"}, "method must be auto"),
        ({"method": "gibbs", "noise": Diagonal([1.0, 2.0])}, "is not Gibbs"),
        ({"noise": Diagonal([1.0, 2.0]), "temperature": 1e-5}, "hopping rate underflows"),
        ({"temperature": 0.0}, "temperature must be positive"),
        ({"grid": Grid([(-2, 2, 9), (-2, 2, 9)], [("absorbing", "far"), "far"])}, r"absorbing wall \(x low\)"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(arguments, message):
    settings = {"temperature": 0.1, "grid": PLANE} | arguments
    with pytest.raises(ValueError, match=message) as refusal:
        stationary(Well(dim=2, narrowing=1.0), settings.pop("noise", None), **settings)
    assert "\n" not in str(refusal.value)
