import numpy as np
from linear_clouds import broken_balance, cloud_of_chain

from sgdphys.analysis.current_bounds import cell_bound, polynomial_bound
from sgdphys.analysis.gaussian_entropy_production import gaussian_entropy_production
from sgdphys.analysis.paths import stationary_paths
from sgdphys.fokker_planck.grid import Grid


def plain(bound):
    return float(bound.statistic(bound.odd.mean(axis=0)[np.newaxis])[0])


def paths_of(seed=0, n=300, steps=60):
    return stationary_paths(cloud_of_chain(broken_balance(0.05), n, steps, seed), 0)


def best_linear_current(paths):
    """Return g(max E[J]^2 / E[J^2]) over linear fields, by the formula."""
    x, dx = (paths.position[1:] + paths.position[:-1]) / 2, np.diff(paths.position, axis=0)
    ones = np.concatenate([np.ones((*x.shape[:2], 1)), x], axis=-1)
    currents = np.einsum("tpi,tpj->tpij", ones, dx).reshape(-1, 6)
    mean = currents.mean(axis=0)
    ratio = mean @ np.linalg.solve(currents.T @ currents / len(currents), mean)
    return 2 * ratio**0.5 * np.arctanh(ratio**0.5)


def test_linear_bound_is_the_formula():
    paths = paths_of()
    np.testing.assert_allclose(plain(polynomial_bound(paths, 1)), best_linear_current(paths), rtol=1e-10)


def test_more_fields_bound_higher():
    paths = paths_of()
    bounds = [plain(polynomial_bound(paths, degree)) for degree in (1, 2, 3, 4)]
    assert np.all(np.diff(bounds) >= 0)
    boxes = [Grid([(-2, 2, cells), (-2, 2, cells)]) for cells in (4, 8, 16)]
    assert np.all(np.diff([plain(cell_bound(paths, box)) for box in boxes]) >= 0)


def test_contributions_are_the_derivative():
    """Leaving a tenth of the particles out changes the bound by their contributions, to first order."""
    paths = paths_of(n=2000)
    part = stationary_paths(cloud_of_chain(broken_balance(0.05), 2000, 60, 0).isel(particle=slice(1800)), 0)
    for bound in (
        lambda p: polynomial_bound(p, 2),
        lambda p: cell_bound(p, Grid([(-1, 1, 4), (-1, 1, 4)])),
        gaussian_entropy_production,
    ):
        whole = bound(paths)
        own = whole.contributions
        foreseen = own[:1800].mean() - own.mean()
        change = plain(bound(part)) - plain(whole)
        assert abs(change - foreseen) < 0.05 * abs(foreseen)


def test_coordinates_without_noise_add_nothing():
    paths = paths_of()
    flat = type(paths)(np.concatenate([paths.position, 0 * paths.position[..., :1]], -1), paths.times, np.zeros(3))
    np.testing.assert_allclose(plain(polynomial_bound(flat, 1)), plain(polynomial_bound(paths, 1)), rtol=1e-8)
