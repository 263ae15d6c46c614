import numpy as np
import pytest
from clouds import cloud_of

from sgdphys.analysis import displacement_sums as sums
from sgdphys.fokker_planck.grid import Grid


def test_sums_are_those_of_a_loop_over_displacements(monkeypatch):
    rng = np.random.default_rng(0)
    position = rng.uniform(-1.2, 1.2, size=(9, 40, 2))
    position[5:, 3] = np.nan
    cloud, grid = cloud_of(*position, times=0.5 * np.arange(9)), Grid([(-1, 1, 3), (-1, 1, 2)])
    monkeypatch.setattr(sums, "_SLAB", 170)  # two frames at a time
    found = sums.displacement_sums(cloud, grid, 2, (2.0, -1.0), 0.5)
    design, response = np.zeros((6, 3, 3)), np.zeros((6, 3, 5))
    for frame, particle in np.ndindex(5, 40):
        start = position[frame, particle]
        first, second = position[frame + 2, particle] - start, position[frame + 4, particle] - start
        if not np.isfinite(first + second).all() or np.any(np.abs(start) > 1):
            continue
        row, column = int((start[0] + 1) // (2 / 3)), int((start[1] + 1) // 1)
        terms = np.array([1, (start[0] - grid.centres[0][row]) * 1.5, start[1] - grid.centres[1][column]])
        squares = np.outer(first, first) - np.outer(second, second) / 4
        values = [*(2 * first - second / 2), squares[0, 0], squares[0, 1], squares[1, 1]]
        design[2 * row + column] += np.outer(terms, terms)
        response[2 * row + column] += np.outer(terms, values)
    np.testing.assert_allclose(found.design.sum(axis=0), design, atol=1e-12)
    np.testing.assert_allclose(found.response.sum(axis=0), response, atol=1e-12)
    assert len(found.design) == 120  # three stretches of five starts for each of 40 particles


@pytest.mark.parametrize(("frames", "particles"), [(7, 3), (1, 500), (100, 1), (5, 20)])
def test_batches_are_of_particles_before_they_are_of_time(frames, particles):
    numbers = sums.batch_numbers(frames, particles, 20)
    assert numbers.shape == (frames, particles)
    np.testing.assert_array_equal(np.unique(numbers), np.arange(numbers.max() + 1))
    assert numbers.max() + 1 == min(20 // particles * particles if particles < 20 else 20, frames * particles)
    if particles >= 20:
        assert np.all(numbers == numbers[0])
    else:
        assert all(len(np.unique(stretch)) == particles for stretch in numbers)


def test_intervals():
    cloud = cloud_of(*np.zeros((4, 2)), times=[0.0, 0.1, 0.2, 0.3])
    assert sums.even_interval(cloud, 4) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="need 5 frames, the cloud has 4"):
        sums.even_interval(cloud, 5)
    with pytest.raises(ValueError, match=r"got intervals from 0\.1 to 0\.2"):
        sums.even_interval(cloud.isel(time=[0, 1, 3]), 2)
