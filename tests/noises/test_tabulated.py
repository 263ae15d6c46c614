import asserts
import numpy as np
import pytest
import xarray as xr
from scipy.integrate import cumulative_trapezoid
from scipy.interpolate import RegularGridInterpolator

import sgdphys as sp
from sgdphys.noises import Formula, Tabulated

AXES = [np.linspace(-2, 2, 9), np.linspace(-1, 3, 6), np.linspace(0, 1, 4)]
ROOTS = np.random.default_rng(3).normal(size=(9, 6, 4, 3, 2))
TABLE = np.einsum("...ik,...jk->...ij", ROOTS, ROOTS)  # singular, of rank 2


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_it_is_the_interpolation_that_scipy_makes(dim):
    table = TABLE[(slice(None),) * dim + (0,) * (3 - dim)][..., :dim, :dim]
    x = np.stack([np.random.default_rng(i).uniform(axis[0], axis[-1], 60) for i, axis in enumerate(AXES[:dim])], axis=1)
    expected = RegularGridInterpolator(AXES[:dim], table)(x)
    np.testing.assert_allclose(Tabulated(AXES[:dim], table).diffusion(x), expected, rtol=1e-12, atol=1e-13)


def test_beyond_the_knots_it_is_constant_and_without_divergence():
    noise = Tabulated(AXES, TABLE, "hanggi-klimontovich")
    corner, far = np.array([[-2.0, 3.0, 1.0]]), np.array([[-5.0, 9.0, 4.0]])
    assert np.array_equal(noise.diffusion(far), noise.diffusion(corner))
    np.testing.assert_allclose(noise.diffusion(corner)[0], TABLE[0, -1, -1], rtol=1e-12)
    assert np.all(sp.kernels.evaluate(noise.divergence_terms(3), far, 3) == 0)


def test_kinds_and_separability():
    values = TABLE[:, :, 0, 0, 0]
    assert Tabulated(AXES[0], values[:, 0]).kind == Tabulated(AXES[0], values[:, :1, np.newaxis]).kind == "scalar"
    assert Tabulated(AXES[0], values[:, 0]).separable
    assert Tabulated(AXES[:2], values).kind == "scalar"
    diagonal = np.stack(np.broadcast_arrays(values[:, :1], values[:1]), axis=-1)
    assert Tabulated(AXES[:2], diagonal).kind == "diagonal" and Tabulated(AXES[:2], diagonal).separable
    assert not Tabulated(AXES[:2], diagonal[..., ::-1]).separable


@pytest.mark.parametrize("reading", ["ito", "stratonovich", "hanggi-klimontovich"])
def test_particles_find_the_state_of_each_reading(reading):
    """p ~ D^(r-1) exp(-int f'/(T D)) with r = 0, 1/2, 1, for D(x) = 1 + x^2/2 up to |x| = 3, constant beyond."""
    knots, temperature = np.linspace(-3, 3, 121), 0.3
    noise = Tabulated(knots, 1 + knots**2 / 2, reading)
    x = np.linspace(0, 12, 24001)
    diffusion = 1 + np.minimum(x, 3.0) ** 2 / 2
    exponent = cumulative_trapezoid(x / (temperature * diffusion), x, initial=0)
    moments = {}
    for name, power in (("ito", -1.0), ("stratonovich", -0.5), ("hanggi-klimontovich", 0.0)):
        weights = diffusion**power * np.exp(-exponent)
        moments[name] = weights @ x**2 / weights.sum()
    options = {"temperature": temperature, "dt": 0.004, "t1": 6.0, "n_particles": 40_000, "save_at": [6.0], "seed": 5}
    squares = sp.simulate(sp.landscapes.Quadratic(1.0), noise, **options)["position"].values[-1, :, 0] ** 2
    error = squares.std() / np.sqrt(len(squares))
    asserts.assert_within(squares.mean(), moments[reading], error)
    others = [value for name, value in moments.items() if name != reading]
    asserts.assert_excluded(squares.mean(), np.array(others), error)


def test_paths_are_those_of_the_formula_to_the_order_of_the_table():
    knots = np.linspace(-4, 4, 801)
    options = {"temperature": 0.1, "dt": 0.01, "n_steps": 100, "n_particles": 100, "save_at": [1.0], "seed": 1}
    well = sp.landscapes.DoubleWell()
    table = sp.simulate(well, Tabulated(knots, 1 + knots**2 / 4), **options)["position"].values
    formula = sp.simulate(well, Formula("1 + x**2/4"), **options)["position"].values
    assert np.abs(table - formula).max() < 1e-4


def measured(values):
    return xr.Dataset(
        {"diffusion": (("x", "y", "coordinate", "coordinate_2"), values)}, coords={"x": AXES[0], "y": AXES[1]}
    )


def test_measured_diffusion_is_divided_by_the_temperature_and_filled_from_the_nearest_cell():
    values = 0.2 * TABLE[:, :, 0, :2, :2]
    values[:2], values[4, 3] = np.nan, np.nan
    noise = Tabulated.from_diffusion(measured(values), temperature=0.1)
    knots = np.stack(np.meshgrid(*AXES[:2], indexing="ij"), axis=-1)
    np.testing.assert_allclose(noise.diffusion(knots[3]), values[3] / 0.1, rtol=1e-12)
    np.testing.assert_allclose(noise.diffusion(knots[0]), values[2] / 0.1, rtol=1e-12)
    assert np.all(np.isfinite(noise.diffusion(knots[4])))


def test_negative_estimates_take_their_neighbours_and_are_told():
    values = np.broadcast_to(np.eye(2), (9, 6, 2, 2)).copy()
    values[3, 2] = [[1.0, 2.0], [2.0, 1.0]]
    with pytest.warns(UserWarning, match=r"negative eigenvalues in 1 of 54 visited cells \(the least is -10\)") as told:
        noise = Tabulated.from_diffusion(measured(values), temperature=0.1)
    assert told[0].filename == __file__
    np.testing.assert_allclose(noise.diffusion(np.array([[AXES[0][3], AXES[1][2]]]))[0], 10 * np.eye(2), rtol=1e-12)


def changed(place, value):
    table = TABLE.copy()
    table[2, 1, 3][place] = value
    return table


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Tabulated(AXES, changed((0, 0), np.nan)),
            r"NaN or infinite at 1 of 216 knots, first at \(-1, -0.2, 1\)",
        ),
        (lambda: Tabulated(AXES, changed((0, 1), 9.0)), r"must be symmetric, at the knot \(-1, -0.2, 1\)"),
        (
            lambda: Tabulated(AXES, changed((1, 1), -5.0)),
            r"not be negative, at the knot \(-1, -0.2, 1\) it has the eigen",
        ),
        (lambda: Tabulated(AXES[0], -np.ones(9)), "has the eigenvalue -1"),
        (lambda: Tabulated(AXES[:2], -np.ones((9, 6, 2))), "has the eigenvalue -1"),
        (lambda: Tabulated(AXES[:2], np.ones((9, 5))), r"must have the shape \(9, 6\), \(9, 6, 2\) or \(9, 6, 2, 2\)"),
        (lambda: Tabulated(AXES, TABLE, "stratonovich"), "depends on its root"),
        (lambda: Tabulated(AXES[0], np.ones(9), "anti-ito"), "interpretation must be one of"),
        (lambda: Tabulated.from_diffusion(xr.Dataset(), temperature=1.0), "Dataset with diffusion"),
        (lambda: Tabulated.from_diffusion(measured(TABLE[:, :, 0, :2, :2]), temperature=0.0), "must be positive"),
        (lambda: Tabulated.from_diffusion(measured(np.nan * TABLE[:, :, 0, :2, :2]), temperature=1.0), "no cell"),
    ],
)
def test_what_is_no_diffusion_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("kind", ["scalar", "diagonal", "full"])
def test_the_divergence_is_that_of_the_interpolant(dim, kind):
    """Sum of d_j D_ij over j by central differences within cells, on axes of different spacing and number of knots."""
    full = TABLE[(slice(None),) * dim + (0,) * (3 - dim)][..., :dim, :dim]
    table = {"full": full, "diagonal": np.einsum("...ii->...i", full), "scalar": full[..., 0, 0]}[kind]
    noise = Tabulated(AXES[:dim], table, "hanggi-klimontovich")
    rng = np.random.default_rng(2)
    cells = [rng.integers(len(axis) - 1, size=30) + rng.uniform(0.1, 0.9, 30) for axis in AXES[:dim]]
    x = np.stack([axis[0] + cell * (axis[1] - axis[0]) for axis, cell in zip(AXES, cells, strict=False)], axis=1)
    asserts.assert_divergence_is_derivative(noise, x)


def test_unvisited_cells_take_the_nearest_in_space_not_in_number():
    """Cells of .5 by .8: one step along the second axis is farther than one along the first."""
    values = np.broadcast_to(0.1 * np.eye(2), (9, 6, 2, 2)).copy()
    values[4, 3] = np.nan
    values[3, 3], values[5, 3] = 0.3 * np.eye(2), 0.3 * np.eye(2)
    noise = Tabulated.from_diffusion(measured(values), temperature=0.1)
    place = np.array([[AXES[0][4], AXES[1][3]]])
    np.testing.assert_allclose(noise.diffusion(place)[0], 3 * np.eye(2), rtol=1e-12)
    diagonally = values.copy()
    diagonally[3:6, 3] = np.nan
    diagonally[4, 2], diagonally[4, 4] = 0.7 * np.eye(2), 0.7 * np.eye(2)
    wide = Tabulated.from_diffusion(measured(diagonally), temperature=0.1)
    np.testing.assert_allclose(wide.diffusion(place)[0], 7 * np.eye(2), rtol=1e-12)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_a_lost_particle_has_no_diffusion(dim):
    table = TABLE[(slice(None),) * dim + (0,) * (3 - dim)][..., :dim, :dim]
    noise = Tabulated(AXES[:dim], table, "hanggi-klimontovich")
    for axis in range(dim):
        lost = np.full((2, dim), 0.3)
        lost[1, axis] = np.nan
        for values in (noise.diffusion(lost), sp.kernels.evaluate(noise.divergence_terms(dim), lost, dim)):
            assert np.isfinite(values[0]).all()
            assert np.isnan(values[1]).any()
