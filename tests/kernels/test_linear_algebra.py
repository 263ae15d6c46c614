"""Products of a matrix and a block: right, each lane on its own, and in vector registers."""

import numpy as np
import pytest
from asserts import assert_same_bits

from sgdphys.kernels.linear_algebra import accumulate_product
from sgdphys.kernels.source import fast_math_flags, source_text

DOUBLE = "'void(float64[::1], float64[:, ::1], float64, float64[:, ::1])'"
SINGLE = "'void(float64[::1], float32[:, ::1], float64, float64[:, ::1])'"
SHAPES = [(1, 1), (3, 1), (1, 5), (2, 2), (3, 2), (4, 4), (5, 7), (6, 3), (13, 20), (50, 20), (49, 257), (7, 600)]


def product(compiled, matrix, x, factor=-0.5):
    out = np.ones((len(matrix), x.shape[1]))
    signature = SINGLE if x.dtype == np.float32 else DOUBLE
    compiled(accumulate_product, signature)(np.ascontiguousarray(matrix).ravel(), np.ascontiguousarray(x), factor, out)
    return out


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lanes", [1, 31, 64, 192])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_equals_numpy(compiled, shape, lanes, kind):
    generator = np.random.default_rng(0)
    matrix, x = generator.normal(size=shape), generator.normal(size=(shape[1], lanes)).astype(kind)
    np.testing.assert_allclose(product(compiled, matrix, x), 1 - 0.5 * matrix @ x.astype(float), rtol=1e-13, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 1), (2, 2), (9, 11), (20, 300), (100, 20)])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_a_lane_does_not_depend_on_its_neighbours(compiled, shape, kind):
    generator = np.random.default_rng(1)
    matrix, x = generator.normal(size=shape), generator.normal(size=(shape[1], 2048)).astype(kind)
    whole = product(compiled, matrix, x)
    for width in (64, 128, 1024):
        for first in range(0, 2048, width):
            assert_same_bits(product(compiled, matrix, x[:, first : first + width]), whole[:, first : first + width])
    for width in (1, 7, 67):  # lanes that fill no tile
        assert_same_bits(product(compiled, matrix, x[:, 500 : 500 + width]), whole[:, 500 : 500 + width])


def test_a_row_does_not_depend_on_the_others(compiled):
    generator = np.random.default_rng(2)
    matrix, x = generator.normal(size=(101, 300)), generator.normal(size=(300, 64))
    whole = product(compiled, matrix, x)
    for rows in range(1, 13):
        assert_same_bits(product(compiled, matrix[40 : 40 + rows], x), whole[40 : 40 + rows])


def test_infinity_stays_in_its_lane(compiled):
    for lanes, lane in ((64, 7), (66, 65)):
        x = np.ones((4, lanes))
        x[2, lane] = np.inf
        out = product(compiled, np.eye(4), x)
        assert np.isfinite(np.delete(out, lane, axis=1)).all()
        assert not np.isfinite(out[2, lane])


def test_no_rows_columns_or_lanes(compiled):
    assert product(compiled, np.zeros((0, 3)), np.ones((3, 64))).shape == (0, 64)
    assert product(compiled, np.zeros((3, 2)), np.ones((2, 0))).shape == (3, 0)
    assert_same_bits(product(compiled, np.zeros((3, 0)), np.ones((0, 64))), np.ones((3, 64)))


def test_refuses_arrays_with_gaps(compiled):
    from numba.core.errors import TypingError

    with pytest.raises(TypingError, match="a matrix product takes contiguous arrays"):
        compiled(accumulate_product, DOUBLE.replace("float64[:, ::1], float64,", "float64[:, :], float64,"))


def test_sums_stay_in_vector_registers(packed_instructions):
    """A tile of six rows adds at least 6 * 2 vectors a column, tiles of one to five rows 15 * 2 more."""
    text = source_text(accumulate_product)
    assert packed_instructions("accumulate_product", DOUBLE, fast_math_flags(accumulate_product), text) >= 42
