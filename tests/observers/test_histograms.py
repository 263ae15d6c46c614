"""Counts during the run are those of NumPy on the saved cloud, and become densities that the analyses take."""

import numpy as np
import pytest
from asserts import assert_within

import sgdphys as sp
from sgdphys.observers import Histogram

BOWL = sp.landscapes.Quadratic([[1.0, 0.3], [0.3, 2.0]])


def run(observer, **options):
    defaults = {"temperature": 0.3, "dt": 0.05, "n_steps": 20, "n_particles": 5000, "save_at": 3, "seed": 2}
    return sp.simulate(BOWL, start=[0.5, -0.5], observers=[observer], **{**defaults, **options})


def test_one_coordinate():
    edges = np.array([-1.0, -0.2, 0.0, 0.1, 0.9])
    observer = Histogram(edges=edges, coordinates="y", at=3)
    cloud = run(observer)
    for frame, y in enumerate(cloud["position"].values[:, :, 1]):
        assert cloud["histogram_count"].values[frame].tolist() == np.histogram(y, edges)[0].tolist()
        assert int(cloud["histogram_below"][frame, 0]) == np.sum(y < -1.0)
        assert int(cloud["histogram_above"][frame, 0]) == np.sum(y >= 0.9)
    density = observer.density(cloud)
    assert density["density"].dims == ("time", "y")
    np.testing.assert_allclose((density["density"] * np.diff(edges)).sum("y"), density["mass"])
    p = cloud["histogram_count"].values / 5000
    np.testing.assert_allclose(density["density_standard_error"], np.sqrt(p * (1 - p) / 5000) / np.diff(edges))


def test_a_plane():
    observer = Histogram((7, 5), ((-1, 1), (-1.5, 0.6)), coordinates=(1, "x"), at=2, name="plane")
    cloud = run(observer, save_at=2)
    for frame, position in enumerate(cloud["position"].values):
        x, y = position.T
        expected = np.histogram2d(y, x, [np.linspace(-1, 1, 8), np.linspace(-1.5, 0.6, 6)])[0]
        assert np.all(cloud["plane_histogram_count"].values[frame] == expected)
        outside = [
            [np.sum(y < -1), np.sum((np.abs(y) <= 1) & (x < -1.5))],
            [np.sum(y > 1), np.sum((abs(y) <= 1) & (x > 0.6))],
        ]
        assert cloud["plane_histogram_below"].values[frame].tolist() == outside[0]
        assert cloud["plane_histogram_above"].values[frame].tolist() == outside[1]
    density = observer.density(cloud)
    assert density["density"].dims == ("time", "y", "x")
    assert density["density"].shape == (2, 7, 5)


def test_a_lower_edge_belongs_to_its_cell_and_an_upper_one_does_not():
    start = np.array([[-1.0], [0.0], [1.0], [0.5]])
    flat = sp.landscapes.Quadratic(0.0)
    cloud = sp.simulate(
        flat, temperature=0.0, dt=1.0, n_steps=1, start=start, observers=[Histogram(2, (-1, 1))], save_at=0
    )
    assert cloud["histogram_count"].values.tolist() == [[1, 2]]
    assert int(cloud["histogram_above"].squeeze()) == 1


@pytest.mark.parametrize("edges", [[0.0, 1.0, 1.5, 4.0], [0.0, 3.0, 3.5, 4.0], np.linspace(0.0, 0.7, 8)])
def test_particles_on_inner_edges_lie_above_them(edges):
    flat = sp.landscapes.Quadratic(0.0)
    cloud = sp.simulate(
        flat, temperature=0.0, dt=1.0, n_steps=1, start=np.array(edges)[:, np.newaxis], save_at=0,
        observers=[Histogram(edges=edges)],
    )  # fmt: skip
    assert cloud["histogram_count"].values.tolist() == [[1] * (len(edges) - 1)]
    assert int(cloud["histogram_above"].squeeze()) == 1


def test_the_density_shows_the_potential():
    """Stationary cloud of x^2/2 at T = .25 (Euler, dt = .05: variance T/(1 - dt/2)): potential and standard errors."""
    observer = Histogram(20, (-1.0, 1.0), at=1)
    variance = 0.25 / (1 - 0.05 / 2)
    cloud = sp.simulate(
        sp.landscapes.Quadratic(1.0), temperature=0.25, dt=0.05, n_steps=200, n_particles=50_000, start=0.0, save_at=0,
        observers=[observer],
    )  # fmt: skip
    density = observer.density(cloud)
    from scipy.stats import norm

    exact = np.diff(norm.cdf(np.linspace(-1, 1, 21), scale=np.sqrt(variance))) / 0.1
    assert_within(density["density"].values[0], exact, density["density_standard_error"].values[0])
    phi = sp.analysis.potential(density, temperature=0.25)
    assert float(phi["effective_potential"].min()) == 0.0
    assert abs(float(phi["effective_potential"][0, 0]) - 0.25 * 0.95**2 / (2 * variance)) < 0.02


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "needs bins= and range="),
        ({"bins": 10}, "needs bins= and range="),
        ({"bins": 10, "range": (1, 0)}, "low < high"),
        ({"bins": 0, "range": (0, 1)}, "bins"),
        ({"bins": 3, "range": (0, 1), "edges": [0, 1]}, "not both"),
        ({"edges": [0, 0, 1]}, "edges must be rising"),
        ({"edges": [0]}, "edges must be rising"),
        ({"edges": [[0, 1]], "coordinates": (0, 1)}, "edges for each coordinate"),
        ({"bins": 3, "range": ((0, 1),) * 3, "coordinates": (0, 1, 2)}, "one coordinate or two"),
    ],
)
def test_edges_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Histogram(**arguments)


@pytest.mark.parametrize("coordinates", ["z", 2, -1, (0, 0), 0.0, True])
def test_coordinates_that_are_not_there_are_refused(coordinates):
    ranges = ((0, 1), (0, 1)) if isinstance(coordinates, tuple) else (0, 1)
    with pytest.raises(ValueError, match="coordinate"):
        run(Histogram(4, ranges, coordinates=coordinates))


def test_the_density_of_another_run_is_refused():
    with pytest.raises(ValueError, match="no left_histogram_count"):
        Histogram(4, (0, 1), name="left").density(run(Histogram(4, (0, 1))))
