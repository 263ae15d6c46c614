import pickle

import numpy as np
import pytest

from sgdphys.errors import FormulaError
from sgdphys.landscapes import Expression

X = np.random.default_rng(0).normal(size=(100, 1))


def test_another_parameter_value_shares_the_kernel():
    first, second = Expression("x**2/2 + h*x", h=0.1), Expression("x**2/2 + k * x", k=0.7)
    assert first.gradient_terms()[0].kernel is second.gradient_terms()[0].kernel
    np.testing.assert_allclose(second.gradient(X) - first.gradient(X), 0.6, rtol=1e-13)


@pytest.mark.parametrize(
    ("formula", "names"),
    [
        ("x**2", ("x",)),
        ("y**2", ("x", "y")),
        ("x0*x1", ("x0", "x1")),
        ("x0 + x3", ("x0", "x1", "x2", "x3")),
        ("x0", ("x0",)),
    ],
)
def test_dimension_is_that_of_the_highest_coordinate(formula, names):
    landscape = Expression(formula)
    assert landscape.coordinate_names == names
    assert landscape.dim == len(names)


def test_equal_texts_are_equal_landscapes():
    assert Expression("h*x**2", h=1) == Expression("h*x**2", h=1.0)
    assert Expression("h*x**2", h=1) != Expression("h*x**2", h=2)
    assert repr(Expression("h*x**2", h=1)) == "Expression('h*x**2', h=1)"


def test_survives_pickling_after_use():
    landscape = Expression("h*x**4", h=0.5)
    landscape.gradient(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(landscape)).gradient(X), landscape.gradient(X))


def test_a_parameter_may_be_called_formula():
    assert Expression("formula*x**2", formula=3.0).potential(np.ones((1, 1))) == pytest.approx([3.0])


def test_refusals_are_formula_errors():
    with pytest.raises(FormulaError, match="unknown name 'q'"):
        Expression("q*x")
    with pytest.raises(FormulaError, match="does not use the parameter h"):
        Expression("x**2", h=1.0)
