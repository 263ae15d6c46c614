import asserts
import numpy as np
import pytest
from scipy.interpolate import make_interp_spline

import sgdphys as sp
from sgdphys import landscapes
from sgdphys.landscapes import ChaudhariSoatto, DoubleWell, MuellerBrown, Quadratic, Tabulated
from sgdphys.testing import check_landscape

AXES = [np.linspace(-2, 2, 11), np.linspace(-1, 3, 8), np.linspace(0, 1, 6)]
VALUES = np.random.default_rng(3).normal(size=(11, 8, 6))


def meshed(axes):
    """Return all knots, shape (knots of each axis, coordinate)."""
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def tabulated(landscape, axes):
    """Return the table of a landscape."""
    points = meshed(axes)
    return Tabulated(axes, landscape.potential(points.reshape(-1, len(axes))).reshape(points.shape[:-1]))


def places(dim, n, seed=0, beyond=0.0):
    """Return random points among the knots."""
    draws = np.random.default_rng(seed).uniform(-beyond, 1 + beyond, size=(n, dim))
    return np.stack([axis[0] + u * (axis[-1] - axis[0]) for axis, u in zip(AXES, draws.T, strict=False)], axis=1)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_it_is_the_spline_that_scipy_makes(dim):
    """Not-a-knot splines along one axis after the other."""
    table = VALUES[(slice(None),) * dim + (0,) * (3 - dim)]
    points = places(dim, 50)
    landscape = Tabulated(AXES[:dim], table)
    for point, value, slope in zip(points, landscape.potential(points), landscape.gradient(points), strict=True):
        for derivative in range(dim + 1):
            expected = table
            for axis, place in enumerate(point):
                spline = make_interp_spline(AXES[axis], expected, k=3)
                expected = spline(place, nu=int(axis == derivative - 1))
            assert [value, *slope][derivative] == pytest.approx(float(expected), abs=1e-12)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_cubic_potentials_are_exact(dim):
    points = meshed(AXES[:dim])
    powers = np.array([3, 2, 1])[:dim]
    landscape = Tabulated(AXES[:dim], np.prod(points**powers, axis=-1))
    x = places(dim, 100, seed=1)
    np.testing.assert_allclose(landscape.potential(x), np.prod(x**powers, axis=1), rtol=1e-11, atol=1e-11)


def test_the_error_falls_with_the_fourth_power_of_the_spacing():
    """That of the gradient with the third and that of the Hessian with the second."""
    surface = 0.01 * MuellerBrown()
    x = np.random.default_rng(0).uniform([-1.25, -0.05], [0.75, 1.55], size=(4000, 2))
    errors = []
    for n in (41, 81, 161):
        table = tabulated(surface, [np.linspace(-1.5, 1.0, n), np.linspace(-0.3, 1.8, n)])
        fields = ("potential", "gradient", "hessian")
        errors.append([np.abs(getattr(table, field)(x) - getattr(surface, field)(x)).max() for field in fields])
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, [[4, 3, 2]] * 2, atol=0.25)


def test_the_second_derivatives_are_continuous_at_knots():
    landscape = Tabulated(AXES[:2], VALUES[:, :, 0])
    for axis in range(2):
        knots = places(2, 9)
        knots[:, axis] = AXES[axis][1 + np.arange(9) % (len(AXES[axis]) - 2)]
        step = np.zeros(2)
        step[axis] = 1e-9
        np.testing.assert_allclose(landscape.hessian(knots - step), landscape.hessian(knots + step), atol=1e-6)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_beyond_the_knots_it_continues_linearly_with_the_slope_of_the_edge(dim):
    table = VALUES[(slice(None),) * dim + (0,) * (3 - dim)]
    landscape = Tabulated(AXES[:dim], table)
    x = places(dim, 30)
    for axis in range(dim):
        for side, sign in ((0, -1), (-1, 1)):
            edge = x.copy()
            edge[:, axis] = AXES[axis][side]
            step = np.zeros(dim)
            step[axis] = sign * 1.7
            slope = landscape.gradient(edge)[:, axis]
            rise = landscape.potential(edge + step) - landscape.potential(edge)
            np.testing.assert_allclose(rise, step[axis] * slope, rtol=1e-9, atol=1e-11)
            near = landscape.gradient(edge + 1e-9 * step)
            np.testing.assert_allclose(near, landscape.gradient(edge - 1e-9 * step), atol=1e-6)
    check_landscape(landscape, places(dim, 60, seed=5, beyond=1.0))


def test_a_circulating_part_is_constant_beyond_the_knots():
    landscape = Tabulated(AXES[:2], VALUES[:, :, 0], circulation=VALUES[:, :, 1:3])
    np.testing.assert_allclose(landscape.circulation([[-2.0, 3.0]]), [VALUES[0, -1, 1:3]], rtol=1e-12)
    assert np.array_equal(landscape.circulation([[-9.0, 8.0]]), landscape.circulation([[-2.0, 3.0]]))
    check_landscape(landscape, places(2, 60, seed=5, beyond=1.0))
    x = places(2, 20)
    assert np.array_equal(landscape.base.potential(x), landscape.potential(x))
    assert not hasattr(landscape.base, "circulation")


def test_particles_find_the_boltzmann_state():
    """Second moment of the double well at T = 0.1, Heun-like weak error below sampling; the table as good as f."""
    well = tabulated(DoubleWell(), [np.linspace(-2, 2, 41)])
    axis = np.linspace(-4, 4, 4001)[:, np.newaxis]
    weights = np.exp(-DoubleWell().potential(axis) / 0.1)
    exact = (weights @ axis[:, 0] ** 2) / weights.sum()
    table_weights = np.exp(-well.potential(axis) / 0.1)
    assert (table_weights @ axis[:, 0] ** 2) / table_weights.sum() == pytest.approx(exact, abs=1e-6)
    options = {"temperature": 0.1, "dt": 0.01, "t1": 10.0, "n_particles": 40_000, "save_at": [10.0], "seed": 2}
    start = np.where(np.arange(40_000) % 2, 1.0, -1.0)[:, np.newaxis]
    scheme = sp.integrators.LeimkuhlerMatthews()
    cloud = sp.simulate(well, **options, start=start, integrator=scheme)
    squares = cloud["position"].values[-1, :, 0] ** 2
    error = squares.std() / np.sqrt(len(squares))
    asserts.assert_within(squares.mean(), exact, error)
    cold = np.exp(-DoubleWell().potential(axis) / 0.2)
    asserts.assert_excluded(squares.mean(), (cold @ axis[:, 0] ** 2) / cold.sum(), error)


def test_the_grid_takes_a_table():
    axes = [np.linspace(-3, 3, 31), np.linspace(-3.5, 3.5, 36)]
    example, grid = ChaudhariSoatto(), sp.Grid([(-3, 3, 40), (-3.5, 3.5, 40)])
    points = meshed(axes)
    circulation = example.circulation(points.reshape(-1, 2)).reshape(points.shape)
    table = Tabulated(axes, tabulated(example, axes).knot_potential, circulation=circulation)
    densities = [sp.fokker_planck.stationary(each, temperature=1.0, grid=grid)["density"] for each in (example, table)]
    distance = np.abs(densities[0] - densities[1]).sum() * 0.15 * 0.175 / 2
    assert float(distance) < 1e-3


def test_a_run_tells_its_table():
    table = Tabulated(AXES[:2], VALUES[:, :, 0], circulation=VALUES[:, :, 1:3], names=["u", "v"])
    cloud = sp.simulate(table, temperature=0.1, dt=0.01, n_steps=2, n_particles=3, save_at=2)
    assert cloud["coordinate"].values.tolist() == ["u", "v"]
    arrays = {name: cloud[name].values for name in ("knot_potential", "knot_circulation")}
    again = landscapes.restore(table.configuration(), arrays)
    assert np.array_equal(again.gradient(places(2, 20)), table.gradient(places(2, 20)))
    with pytest.raises(ValueError, match="table of the landscape is missing: no knot_potential"):
        landscapes.restore(table.configuration())
    with pytest.raises(ValueError, match="not those of this landscape"):
        landscapes.restore(table.configuration(), arrays | {"knot_potential": 2 * arrays["knot_potential"]})
    with pytest.raises(ValueError, match="has 87 knots, the axes have 88"):
        landscapes.restore(table.configuration(), arrays | {"knot_potential": arrays["knot_potential"][1:]})


def holed(value):
    table = VALUES[:, :, 0].copy()
    table[3, 2] = table[4, 5] = value
    return table


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Tabulated(AXES[:2], holed(np.nan)), r"NaN or infinite at 2 of 88 knots, first at \(-0.8, 0.142857\)"),
        (lambda: Tabulated(AXES[:2], holed(np.inf)), "2 of 88 knots.*from_drift"),
        (
            lambda: Tabulated(AXES[0] ** 3, np.ones(11)),
            "knot 2 is -1.728 instead of -4.8; interpolate to numpy.linspace",
        ),
        (lambda: Tabulated(-AXES[0], np.ones(11)), "finite and rising"),
        (lambda: Tabulated(AXES[0][:3], np.ones(3)), "at least 4 knots"),
        (lambda: Tabulated([AXES[2]] * 4, np.ones((6, 6, 6, 6))), "1 to 3 arrays"),
        (lambda: Tabulated([], np.ones(4)), "1 to 3 arrays"),
        (lambda: Tabulated(AXES[:2], VALUES[:, :7, 0]), r"potential must have the shape \(11, 8\)"),
        (
            lambda: Tabulated(AXES[0], np.ones(11), circulation=np.ones(11)),
            r"circulation must have the shape \(11, 1\)",
        ),
        (lambda: Tabulated(AXES[:2], VALUES[:, :, 0], names=["q", "q"]), "2 different"),
        (lambda: Tabulated(AXES[0], ["a"] * 11), "real numbers"),
    ],
)
def test_what_is_no_table_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_axes_that_are_even_to_rounding_are_taken():
    axis = np.linspace(0, 1, 11).astype(np.float32)
    table = Tabulated(axis, axis.astype(float) ** 2)
    assert table.axes[0].dtype == np.float64 and np.ptp(np.diff(table.axes[0])) < 1e-15


def test_a_table_may_be_part_of_a_sum():
    total = Tabulated(AXES[:2], VALUES[:, :, 0]) + Quadratic(np.eye(2))
    x = places(2, 10)
    expected = Tabulated(AXES[:2], VALUES[:, :, 0]).potential(x) + (x**2).sum(axis=1) / 2
    np.testing.assert_allclose(total.potential(x), expected, rtol=1e-12)


@pytest.mark.parametrize("dim", [2, 3])
def test_beyond_a_corner_the_rises_along_the_axes_add_up(dim):
    # a tensor product would add their product, here negative: -14.8 at (4, 4), though both edges rise there
    axes = [np.linspace(-1, 1, 9)] * dim
    grids = np.meshgrid(*axes, indexing="ij")
    landscape = Tabulated(axes, sum(grid**2 for grid in grids) - 1.8 * grids[0] * grids[1])
    corner = np.ones((1, dim))
    slope = landscape.gradient(corner)[0]
    assert np.all(slope > 0)
    for step in (0.5 * np.ones(dim), np.arange(1.0, dim + 1), np.array([3.0, 7.0, 0.0])[:dim]):
        rise = landscape.potential(corner + step) - landscape.potential(corner)
        np.testing.assert_allclose(rise, step @ slope, rtol=1e-9)
    np.testing.assert_allclose(landscape.gradient(corner + np.arange(1.0, dim + 1))[0], slope, rtol=1e-9)
    check_landscape(landscape, 1 + np.random.default_rng(0).uniform(0.1, 2.0, size=(20, dim)))
    run = {"n_particles": 500, "start": 0.0, "dt": 0.01, "t1": 5.0, "seed": 0, "progress": False}
    cloud = sp.simulate(landscape, temperature=0.1, save_at=1, **run)
    assert float(np.abs(cloud["position"]).max()) < 4


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_all_components_of_a_circulation_are_those_of_the_knots(dim):
    knots = (slice(None),) * dim + (0,) * (3 - dim)
    circulation = np.random.default_rng(7).normal(size=(*VALUES[knots].shape, dim))
    landscape = Tabulated(AXES[:dim], VALUES[knots], circulation=circulation)
    points = meshed(AXES[:dim]).reshape(-1, dim)
    np.testing.assert_allclose(landscape.circulation(points), circulation.reshape(-1, dim), atol=1e-12)
    check_landscape(landscape, places(dim, 40, seed=2))


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_a_lost_particle_has_no_potential_and_no_force(dim):
    knots = (slice(None),) * dim + (0,) * (3 - dim)
    circulation = np.zeros((*VALUES[knots].shape, dim))
    landscape = Tabulated(AXES[:dim], VALUES[knots], circulation=circulation)
    for axis in range(dim):
        lost = places(dim, 4)
        lost[2, axis] = np.nan
        for field in ("potential", "gradient", "circulation"):
            values = getattr(landscape, field)(lost)
            assert np.isfinite(values[[0, 1, 3]]).all()
            assert np.isnan(values[2]).any()
