import os
import subprocess
import sys

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgdphys.errors import FormulaError
from sgdphys.formula import parse_formula
from sgdphys.formula.generated import field_kernel
from sgdphys.formula.writer import write_field

POINTS = np.random.default_rng(0).normal(size=(2, 6))
NAMESPACE = {name: getattr(np, name) for name in ("cos", "cosh", "exp", "log", "sin", "sinh", "tan", "tanh")} | {
    "np": np
}


def interpreted(formula, field, points, rows):
    """Run the written source as plain Python, without numba."""
    namespace = dict(NAMESPACE)
    exec(write_field(field, formula.tree, formula.dim), namespace)
    out = np.zeros((rows, points.shape[1]))
    with np.errstate(all="ignore"):
        namespace[field](points[: formula.dim], formula.parameter_array, 1.0, out)
    return out


def reference(formula, points):
    """Return values and gradients by dual numbers, shape (1 + dim, lane)."""
    with np.errstate(all="ignore"):
        columns = [
            [naive.dual(formula.tree, point, formula.parameter_array, i) for i in range(formula.dim)]
            for point in points.T
        ]
    return np.array([[pair[0][0], *(value[1] for value in pair)] for pair in columns]).T


def assert_equal_where_defined(values, expected, relative=1e-9):
    defined = np.isfinite(expected) & (np.abs(expected) < 1e8)
    assert np.all(np.abs(values - expected)[defined] <= relative * (1 + np.abs(expected[defined])))


unary = st.sampled_from(
    ["sin({})", "cos({})", "tanh({})", "exp({}/4)", "abs({})", "sqrt(2 + {}**2)", "log(3 + {}**2)", "(-{})"]
)
binary = st.sampled_from(["({} + {})", "({} - {})", "({} * {})", "({} / (2 + {}**2))", "({}/2 + h*{})"])
powers = st.sampled_from(
    ["({})**2", "({})**3", "({})**5", "(1 + ({})**2)**1.5", "(1 + ({})**2)**(-0.5)", "(2 + ({})**2)**h"]
)
leaves = st.sampled_from(["x", "y", "h", "2", "0.3", "pi"])
formulas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(str.format, unary, inner),
        st.builds(str.format, binary, inner, inner),
        st.builds(str.format, powers, inner),
    ),
    max_leaves=8,
).map(lambda text: f"{text} + x*0.5 + h*y")


@settings(max_examples=120, deadline=None, derandomize=True)
@given(formulas)
def test_written_source_equals_dual_numbers(text):
    """A second way to the derivative: dual numbers over the syntax tree, one point at a time."""
    formula = parse_formula(text, {"h": 1.7})
    expected = reference(formula, POINTS)
    assert_equal_where_defined(interpreted(formula, "potential", POINTS, 1), expected[:1])
    assert_equal_where_defined(interpreted(formula, "gradient", POINTS, 2), expected[1:])
    assert_equal_where_defined(formula.values(POINTS.T), expected[0])


@pytest.mark.parametrize(
    "text",
    [
        "x**7", "x**-3", "x**2.5 + x**-0.5", "x**0.3", "2**x", "x**h", "x**x", "abs(x)**h", "abs(x - 1)", "tan(x)", "x",
        "(x - 1)/(x + 5)**2", "sinh(x) - cosh(2*x)", "h*x", "exp(log(abs(x) + 1)) - x", "x/(y*y)*3", "x*0", "x - x",
        "sqrt(x**2)", "e**x", "h**x",
    ],
)  # fmt: skip
def test_every_kind_of_term_equals_dual_numbers(text):
    formula = parse_formula(text, {"h": 3.0} if "h" in text.replace("sinh", "").replace("cosh", "") else {})
    points = np.array([[0.3, 1.0, 2.5, 4.0], [0.7, 1.1, 2.0, 3.0]])
    expected = reference(formula, points)
    assert_equal_where_defined(interpreted(formula, "potential", points, 1), expected[:1], 1e-13)
    assert_equal_where_defined(interpreted(formula, "gradient", points, formula.dim), expected[1:], 1e-13)


@pytest.mark.parametrize("h", [0.0, 1.0, 2.0, 3.0, 2.5, -1.0, -2.0])
def test_a_parameter_as_exponent_is_right_left_of_zero_and_at_zero(h):
    """x^h by exp(h log x) alone would be NaN for x <= 0, also where h is a whole number."""
    formula = parse_formula("x**h", {"h": h})
    points = np.array([[-2.0, -0.5, 0.0, 0.5, 2.0]])
    with np.errstate(all="ignore"):
        value, slope = np.power(points, h), h * np.power(points, h - 1)
    if h == 0:
        slope = np.zeros_like(slope)
    defined = points != 0 if h == 0 else np.full_like(points, True, dtype=bool)
    np.testing.assert_allclose(interpreted(formula, "potential", points, 1), value, rtol=1e-14)
    np.testing.assert_allclose(interpreted(formula, "gradient", points, 1)[defined], slope[defined], rtol=1e-14)


def test_integer_powers_are_products():
    formula = parse_formula("x**9 + x**0.5")
    source = write_field("potential", formula.tree, 1)
    assert "exp(" not in source
    assert "log(" not in source
    assert "**" not in source
    assert "np.sqrt" in source


def test_common_parts_are_computed_once():
    formula = parse_formula("exp(-x**2)*sin(y) + exp(-x**2)*cos(y)")
    source = write_field("gradient", formula.tree, 2)
    assert source.count("exp(") == source.count("sin(") == source.count("cos(") == 1


def test_what_parameters_decide_is_computed_before_the_lane_loop():
    formula = parse_formula("exp(a)*sqrt(b)*x**2", {"a": 1.0, "b": 2.0})
    before, _, inside = write_field("gradient", formula.tree, 1).partition("for lane")
    assert "exp(" in before
    assert "np.sqrt(" in before
    assert "exp(" not in inside


def test_hessian_fills_both_triangles():
    formula = parse_formula("x**2*y + z**3*x")
    x, y, z = np.array([0.5, -1.0, 2.0])
    out = interpreted(formula, "hessian", np.array([[x], [y], [z]]), 9).reshape(3, 3)
    np.testing.assert_allclose(out, [[2 * y, 2 * x, 3 * z**2], [2 * x, 0, 0], [3 * z**2, 0, 6 * z * x]], rtol=1e-14)


def test_abs_has_the_sign_as_slope_and_no_curvature():
    formula = parse_formula("abs(x)")
    points = np.array([[-2.0, 0.0, 3.0]])
    assert np.array_equal(interpreted(formula, "gradient", points, 1), [[-1.0, 0.0, 1.0]])
    assert np.array_equal(interpreted(formula, "hessian", points, 1), np.zeros((1, 3)))


def test_constants_beyond_float64_are_refused():
    formula = parse_formula("(1e200*x)**2")
    with pytest.raises(FormulaError, match="no finite real number"):
        write_field("potential", formula.tree, 1)


def test_source_does_not_depend_on_the_order_of_hashes():
    code = (
        "from sgdphys.formula import parse_formula; from sgdphys.formula.writer import write_field\n"
        "f = parse_formula('exp(x*y) + sin(z)*x**3/(1 + y**2) + abs(x - y)**h + cosh(x + y)', {'h': 1.5})\n"
        "print(write_field('hessian', f.tree, f.dim))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1


@pytest.mark.parametrize("dim", [2, 6])
def test_compiled_values_do_not_depend_on_the_width_of_the_block(dim):
    """The engine's blocks are 64 to 4096 lanes wide; whatever the width, the bits are the same."""
    text = " + ".join(f"exp(-x{i}*x{(i + 1) % dim})*sin(x{i})/(1 + x{i}**2) + x{i}**3" for i in range(dim))
    compiled = field_kernel("gradient", parse_formula(text).tree, dim).compiled
    x = np.random.default_rng(0).normal(size=(dim, 1024))
    whole = np.zeros_like(x)
    compiled(x, np.zeros(0), 0.7, whole)
    for width in (64, 128, 512):
        part = np.zeros((dim, width))
        compiled(np.ascontiguousarray(x[:, :width]), np.zeros(0), 0.7, part)
        assert np.array_equal(part, whole[:, :width])


def test_wide_formulas_are_written_as_several_loops_and_dense_ones_as_one():
    """LLVM vectorises a loop over few rows only; rows that need all coordinates would repeat the common work."""
    chain = parse_formula(" + ".join(f"(x{i} - x{i + 1}**2)**2" for i in range(11)))
    dense = parse_formula("(" + " + ".join(f"x{i}**2" for i in range(12)) + " - 1)**2")
    assert write_field("gradient", chain.tree, 12).count("for lane") == 4
    assert write_field("gradient", dense.tree, 12).count("for lane") == 1
    points = np.random.default_rng(1).normal(size=(12, 5))
    for formula in (chain, dense):
        assert_equal_where_defined(interpreted(formula, "gradient", points, 12), reference(formula, points)[1:], 1e-12)
