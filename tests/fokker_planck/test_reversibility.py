import numpy as np

from sgdphys.fokker_planck.reversibility import cell_potential

LEFT, RIGHT = np.array([0, 1, 2, 0]), np.array([1, 2, 3, 3])  # a square


def test_a_closed_loop_has_a_potential():
    potential = cell_potential(4, LEFT, RIGHT, np.array([1.0, 2.0, -0.5, 2.5]))
    np.testing.assert_allclose(potential, [0, 1, 3, 2.5], atol=1e-14)


def test_a_loop_that_does_not_close_has_none():
    assert cell_potential(4, LEFT, RIGHT, np.array([1.0, 2.0, -0.5, 2.5 + 1e-7])) is None


def test_cells_that_nothing_joins_have_none():
    assert cell_potential(4, np.array([0, 2]), np.array([1, 3]), np.array([1.0, 1.0])) is None
