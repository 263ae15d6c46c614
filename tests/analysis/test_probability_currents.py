import numpy as np
import pytest
import xarray as xr
from asserts import assert_excluded, assert_within
from clouds import cloud_of
from linear_clouds import broken_balance, cloud_of_chain

from sgdphys import simulate
from sgdphys.analysis import currents
from sgdphys.analysis.entropy_estimators import occupied_cells
from sgdphys.fokker_planck import Grid, stationary
from sgdphys.landscapes import ChaudhariSoatto

GRID = Grid([(-0.4, 0.4, 4), (-0.8, 0.8, 4)])


@pytest.fixture(scope="module")
def case():
    chain = broken_balance(0.002)
    return chain, cloud_of_chain(chain, 3000, 600, seed=0)


def averages(chain, grid, field):
    """Return cell averages of a field of the points, by the midpoint rule on a grid ten times as fine."""
    fine = Grid([(low, high, 10 * cells) for low, high, cells in grid.axes])
    points = fine.points()
    inverse = np.linalg.inv(chain.S)
    density = np.exp(-0.5 * np.einsum("pi,ij,pj->p", points, inverse, points))
    density /= 2 * np.pi * np.sqrt(np.linalg.det(chain.S))
    values = field(points, inverse) * density[:, np.newaxis]
    nx, ny = grid.shape
    return values.reshape(nx, 10, ny, 10, -1).mean(axis=(1, 3))


def stationary_current(chain):
    """Return J/p = -A x + T D S^-1 x."""
    return lambda x, inverse: x @ (chain.D @ inverse - chain.A).T


def test_current_and_density_of_broken_balance(case):
    chain, cloud = case
    result = currents(cloud, GRID, after=0)
    exact = averages(chain, GRID, stationary_current(chain))
    flow, error = result["current"].values[0], result["current_standard_error"].values[0]
    assert_within(flow, exact, error, largest=4.5)  # 32 numbers
    assert np.max(np.abs(exact / error)) > 5
    density = averages(chain, GRID, lambda x, _: np.ones((len(x), 1)))[..., 0]
    assert_within(result["density"].values[0], density, result["density_standard_error"].values[0], largest=4.5)


def work_against_drift(flow, error, drift, volume):
    """Return the sum of J . drift over the cells and its standard error, cells taken for independent."""
    return (flow * drift).sum() * volume, np.sqrt(((error * drift) ** 2).sum()) * volume


def test_displacements_counted_where_they_begin_give_the_drift_alone(case):
    """Ito's product misses -div(T D p): its current lies more than ten standard errors away."""
    chain, cloud = case
    result = currents(cloud, GRID, after=0)
    drift = averages(chain, GRID, lambda x, _: -x @ chain.A.T)
    flow, error = (result[name].values[0] for name in ("current", "current_standard_error"))
    exact = averages(chain, GRID, stationary_current(chain))
    volume = GRID.cell_volume
    measured, its_error = work_against_drift(flow, error, drift, volume)
    assert_within(measured, (exact * drift).sum() * volume, its_error)
    position = cloud["position"].values
    cell = occupied_cells(position[:-1].reshape(-1, 2), GRID)
    change = np.diff(position, axis=0).reshape(-1, 2)
    sums = np.stack([np.bincount(cell[cell >= 0], change[cell >= 0, i], GRID.size) for i in (0, 1)], axis=1)
    ito = sums.reshape(flow.shape) / (change.shape[0] * chain.dt * volume)
    assert_excluded(measured, (ito * drift).sum() * volume, its_error)


def test_particles_against_the_grid():
    """Example 19: the current of particles, cell by cell, and its circulation are those of the Fokker-Planck grid."""
    landscape, n = ChaudhariSoatto(1.5), 4000
    solved = stationary(landscape, temperature=1.0, grid=Grid([(-4, 4, 80), (-4, 4, 80)]))
    rng = np.random.default_rng(2)
    cell = rng.choice(6400, n, p=solved["density"].values.ravel() / solved["density"].values.sum())
    start = np.stack([solved["x"].values[cell // 80], solved["y"].values[cell % 80]], axis=1)
    start += rng.uniform(-0.05, 0.05, start.shape)
    cloud = simulate(landscape, temperature=1.0, dt=0.005, t1=3.0, n_particles=n, start=start, save_at=601, seed=2)
    measured = currents(cloud, Grid([(-4, 4, 16), (-4, 4, 16)]), after=0)
    reference = currents(solved)["current"].coarsen(x=5, y=5).mean().values[0]
    flow, error = (measured[name].values[0] for name in ("current", "current_standard_error"))
    visited = measured["density"].values[0] > 0.005
    assert visited.sum() > 60
    assert_within(flow[visited], reference[visited], error[visited], largest=4.5)
    speed = np.abs(reference[visited]) / error[visited]
    assert speed.max() > 10  # no current at all is excluded


def test_default_grid_and_dimensions(case):
    _, cloud = case
    result = currents(cloud.isel(particle=slice(200)))
    assert result["current"].dims == ("time", "x", "y", "coordinate") and result.sizes["time"] == 1
    assert float(result["time"][0]) == pytest.approx(0.9)
    volume = np.prod([float(result[a][1] - result[a][0]) for a in ("x", "y")])
    assert float(result["density"].sum()) * volume == pytest.approx(1.0)


def density_with_current():
    flow = np.arange(12.0).reshape(1, 3, 2, 2)
    return xr.Dataset(
        {
            "density": (("time", "x", "y"), np.full((1, 3, 2), 1 / 6)),
            "current": (("time", "x", "y", "coordinate"), flow),
        },
        {"time": [0.0], "x": [0.5, 1.5, 2.5], "y": [0.5, 1.5]},
    )


def test_a_density_brings_its_current():
    density = density_with_current()
    result = currents(density)
    xr.testing.assert_equal(result["current"].drop_attrs(), density["current"])
    assert float(np.abs(result["current_standard_error"]).max()) == 0
    with pytest.raises(ValueError, match="holds no current"):
        currents(density.drop_vars("current"))


def test_refused(case):
    _, cloud = case
    with pytest.raises(ValueError, match="1 axes, the cloud 2"):
        currents(cloud, Grid([(0, 1, 4)]))
    with pytest.raises(ValueError, match="takes a Dataset"):
        currents(cloud["position"])


def test_few_particles_and_frames_are_counted_as_by_hand():
    """Midpoints over the duration, starts and ends over the frames; errors from particle to particle."""
    position = np.random.default_rng(3).uniform(-1.2, 1.2, size=(4, 9, 2))
    cloud, grid = cloud_of(*position, times=[1.0, 1.5, 2.0, 2.5]), Grid([(-1, 1, 2), (-1, 1, 3)])
    flow, share = np.zeros((9, 2, 3, 2)), np.zeros((9, 2, 3))
    for particle in range(9):
        for frame in range(4):
            here = position[frame, particle]
            if np.all(np.abs(here) < 1):
                share[particle, int(here[0] + 1), int((here[1] + 1) * 1.5)] += 1 / 4
            middle = (here + position[min(frame + 1, 3), particle]) / 2
            if frame < 3 and np.all(np.abs(middle) < 1):
                step = (position[frame + 1, particle] - here) / 1.5
                flow[particle, int(middle[0] + 1), int((middle[1] + 1) * 1.5)] += step
    found = currents(cloud, grid, after=0)
    assert found["time"].values.tolist() == [1.75]
    for name, own in (("current", flow), ("density", share)):
        np.testing.assert_allclose(found[name][0], own.mean(axis=0) / grid.cell_volume, atol=1e-12)
        error = own.std(axis=0, ddof=1) / 3 / grid.cell_volume
        np.testing.assert_allclose(found[f"{name}_standard_error"][0], error, atol=1e-12)


def test_grids_and_times_that_do_not_fit_are_refused_in_one_line():
    cloud = cloud_of(*np.random.default_rng(3).normal(size=(5, 20, 2)))
    for part, grid, message in (
        (cloud, Grid([(50, 60, 5)] * 2), "no particle lies on the grid"),
        (cloud, Grid([(-1, 1, 5)]), "the grid has 1 axes, the cloud 2 coordinates"),
        (cloud, [(-1, 1, 5)] * 2, "grid must be a Grid"),
        (cloud.isel(time=slice(None, None, -1)), None, "finite and rise"),
        (cloud.assign_coords(coordinate=["time", "x"]), None, "names of the coordinates must differ"),
        (cloud.isel(particle=slice(3)), None, "3 particles stayed finite"),
        (cloud.drop_vars("time"), None, "needs the coordinate 'time'"),
    ):
        with pytest.raises(ValueError, match=message) as told:
            currents(part, grid, after=0)
        assert "\n" not in str(told.value)
