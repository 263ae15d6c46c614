import math

import numpy as np
import pytest

from sgdphys.formula import parse_formula
from sgdphys.kernels import evaluate

X = np.random.default_rng(0).normal(size=(300, 2))


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("x + y*2", lambda x, y: x + y * 2),
        ("-x**2 + 2**-y", lambda x, y: -(x**2) + 2**-y),
        ("x - y - 1 + x", lambda x, y: x - y - 1 + x),
        ("x/2/4*y", lambda x, y: x / 2 / 4 * y),
        ("2**3**2*x + y", lambda x, y: 512 * x + y),
        ("pi*x + e*y", lambda x, y: math.pi * x + math.e * y),
        ("exp(-x**2/2)*cosh(y)", lambda x, y: np.exp(-(x**2) / 2) * np.cosh(y)),
        ("abs(x) + sqrt(y*y) + log(2 + cos(x))", lambda x, y: np.abs(x) + np.abs(y) + np.log(2 + np.cos(x))),
        ("tan(x/4) + tanh(y) + sinh(x) + sin(y)", lambda x, y: np.tan(x / 4) + np.tanh(y) + np.sinh(x) + np.sin(y)),
        ("1e-3*x + .5*y + 0x10", lambda x, y: 1e-3 * x + 0.5 * y + 16),
    ],
)
def test_precedence_and_functions_are_those_of_python(text, function):
    formula = parse_formula(text)
    expected = function(*X.T)
    np.testing.assert_allclose(formula.values(X), expected, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(evaluate([formula.term("potential")], X, 1)[:, 0], expected, rtol=1e-13, atol=1e-13)


def test_parameters_keep_their_order():
    formula = parse_formula("b*x + a", {"a": 3, "b": np.float32(0.5)})
    assert formula.parameters == (("a", 3.0), ("b", 0.5))
    assert formula.values(np.array([[2.0]])) == pytest.approx([4.0])


def test_a_formula_is_hashable_and_knows_its_text():
    assert hash(parse_formula("x**2")) == hash(parse_formula("x**2"))
    assert parse_formula(" x**2 ").text == " x**2 "
