"""Starts: what was given, a known minimum, one found by descent, or the origin."""

import numpy as np
import pytest

from sgdphys.cli.starts import choose_start
from sgdphys.landscapes import Expression, MuellerBrown


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("x**4/4 - x**2/2", 1.0),
        ("x**4", 0.0),
        ("x**2/2", 0.0),
        ("cos(x)", np.pi),
        ("100*(y - x**2)**2 + (1 - x)**2", [1.0, 1.0]),
        ("x*y + x**4 + y**4", [-0.5, 0.5]),  # the origin is a saddle that no axis shows
    ],
)
def test_descent_reaches_a_minimum(formula, expected):
    start = choose_start(Expression(formula), None)
    assert start.value == pytest.approx(expected, abs=2e-6)
    assert "minimum" in start.source
    assert "no minimum" not in start.source


@pytest.mark.parametrize("formula", ["x", "0*x", "-x**4/4", "exp(x)", "x**2 - y**2"])
def test_without_a_minimum_it_is_the_origin_and_says_so(formula):
    start = choose_start(Expression(formula), None)
    assert np.all(np.asarray(start.value) == 0)
    assert start.line.endswith("(the origin: descent from there found no minimum)")


def test_known_and_given():
    assert choose_start(MuellerBrown(), None).value == MuellerBrown().minima[0].tolist()
    assert choose_start(MuellerBrown(), [0.5, 1.0]).line == "start 0.5,1 (as given)"
    assert choose_start(Expression("x**2"), [2.0]).value == 2.0
    with pytest.raises(ValueError, match="start must be finite, got nan"):
        choose_start(Expression("x**2"), [np.nan])
