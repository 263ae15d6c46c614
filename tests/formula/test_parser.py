import builtins
import contextlib
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sgdphys.errors import FormulaError
from sgdphys.formula import parse_formula, parse_region
from sgdphys.formula.parser import MAX_EXPONENT, MAX_NODES, MAX_TEXT

REFUSED = {
    "__import__('os')": "unknown function '__import__'",
    "__import__('os').system('true')": "attributes",
    "().__class__.__bases__": "attributes",
    "x.real": "attributes",
    "eval('x')": "unknown function 'eval'",
    "open('a')": "unknown function 'open'",
    "(lambda: x)()": "lambda",
    "lambda x: x": "lambda",
    "[x for x in y]": "comprehensions",
    "sin(x for x in y)": "comprehensions",
    "{x: y}": "Dict",
    "(x := 3)": "assignments",
    "'text'": "strings",
    "b'text'": "strings",
    "f'{x}'": "strings",
    "x[0]": "subscripts",
    "1j*x": "complex",
    "True*x": "'True'",
    "None": "'None'",
    "...": "'Ellipsis'",
    "x if x else y": "if",
    "x^2": r"\*\*",
    "x//2": "//",
    "x % 2": "%",
    "x @ y": "@",
    "~x": "~",
    "not x": "not",
    "x and y": "and",
    "x > 0": "comparisons",
    "x, y": "commas",
    "sin(x, y)": "one argument",
    "sin(x=1)": "one argument",
    "sin(*x)": "starred",
    "sin": "parentheses",
    "x(2)": "not a function",
    "sine(x)": "did you mean 'sin'",
    "expp(x)": "did you mean 'exp'",
    "y + q": "unknown name 'q'",
    "_": "unknown name",
    "9**9**9*x": "not a finite real number",
    "x**1000000": "exponent",
    "x**-1000000": "exponent",
    "((x**50)**50)**50": "exponent",
    "(x + 1)**101": "exponent",
    "x/0": "divides by zero",
    "1/(2 - 2)*x": "divides by zero",
    "sqrt(-1)*x": "not a finite real number",
    "(-8)**(1/3)*x": "not a finite real number",
    "log(0)*x": "not a finite real number",
    "exp(exp(9))*x": "not a finite real number",
    "1e999*x": "not a finite real number",
    "9" * 400 + "*x": "too large",
    "x100": "beyond x99",
    "x" + "9" * 1000: "beyond x99",
    "x + x0": "do not mix",
    "x01": "unknown name",
    "3": "names no coordinate",
    "": "empty",
    " \n ": "empty",
    "x\0": "NUL",
    "x +": "cannot read",
    "x; y": "cannot read",
    "x\ny": "cannot read",
    "import os": "cannot read",
    "x = 3": "cannot read",
    "1or x": "cannot read",
    "\ud800": "cannot read",
    "x" * (MAX_TEXT + 1): "characters",
    "(" * 300 + "x" + ")" * 300: "nested",
    "(" * 4000: "nested|cannot read",
    "-" * 4000 + "x": "nested",
    "sin(" * 80 + "x" + ")" * 80: "nested",
    "x" + "**x" * 1000: "nested",
    "x" + "*x" * 1000: "nested",
    "x" + "+x" * MAX_NODES: "parts",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:30]))
def test_what_is_no_formula_is_refused_in_one_line(text):
    with pytest.raises(FormulaError, match=REFUSED[text]) as refusal:
        parse_formula(text)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("text", [None, 3, b"x", ["x"]])
def test_only_text_is_a_formula(text):
    with pytest.raises(FormulaError, match="a formula is text"):
        parse_formula(text)


@pytest.mark.parametrize(
    "text", [f"x**{MAX_EXPONENT}", "x" + "+x" * 900, "(" * 150 + "x" + ")" * 150, " x ", "+x", "- -x"]
)
def test_large_but_honest_formulas_are_read(text):
    assert parse_formula(text).dim == 1


def test_nothing_is_evaluated(monkeypatch):
    """Every built-in that a text could reach would be noticed."""

    def trap(*arguments, **options):
        raise AssertionError("called")

    for name in ("eval", "exec", "open", "input", "print"):
        monkeypatch.setattr(builtins, name, trap)
        with pytest.raises(FormulaError):
            parse_formula(f"{name}('1')*x")
    assert "antigravity" not in sys.modules
    with pytest.raises(FormulaError):
        parse_formula("__import__('antigravity')*x")
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"x": 1.0}, "name of a coordinate"),
        ({"y": 1.0}, "name of a coordinate"),
        ({"x7": 1.0}, "name of a coordinate"),
        ({"sin": 1.0}, "name of a coordinate, function"),
        ({"pi": 1.0}, "constant"),
        ({"a b": 1.0}, "identifiers"),
        ({"lambda": 1.0}, "identifiers"),
        ({"h": float("nan")}, "finite"),
        ({"h": float("inf")}, "finite"),
        ({"h": 10**400}, "finite"),
        ({"h": 10**5000}, "finite"),
        ({"h": "1"}, "finite"),
        ({"h": True}, "finite"),
        ({"h": 1j}, "finite"),
        ({"h": None}, "finite"),
        ({"h": 1.0, "k": 2.0}, "does not use the parameter k"),
        ({}, "unknown name 'h'; a parameter is given as h="),
        ({"hh": 1.0}, "unknown name 'h', did you mean 'hh'"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(parameters, message):
    with pytest.raises(FormulaError, match=message):
        parse_formula("h*x", parameters)


TOKENS = [
    "x", "y", "x0", "x3", "h", "pi", "e", "1", "0.5", "1e3", "9", "sin", "exp", "sqrt", "abs", "(", ")", "+", "-", "*",
    "/", "**", ",", "<", ">", "<=", "and", "or", "not", " ", ".", "[", "]", ":=", "lambda", "'", "if", "else", "for",
    "in", "__import__", "{", "}", "=",
]  # fmt: skip
texts = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(TOKENS), max_size=25).map("".join))


def refused_in_one_line(parse, *arguments):
    message = ""
    with contextlib.suppress(FormulaError):
        try:
            parse(*arguments)
        except FormulaError as error:
            message = str(error)
            raise
    assert "\n" not in message


@settings(max_examples=800, deadline=None, derandomize=True)
@example("\\\n")
@example("x \\\n + y")
@example("x # comment")
@example("'\\d'")
@example("0x1for x in x")
@given(texts)
def test_any_text_is_a_formula_or_refused(text):
    refused_in_one_line(parse_formula, text, {"h": 1.0})
    refused_in_one_line(parse_region, text, 2)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.sampled_from("([{-+~'x"), st.integers(1, 6000), st.sampled_from(["", "x", ")", "]"]))
def test_repetition_never_breaks_the_parser(character, count, end):
    refused_in_one_line(parse_formula, character * count + end)
    refused_in_one_line(parse_region, character * count + end, 1)
