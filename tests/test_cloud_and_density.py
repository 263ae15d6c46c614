"""Particles and grid solve the same equation: their counts and free energies agree within sampling error."""

import numpy as np
import pytest
from asserts import assert_within

from sgdphys import Grid, simulate
from sgdphys.analysis import free_energy, histogram
from sgdphys.fokker_planck import evolve, stationary
from sgdphys.landscapes import DoubleWell

TIMES = np.array([1.0, 2.0, 5.0, 10.0, 25.0])
FINE, COARSE = Grid([(-2.5, 2.5, 500)]), Grid([(-2.5, 2.5, 50)])
COUNT = 50_000


@pytest.fixture(scope="module")
def cloud():
    # dt = .0025 moves a count by less than a fifth of its error (at dt = .01 the sum of squares at t = 5 would be off)
    arguments = {"n_particles": COUNT, "start": -1.0, "save_at": TIMES, "seed": 0}
    return simulate(DoubleWell(), temperature=0.1, dt=0.0025, t1=25.0, **arguments)


def excess_of_squares(cloud, temperature):
    density = evolve(DoubleWell(), temperature=temperature, grid=FINE, start=-1.0, times=TIMES)
    expected = density["density"].values.reshape(len(TIMES), 50, 10).sum(axis=2) * FINE.cell_volume * COUNT
    observed = histogram(cloud, COARSE)["density"].values * COARSE.cell_volume * COUNT
    kept = expected > 10
    squares = np.where(kept, (observed - expected) ** 2 / np.maximum(expected, 1), 0).sum(axis=1)
    freedom = kept.sum(axis=1) - 1
    return (squares - freedom) / np.sqrt(2 * freedom)


def test_counts_agree_at_five_times(cloud):
    assert_within(excess_of_squares(cloud, 0.1), 0.0, 1.0)
    assert np.all(excess_of_squares(cloud, 0.2) > 100)  # lr/B in place of lr/(2B)


def test_free_energies_agree_at_five_times(cloud):
    density = evolve(DoubleWell(), temperature=0.1, grid=FINE, start=-1.0, times=TIMES)
    reference = stationary(DoubleWell(), temperature=0.1, grid=FINE)
    by_grid = free_energy(density, DoubleWell(), temperature=0.1)
    by_cloud = free_energy(cloud, DoubleWell(), temperature=0.1, reference=reference)
    for name in ("mean_potential", "entropy", "free_energy", "relative_entropy"):
        assert_within(by_cloud[name], by_grid[name], by_cloud[f"{name}_standard_error"])
