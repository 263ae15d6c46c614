"""Lost particles are seen: the fast-math flags leave infinity and NaN alone."""

import numpy as np
import pytest

from sgdphys.kernels.divergence import BOUND, count_lost

SIGNATURE = "'int64(float64[:, ::1], int64, int64, float64)'"


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 2e3, -2e3, 2 * BOUND, -2 * BOUND])
def test_a_lost_number_is_counted(compiled, value):
    block = np.random.default_rng(0).normal(size=(3, 256))
    count = compiled(count_lost, SIGNATURE)
    assert count(block, 256, 3, 1e3) == 0
    block[1, 17] = block[2, 200] = value
    assert count(block, 256, 3, 1e3) == 2
    assert count(block, 200, 3, 1e3) == 1
    velocity_is_lost = not abs(value) < BOUND
    assert count(block, 256, 2, 1e3) == 1 + velocity_is_lost


def test_with_the_two_other_flags_it_would_not_be_seen():
    """The wrong variant: nnan and ninf let the compiler drop the comparison."""
    import numba

    def any_not_finite(x):
        found = False
        for value in x:
            if not np.isfinite(value):
                found = True
        return found

    x = np.array([1.0, np.nan, np.inf])
    assert not numba.njit(fastmath=True)(any_not_finite)(x)
    assert numba.njit(fastmath={"afn", "arcp", "contract", "nsz"})(any_not_finite)(x)


def test_fourth_powers_below_the_bound_are_finite():
    assert np.isfinite(np.float64(BOUND) ** 4)
