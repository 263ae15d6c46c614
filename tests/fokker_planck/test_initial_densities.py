import numpy as np
import pytest

from sgdphys.fokker_planck import Grid
from sgdphys.fokker_planck.density_datasets import density_dataset
from sgdphys.fokker_planck.initial_densities import initial_density, point_weights, starting_time

LINE = Grid([(-2, 2, 40)])
PLANE = Grid([(-2, 2, 10), (-1, 3, 12)])


@pytest.mark.parametrize("point", [-1.23, 0.0, 1.9])
def test_a_point_keeps_its_mean(point):
    density = initial_density(point, LINE, ["x"])
    assert density.sum() * LINE.cell_volume == pytest.approx(1.0, abs=1e-15)
    assert density @ LINE.centres[0] * LINE.cell_volume == pytest.approx(point, abs=1e-14)
    assert np.count_nonzero(density) <= 2


def test_a_point_in_the_plane_keeps_its_mean():
    weights = point_weights((0.37, 1.11), PLANE)
    np.testing.assert_allclose(weights @ PLANE.points(), [0.37, 1.11], atol=1e-14)
    assert np.count_nonzero(weights) == 4


def test_a_scalar_serves_every_coordinate():
    np.testing.assert_array_equal(point_weights(0.5, PLANE), point_weights((0.5, 0.5), PLANE))


def test_arrays_and_callables_are_normalised():
    wave = 1 + np.cos(LINE.centres[0])
    by_array = initial_density(wave, LINE, ["x"])
    by_callable = initial_density(lambda points: 7 * (1 + np.cos(points[:, 0])), LINE, ["x"])
    np.testing.assert_allclose(by_array, by_callable, rtol=1e-14)
    assert by_array.sum() * LINE.cell_volume == pytest.approx(1.0, abs=1e-14)


def test_a_density_is_continued_from_its_last_frame():
    frames = np.random.default_rng(0).random((3, LINE.size))
    dataset = density_dataset(LINE, ["x"], [0.0, 1.0, 2.5], frames, "{}")
    taken = initial_density(dataset, LINE, ["x"])
    np.testing.assert_allclose(taken, frames[-1] / (frames[-1].sum() * LINE.cell_volume))
    assert starting_time(dataset) == 2.5
    assert starting_time(0.3) == 0.0


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (5.0, "outside the walls"),
        (float("nan"), "outside the walls"),
        ((0.0, 0.0), r"must be a point \(1,\) or a density \(40,\)"),
        (np.full(40, -1.0), "finite, not negative"),
        (np.zeros(40), "positive somewhere"),
        (np.full(40, np.nan), "finite, not negative"),
        (lambda points: np.ones(3), "one value for each of 40 cells"),
        (density_dataset(PLANE, ["x", "y"], [0.0], np.ones((1, 120)), "{}"), "on the cells of this grid"),
        (density_dataset(Grid([(-2, 3, 40)]), ["x"], [0.0], np.ones((1, 40)), "{}"), "on the cells of this grid"),
    ],
)
def test_bad_starts_are_refused_in_one_line(start, message):
    with pytest.raises(ValueError, match=message) as refusal:
        initial_density(start, LINE, ["x"])
    assert "\n" not in str(refusal.value)
