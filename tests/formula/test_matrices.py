"""Matrices of formulas: entries, divergence, and what is refused."""

import numpy as np
import pytest
from asserts import central_difference

from sgdphys.errors import FormulaError
from sgdphys.formula import parse_matrix
from sgdphys.kernels import evaluate

POINTS = np.random.default_rng(0).normal(size=(40, 2))
X, Y = POINTS.T


def test_a_scalar_has_one_row_and_a_gradient():
    matrix = parse_matrix("1 + a*x*y", {"a": 2.0})
    np.testing.assert_allclose(evaluate([matrix.term("diffusion", 2)], POINTS, 1)[:, 0], 1 + 2 * X * Y)
    np.testing.assert_allclose(evaluate([matrix.term("divergence", 2)], POINTS, 2), np.c_[2 * Y, 2 * X])
    assert (matrix.kind, matrix.dim, matrix.rows(5)) == ("scalar", 2, 1)


def test_a_diagonal_has_its_own_derivatives():
    matrix = parse_matrix(["x**2*y", "x*y**2"])
    np.testing.assert_allclose(evaluate([matrix.term("diffusion", 2)], POINTS, 2), np.c_[X**2 * Y, X * Y**2])
    np.testing.assert_allclose(evaluate([matrix.term("divergence", 2)], POINTS, 2), np.c_[2 * X * Y, 2 * X * Y])


def test_a_tensor_is_row_major_and_its_divergence_sums_over_columns():
    matrix = parse_matrix([["x**3", "sin(x*y)"], ["sin(y*x)", 2]])
    term = matrix.term("diffusion", 2)
    values = evaluate([term], POINTS, 4)
    np.testing.assert_allclose(values, np.c_[X**3, np.sin(X * Y), np.sin(X * Y), 2 + 0 * X], atol=1e-14)
    slopes = central_difference(lambda x: evaluate([term], np.ascontiguousarray(x), 4).reshape(-1, 2, 2), POINTS)
    divergence = evaluate([matrix.term("divergence", 2)], POINTS, 2)
    np.testing.assert_allclose(divergence, np.einsum("pijj->pi", slopes), atol=1e-7)


def test_separable_where_each_entry_depends_on_its_own_coordinate():
    assert parse_matrix(["x**2", "1 + y"]).separable
    assert not parse_matrix(["y**2", "1"]).separable
    assert not parse_matrix([["x", 0], [0, "y"]]).separable


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([["1", "x"], ["y", "1"]], "must be symmetric, its entries 1, 0 and 0, 1"),
        ([["1", "x"]], "must be square"),
        ([["1", "0"], "x"], "must be square"),
        ([], "a formula, a list of them"),
        (None, "a formula, a list of them"),
        (["1", "z"], "has 2 entries in a row, but its formulas name 3 coordinates"),
        (["x", "x1"], "do not mix"),
        (["x", "foo"], "unknown name 'foo'"),
        (["x", float("nan")], "nan"),
    ],
)
def test_refusals(entries, message):
    with pytest.raises(FormulaError, match=message):
        parse_matrix(entries)


def test_an_unused_parameter_is_refused():
    with pytest.raises(FormulaError, match="uses the parameter b"):
        parse_matrix(["a*x", "1"], {"a": 1.0, "b": 2.0})
