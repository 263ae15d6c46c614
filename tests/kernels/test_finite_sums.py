"""The gather of rows: equal to indexing for every length, number of lanes and overlap of tiles."""

import numpy as np
import pytest

from sgdphys.kernels import finite_sums

GATHER = "'void(float64[::1], int64[::1], int64, float64[:, ::1])'"


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 7, 8, 21])
@pytest.mark.parametrize("lanes", [1, 3, 4, 6, 64, 67])
def test_rows_are_gathered_into_columns(compiled, length, lanes):
    generator = np.random.default_rng(0)
    table, indices = generator.normal(size=(50, length)), generator.integers(0, 50, lanes)
    work = np.full((length + 2, lanes), -1.0)
    compiled(finite_sums.gather_rows, GATHER)(table.ravel(), indices, length, work)
    assert np.array_equal(work[:length], table[indices].T)
    assert np.all(work[length:] == -1.0)


def test_the_last_row_is_read_without_passing_the_end(compiled):
    table = np.arange(12.0)
    work = np.empty((6, 4))
    compiled(finite_sums.gather_rows, GATHER)(table, np.array([1, 1, 0, 1]), 6, work)
    assert np.array_equal(work, table.reshape(2, 6)[[1, 1, 0, 1]].T)
