"""Products of a matrix and a block: right, and each lane on its own."""

import numpy as np
import pytest
from asserts import assert_same_bits

from sgdphys.kernels.linear_algebra import accumulate_product

SIGNATURE = "'void(float64[::1], float64[:, ::1], float64, float64[:, ::1])'"


def product(compiled, matrix, x, factor=-0.5):
    out = np.ones((len(matrix), x.shape[1]))
    compiled(accumulate_product, SIGNATURE)(np.ascontiguousarray(matrix).ravel(), np.ascontiguousarray(x), factor, out)
    return out


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (4, 4), (5, 7), (8, 1), (13, 20)])
def test_equals_numpy(compiled, shape):
    generator = np.random.default_rng(0)
    matrix, x = generator.normal(size=shape), generator.normal(size=(shape[1], 128))
    np.testing.assert_allclose(product(compiled, matrix, x), 1 - 0.5 * matrix @ x, rtol=1e-13, atol=1e-13)


def test_a_lane_does_not_depend_on_its_neighbours(compiled):
    generator = np.random.default_rng(1)
    matrix, x = generator.normal(size=(9, 11)), generator.normal(size=(11, 4096))
    whole = product(compiled, matrix, x)
    for width in (64, 128, 1024):
        assert_same_bits(product(compiled, matrix, x[:, width : 2 * width]), whole[:, width : 2 * width])


def test_infinity_stays_in_its_lane(compiled):
    x = np.ones((4, 64))
    x[2, 7] = np.inf
    out = product(compiled, np.eye(4), x)
    assert np.isfinite(np.delete(out, 7, axis=1)).all()
    assert not np.isfinite(out[2, 7])
