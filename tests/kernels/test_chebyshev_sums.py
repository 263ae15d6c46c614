import numpy as np
import pytest

from sgdphys.kernels.chebyshev_sums import STRIP, add_chebyshev_terms


@pytest.mark.parametrize(("size", "offsets"), [(1, []), (7, [1]), (2 * STRIP + 37, [1, 40, STRIP + 5]), (50, [1, 49])])
def test_terms_are_those_of_the_dense_matrix(size, offsets):
    generator = np.random.default_rng(size)
    diagonals = generator.normal(size=(len(offsets) + 1, size))
    vectors, coefficients = generator.normal(size=(2, size)), generator.normal(size=6)
    total = np.zeros(size)

    def product(vector):
        result = diagonals[0] * vector
        for diagonal, offset in zip(diagonals[1:], offsets, strict=True):
            result[: size - offset] += diagonal[: size - offset] * vector[offset:]
            result[offset:] += diagonal[: size - offset] * vector[: size - offset]
        return result

    before, now = vectors
    expected = np.zeros(size)
    for coefficient in coefficients[2:]:
        before, now = now, product(now) - before
        expected += coefficient * now
    add_chebyshev_terms(diagonals, np.array([0, *offsets]), coefficients, *vectors.copy(), total)
    np.testing.assert_allclose(total, expected, rtol=1e-11, atol=1e-11 * np.abs(expected).max())
