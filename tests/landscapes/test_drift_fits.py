"""Potential and circulation of a drift on cells: exact drift, cells without visits, noise, and a real measurement."""

import warnings

import asserts
import numpy as np
import pytest
import xarray as xr

import sgdphys as sp
from sgdphys.landscapes import ChaudhariSoatto, DoubleWell, MuellerBrown, Quadratic, Tabulated, drift_fits

WELL = np.linspace(-2, 2, 41)
PLANE = [np.linspace(-2.5, 2.5, 41), np.linspace(-3, 3, 45)]


def measured(landscape, axes, visited=None, **variables):
    """Return the drift of a landscape as a measurement without error."""
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    drift = -landscape.gradient(points.reshape(-1, len(axes))).reshape(points.shape)
    if visited is not None:
        drift[~visited(points)] = np.nan
    names = list("xyz"[: len(axes)])
    arrays = {name: (names + ["coordinate"] * (array.ndim > len(axes)), array) for name, array in variables.items()}
    drifts = {"drift": ([*names, "coordinate"], drift)}
    return xr.Dataset(drifts | arrays, coords=dict(zip(names, axes, strict=True)))


def visits_of(landscape, axes):
    """Return numbers that go with exp(-f)."""
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    return 1e6 * np.exp(-landscape.potential(points)).reshape(tuple(map(len, axes)))


def disc(points):
    return (points**2).sum(axis=-1) < 5


def test_the_potential_of_a_drift_on_a_line():
    x = np.linspace(-1.9, 1.9, 77)[:, np.newaxis]
    fitted = Tabulated.from_drift(measured(DoubleWell(), [WELL]))
    assert not hasattr(fitted, "circulation")
    difference = fitted.potential(x) - DoubleWell().potential(x)
    assert np.ptp(difference) < 1e-4
    np.testing.assert_allclose(fitted.potential(np.array([[-1.0], [1.0]])), 0, atol=1e-3)


@pytest.mark.parametrize("of", [MuellerBrown() * 0.02, Quadratic(np.diag([1.0, 4.0]))])
def test_a_gradient_drift_has_no_circulation(of):
    axes = [np.linspace(-1.5, 1.0, 61), np.linspace(-0.3, 1.8, 61)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # these axes cut the surface where it falls
        fitted = Tabulated.from_drift(measured(of, axes))
    x = np.random.default_rng(0).uniform([-1.3, -0.1], [0.8, 1.6], size=(300, 2))
    scale = np.abs(of.gradient(x)).max()
    assert np.abs(fitted.circulation(x)).max() < 2e-3 * scale
    assert np.ptp(fitted.potential(x) - of.potential(x)) < 2e-3 * np.ptp(of.potential(x))


def test_fitted_with_the_density_the_rest_keeps_it():
    """Weighted with visits the fit finds f = -log p of example 19; evenly weighted another f, with more in c."""
    example = ChaudhariSoatto(1.5)
    fitted = Tabulated.from_drift(measured(example, PLANE, disc, visits=visits_of(example, PLANE)))
    x = np.random.default_rng(0).normal(scale=0.8, size=(3000, 2))
    x = x[(x**2).sum(axis=1) < 3.5]
    assert np.std(fitted.potential(x) - example.potential(x)) < 2e-3
    assert np.abs(fitted.gradient(x) - example.gradient(x)).max() < 0.1
    even = Tabulated.from_drift(measured(example, PLANE, disc))
    assert np.std(even.potential(x) - example.potential(x)) > 0.05


def test_standard_errors_weigh_like_visits():
    """With errors that go with 1 / sqrt(visits) the fit is the same."""
    example, visits = ChaudhariSoatto(0.5), visits_of(ChaudhariSoatto(0.5), PLANE)
    errors = np.repeat(3 / np.sqrt(np.maximum(visits, 1))[..., np.newaxis], 2, axis=-1)
    by_visits = Tabulated.from_drift(measured(example, PLANE, disc, visits=visits))
    by_errors = Tabulated.from_drift(measured(example, PLANE, disc, drift_standard_error=errors))
    inside = disc(np.stack(np.meshgrid(*PLANE, indexing="ij"), axis=-1))
    np.testing.assert_allclose(by_errors.knot_potential[inside], by_visits.knot_potential[inside], atol=1e-6)


def test_at_visited_knots_the_whole_drift_is_that_of_the_data():
    dataset = measured(ChaudhariSoatto(), PLANE, disc)
    generator = np.random.default_rng(0)
    dataset["drift"] += 0.3 * generator.normal(size=dataset["drift"].shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fitted = Tabulated.from_drift(dataset)
    points = np.stack(np.meshgrid(*PLANE, indexing="ij"), axis=-1)
    inside = disc(points)
    np.testing.assert_allclose(-fitted.gradient(points[inside]), dataset["drift"].values[inside], atol=1e-10)
    assert np.all(fitted.knot_circulation[~inside] == 0)


def test_beyond_visited_cells_the_potential_holds_particles_back():
    fitted = Tabulated.from_drift(measured(ChaudhariSoatto(), PLANE, disc))
    corners = np.array([[-2.5, -3.0], [2.5, 3.0], [-2.5, 3.0], [0.0, 3.0], [9.0, -9.0]])
    assert np.all(fitted.potential(corners) > 4)
    slopes = np.einsum("pi,pi->p", fitted.gradient(corners), corners)
    assert np.all(slopes > 0)


def test_parts_apart_find_their_offset():
    """Without the barrier of a double well both wells come out level, and the gap in between is bridged."""
    fitted = Tabulated.from_drift(measured(DoubleWell(), [WELL], lambda p: np.abs(np.abs(p[..., 0]) - 1) < 0.62))
    low, high = fitted.potential(np.array([[-1.0], [1.0]]))
    assert abs(low - high) < 1e-6
    assert 0.1 < fitted.potential(np.array([[0.0]]))[0] < 1.0


def test_three_dimensions():
    bowl = Quadratic(np.diag([1.0, 2.0, 3.0]))
    fitted = Tabulated.from_drift(measured(bowl, [np.linspace(-1, 1, 9 + k) for k in range(3)], disc))
    x = np.random.default_rng(0).uniform(-0.9, 0.9, size=(50, 3))
    assert np.ptp(fitted.potential(x) - bowl.potential(x)) < 1e-9


def test_a_measured_drift_predicts_the_state():
    """Total variation of the prediction from the exact state, on a grid; 0.053 at 1.4 times the temperature."""
    options = {"temperature": 0.25, "dt": 0.01, "t1": 10.0, "n_particles": 4000, "seed": 3}
    cloud = sp.simulate(DoubleWell(), **options, save_at=501, start=1.0)
    dataset = sp.analysis.drift_and_diffusion(cloud, sp.Grid([(-2.2, 2.2, 44)]))
    fitted = Tabulated.from_drift(dataset)
    noise = sp.noises.Tabulated.from_diffusion(dataset, temperature=0.25)
    grid = sp.Grid([(-2.5, 2.5, 400)])
    state = sp.fokker_planck.stationary(fitted, noise, temperature=0.25, grid=grid)["density"].values[-1]
    exact = sp.fokker_planck.stationary(DoubleWell(), temperature=0.25, grid=grid)["density"].values[-1]
    assert np.abs(state - exact).sum() * 5 / 400 / 2 < 0.02
    wrong = sp.fokker_planck.stationary(DoubleWell(), temperature=0.35, grid=grid)["density"].values[-1]
    assert np.abs(state - wrong).sum() * 5 / 400 / 2 > 0.05


def test_a_fall_at_the_edge_is_warned_of():
    with pytest.warns(UserWarning, match="falls outwards at 1 of 2 knots of the table's edge") as told:
        Tabulated.from_drift(measured(DoubleWell(), [np.linspace(-1.5, 0.5, 21)]))
    assert told[0].filename == __file__


def test_what_is_no_drift_is_refused():
    dataset = measured(DoubleWell(), [WELL])
    with pytest.raises(ValueError, match=r"Dataset with drift\(x, ..., coordinate\)"):
        Tabulated.from_drift(dataset.rename(drift="force"))
    with pytest.raises(ValueError, match="needs the cell centres of x"):
        Tabulated.from_drift(dataset.drop_vars("x"))
    with pytest.raises(ValueError, match="no two neighbouring cells"):
        Tabulated.from_drift(measured(DoubleWell(), [WELL], lambda p: np.abs(p[..., 0]) < 0.05))
    with pytest.raises(ValueError, match="2 components on a grid of 1"):
        Tabulated.from_drift(xr.concat([dataset, dataset], "coordinate"))
    asserts.assert_same_bits(Tabulated.from_drift(dataset).knot_potential, Tabulated.from_drift(dataset).knot_potential)


def test_beyond_what_was_visited_a_parabola_goes_on_as_it_was():
    """On a line: the slope of the edge, and half the curvature times the squared distance on top."""
    fitted = Tabulated.from_drift(measured(Quadratic([1.0]), [WELL], lambda p: np.abs(p[..., 0]) < 1.05))
    np.testing.assert_allclose(fitted.potential(WELL[:, np.newaxis]), WELL**2 / 2, atol=0.06)  # of half a cell


def test_parts_of_different_depth_find_their_offset():
    """A parabola of which a stretch beside its minimum is missing, where bending least bends evenly."""
    visited = (WELL < -0.45) | (WELL > 0.95)
    known = fit_potential(visited, np.where(WELL < 0, WELL**2 / 2 + 5.0, WELL**2 / 2 - 3.0))
    np.testing.assert_allclose(known - known[0], WELL**2 / 2 - 2.0, atol=2e-3)


def fit_potential(visited, potential):
    return drift_fits._extended(potential, visited, (WELL,))


@pytest.mark.parametrize("cells", [(41, 41), (41, 25), (25, 41)])
def test_holes_are_filled_as_a_thin_plate_bends(cells):
    """The real part of z^4 bends least for its values around a hole, mixed derivatives included, on any cells."""
    axes = tuple(np.linspace(-1, 1, count) for count in cells)
    x, y = np.meshgrid(*axes, indexing="ij")
    exact = x**4 - 6 * x**2 * y**2 + y**4
    filled = drift_fits._extended(exact, x**2 + y**2 > 0.36, axes)
    assert np.abs(filled - exact).max() < 0.012
    assert np.ptp(exact[x**2 + y**2 < 0.36]) > 0.15


def test_the_curvature_that_holds_particles_is_a_root_mean_square():
    """The top of a double well, where curvatures of both signs nearly cancel in their mean."""
    inside = np.abs(WELL) < 1.05
    fitted = Tabulated.from_drift(measured(DoubleWell(), [WELL], lambda p: np.abs(p[..., 0]) < 1.05))
    held = fitted.potential(np.array([[2.0]]))[0] - fitted.potential(np.array([[1.0]]))[0]
    edge = WELL[inside]
    rise = (DoubleWell().potential(edge[-1:, np.newaxis]) - DoubleWell().potential(edge[-2:-1, np.newaxis]))[0] / 0.1
    curvature = np.sqrt(np.mean((3 * edge[1:-1] ** 2 - 1) ** 2))
    assert held == pytest.approx(rise + curvature / 2, abs=0.02)


def test_the_least_visited_value_is_zero():
    """On a ramp that was visited on its upper half alone the table goes on below zero, and says so."""
    with pytest.warns(UserWarning, match="falls outwards at 1 of 2 knots"):
        fitted = Tabulated.from_drift(measured(sp.landscapes.Linear([1.0]), [WELL], lambda p: p[..., 0] > -0.05))
    assert fitted.knot_potential[WELL > -0.05].min() == 0
    assert fitted.knot_potential[0] == pytest.approx(-2.0, abs=0.01)
