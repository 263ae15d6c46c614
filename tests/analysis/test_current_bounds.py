import numpy as np
import pytest
from linear_clouds import broken_balance, cloud_of_chain
from linear_drifts import Chain

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


@pytest.mark.parametrize("steps", [1, 40])
def test_contributions_hold_for_strong_currents_and_few_frames(steps):
    """A fast rotation, half a nat a step and more, where the logarithm is far from its first order."""
    chain = Chain([[1.0, 4.0], [-4.0, 1.0]], np.diag([1.0, 0.4]), 0.5, 0.1)
    cloud = cloud_of_chain(chain, 4000, steps, 2)
    paths, part = stationary_paths(cloud, 0), stationary_paths(cloud.isel(particle=slice(3600)), 0)
    for bound in (lambda p: polynomial_bound(p, 1), gaussian_entropy_production):
        whole = bound(paths)
        assert plain(whole) > 0.5
        foreseen = whole.contributions[:3600].mean() - whole.contributions.mean()
        change = plain(bound(part)) - plain(whole)
        assert abs(change - foreseen) < 0.1 * abs(foreseen)


def test_grids_and_degrees_that_do_not_fit_are_refused():
    paths = paths_of()
    with pytest.raises(ValueError, match="no particle moves on the grid"):
        cell_bound(paths, Grid([(50, 60, 4), (50, 60, 4)]))
    for degree, fields in ((50, "2652"), (10**9, "inf")):
        with pytest.raises(ValueError, match=rf"{fields} fields of degree .* are more than 1000"):
            polynomial_bound(paths, degree)
