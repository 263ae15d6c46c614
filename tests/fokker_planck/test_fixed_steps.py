import numpy as np
import pytest
from grid_landscapes import Well
from scipy.linalg import expm

from sgdphys.fokker_planck import Grid, discretise, evolve
from sgdphys.fokker_planck.fixed_steps import exponential_action, positive_step

LINE = Grid([(-3, 3, 120)])
WELL = discretise(Well(), temperature=0.2, grid=LINE)


def test_the_longest_positive_step_is_where_the_explicit_half_empties_a_cell():
    explicit = 1 + positive_step(WELL) / 2 * WELL.matrix.diagonal()
    assert explicit.min() == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize("time", [0.05, 2.0, 40.0])
def test_the_exponential_in_one_piece_and_in_many(time):
    # up to 1.5e4 jumps, in pieces of 400
    start = np.zeros(LINE.size)
    start[30] = 1 / LINE.cell_volume
    found = exponential_action(WELL, start, time)
    np.testing.assert_allclose(found, expm(time * WELL.matrix.toarray()) @ start, atol=1e-9)
    assert found.min() >= 0


@pytest.mark.parametrize("step", [1e-2, 1e6])
def test_mass_is_kept_at_any_step(step):
    density = evolve(Well(), temperature=0.2, grid=LINE, start=-1.0, times=[3 * step], method="implicit-euler", dt=step)
    assert float(density["mass"][0]) == pytest.approx(1, abs=1e-13)
