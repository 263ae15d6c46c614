"""Sums of block kernels at many points."""

import numpy as np
import pytest

from sgdphys.kernels import BlockTerm, FieldKernel, evaluate


def cube(x, parameters, factor, out):
    """Add ``factor * parameters[0] * x^3`` for each coordinate."""
    for row in range(out.shape[0]):
        for lane in range(x.shape[1]):
            out[row, lane] += factor * parameters[0] * x[row, lane] ** 3


CUBE = FieldKernel(cube)


@pytest.mark.parametrize("n_points", [0, 1, 255, 256, 257, 1000])
@pytest.mark.parametrize("dim", [1, 3])
def test_terms_are_summed(n_points, dim):
    x = np.random.default_rng(0).normal(size=(n_points, dim))
    terms = [BlockTerm(CUBE, np.array([2.0])), BlockTerm(CUBE, np.array([0.5]), factor=-1.0)]
    np.testing.assert_allclose(evaluate(terms, x, dim), 1.5 * x**3, rtol=1e-14)


def test_no_terms_are_zero():
    assert np.all(evaluate([], np.ones((5, 2)), 2) == 0)


def test_a_scaled_term_is_a_multiple():
    term = BlockTerm(CUBE, np.array([2.0]), factor=0.5).scaled(-3.0)
    assert evaluate([term], np.array([[2.0]]), 1) == -24.0


def test_points_may_be_strided_or_integer():
    x = np.arange(12).reshape(6, 2)[::2]
    np.testing.assert_allclose(evaluate([BlockTerm(CUBE, np.array([1.0]))], x, 2), x.astype(float) ** 3)


def test_points_may_be_read_only():
    x = np.ones((3, 1))
    x.flags.writeable = False
    assert np.all(evaluate([BlockTerm(CUBE, np.array([2.0]))], x, 1) == 2)
    assert not x.flags.writeable
