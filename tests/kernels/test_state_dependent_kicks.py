"""Cholesky factors in the lanes of a block, against NumPy; what is no diffusion gives NaN."""

import numpy as np
import pytest

from sgdphys.kernels import BlockTerm, FieldKernel, KickKernel
from sgdphys.kernels.nested_terms import nested
from sgdphys.kernels.state_dependent_kicks import matrix_field_kick

KICK = KickKernel(matrix_field_kick)


def given_matrix(x, parameters, factor, out):
    """Add the same matrix in every lane."""
    for row in range(out.shape[0]):
        for lane in range(out.shape[1]):
            out[row, lane] += factor * parameters[row]


GIVEN = FieldKernel(given_matrix)


def root_of(matrix):
    matrix = np.asarray(matrix, dtype=float)
    dim = len(matrix)
    parameters = nested([BlockTerm(GIVEN, matrix.ravel() / 4), BlockTerm(GIVEN, matrix.ravel(), 0.75)])
    deviates, out = np.eye(dim, dtype=np.float32), np.empty((dim, dim))
    work = np.full((dim * dim + 1, dim), np.nan)
    KICK.compiled(deviates, np.zeros((dim, dim)), parameters, 1.0, work, np.zeros((dim, dim)), out)
    return out


@pytest.mark.parametrize("dim", [1, 2, 5, 9])
def test_the_root_is_the_cholesky_factor(dim):
    matrix = np.cov(np.random.default_rng(dim).normal(size=(dim, 3 * dim + 2))).reshape(dim, dim)
    np.testing.assert_allclose(root_of(matrix), np.linalg.cholesky(matrix), rtol=1e-12, atol=1e-14)


def test_singular_matrices_have_a_root():
    factor = np.random.default_rng(0).normal(size=(5, 2))
    for matrix in (factor @ factor.T, np.zeros((3, 3)), np.diag([0.0, 1.0, 0.0]), np.ones((4, 4))):
        root = root_of(matrix)
        np.testing.assert_allclose(root @ root.T, matrix, atol=1e-12)


@pytest.mark.parametrize("matrix", [[[-1.0]], [[1.0, 2.0], [2.0, 1.0]], [[0.0, 1.0], [1.0, 1.0]], [[np.nan]]])
def test_what_is_no_diffusion_gives_nan(matrix):
    assert np.isnan(root_of(matrix)).any()
