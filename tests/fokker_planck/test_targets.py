import pytest

import sgdphys as sp
from sgdphys.fokker_planck import Grid, mean_first_passage_time


@pytest.mark.parametrize("target", ["x > 0", "x < 0"])
def test_a_half_space_on_a_ring_ends_at_the_seam(target):
    # free diffusion from the middle of the other half: L^2/(8T)
    errors, start = [], -0.5 if target == "x > 0" else 0.5
    for cells in (25, 51, 101):
        grid = Grid([(-1, 1, cells)], "periodic")
        time = mean_first_passage_time(
            sp.landscapes.Expression("0*x"), temperature=0.1, grid=grid, start=start, target=target
        )
        errors.append((float(time) - 1 / 0.8) * cells**2)
    assert max(map(abs, errors)) < 2.0  # half a cell would be 2.5 * cells


def test_a_tensor_across_the_seam():
    # nothing depends on y and D_xx = 1: as on a line with both ends absorbing
    grid = Grid([(-1, 1, 32), (0, 2, 32)], "periodic")
    noise, flat = sp.noises.Full([[1.0, 0.6], [0.6, 1.0]]), sp.landscapes.Expression("0*x + 0*y")
    time = mean_first_passage_time(flat, noise, temperature=0.1, grid=grid, start=(-0.5, 1.0), target="x > 0")
    assert float(time) == pytest.approx(1 / 0.8, rel=1e-10)
