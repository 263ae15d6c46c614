import numpy as np
import pytest

from sgdphys import schema
from sgdphys.landscapes import Quadratic


def random_symmetric(dim):
    matrix = np.random.default_rng(dim).normal(size=(dim, dim))
    return matrix + matrix.T


@pytest.mark.parametrize("dim", [1, 2, 3, 4, 7, 20])
def test_equals_the_quadratic_form(dim):
    matrix = random_symmetric(dim)
    x = np.random.default_rng(0).normal(size=(300, dim))
    landscape = Quadratic(matrix, constant=1.5)
    np.testing.assert_allclose(landscape.potential(x), 1.5 + 0.5 * np.einsum("pi,ij,pj->p", x, matrix, x), atol=1e-12)
    np.testing.assert_allclose(landscape.gradient(x), x @ matrix, atol=1e-12)


def test_a_number_is_a_parabola():
    assert Quadratic(4.0).potential(np.array([[3.0]])) == pytest.approx([18.0])


@pytest.mark.parametrize(
    ("diagonal", "minima", "saddles"), [([1, 2], 1, 0), ([1, -2], 0, 1), ([-1, -2], 0, 0), ([1, 0], 0, 0)]
)
def test_origin_is_classified_by_its_eigenvalues(diagonal, minima, saddles):
    landscape = Quadratic(np.diag(diagonal))
    assert (len(landscape.minima), len(landscape.saddles)) == (minima, saddles)


def test_matrix_is_copied_and_fixed():
    matrix = np.eye(2)
    landscape = Quadratic(matrix)
    matrix[0, 0] = 9
    assert landscape.matrix[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        landscape.matrix[0, 0] = 9


def test_embedding_becomes_schema_variables():
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(9, 2)))[0]
    variables = Quadratic(np.eye(2), origin=np.ones(9), basis=basis).variables()
    assert set(variables) == {"origin", "basis"}
    for name, (dims, array) in variables.items():
        assert dims == schema.BY_NAME[name].dims
        assert array.ndim == len(dims)
    large = Quadratic(np.eye(50)).variables()
    assert large["quadratic_matrix"][0] == schema.BY_NAME["quadratic_matrix"].dims
    assert Quadratic(np.eye(2)).variables() == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"matrix": [[1.0, 2.0]]}, "must be square"),
        ({"matrix": np.zeros((0, 0))}, "must be square"),
        ({"matrix": [[1.0, 2.0], [2.1, 1.0]]}, "must be symmetric"),
        ({"matrix": [[1.0, np.nan], [np.nan, 1.0]]}, "must be finite"),
        ({"matrix": np.zeros((2, 2, 2))}, "matrix must have the shape"),
        ({"matrix": np.eye(2), "constant": np.inf}, "constant must be finite"),
        ({"matrix": np.eye(2), "origin": np.zeros(3)}, "together"),
        ({"matrix": np.eye(2), "origin": np.zeros(3), "basis": np.ones((3, 2))}, "orthonormal"),
        ({"matrix": np.eye(2), "origin": np.zeros(3), "basis": np.eye(3)}, "basis must have the shape"),
        ({"matrix": np.eye(2), "origin": np.zeros(2), "basis": np.eye(3)[:, :2]}, "origin must have the shape"),
    ],
)
def test_what_is_no_quadratic_form_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Quadratic(**arguments)


def test_it_is_shown_in_one_line():
    assert repr(Quadratic([[2.0]])) == "Quadratic([[2.0]])"
    assert repr(Quadratic(np.eye(10))) == "Quadratic(dim=10)"
    embedded = Quadratic(np.eye(2), 0.5, origin=np.zeros(30), basis=np.eye(30)[:, :2])
    assert repr(embedded) == "Quadratic([[1.0, 0.0], [0.0, 1.0]], constant=0.5, within 30 parameters)"
