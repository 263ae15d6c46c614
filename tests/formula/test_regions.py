import numpy as np
import pytest

from sgdphys.errors import FormulaError
from sgdphys.formula import HalfSpace, parse_region
from sgdphys.kernels import evaluate

X = np.concatenate([np.random.default_rng(0).normal(size=(500, 2)), [[0.0, 0.0], [1.0, -1.0], [-1.0, 1.0]]])
x, y = X.T
CASES = {
    "x > 0": x > 0,
    "0 < x": x > 0,
    "x >= 1": x >= 1,
    "not x > 0": x <= 0,
    "x > 0 and y < 1": (x > 0) & (y < 1),
    "x > 0 or y < -1 and x < y": (x > 0) | ((y < -1) & (x < y)),
    "not (x > 0 and not y < 1)": ~((x > 0) & ~(y < 1)),
    "-1 < x <= 1": (x > -1) & (x <= 1),
    "not -1 < x < 1": ~((x > -1) & (x < 1)),
    "x**2 + y**2 < 1": x**2 + y**2 < 1,
    "exp(x) > sin(y) + 1": np.exp(x) > np.sin(y) + 1,
    "x1 > x0": y > x,
}


@pytest.mark.parametrize("text", CASES)
def test_region_says_what_it_says(text):
    region = parse_region(text, 2)
    assert np.array_equal(region.contains(X), CASES[text])
    assert np.array_equal(evaluate([region.term()], X, 1)[:, 0], CASES[text].astype(float))


def test_parameters_are_numbers_of_the_run():
    near, far = (parse_region("x**2 + y**2 < r**2", 2, {"r": r}) for r in (0.5, 2.0))
    assert near.term().kernel is far.term().kernel
    assert np.array_equal(far.contains(X), x**2 + y**2 < 4)
    assert np.array_equal(evaluate([near.term()], X, 1)[:, 0] > 0, x**2 + y**2 < 0.25)


@pytest.mark.parametrize("text", CASES)
def test_a_lost_particle_is_nowhere(text):
    lost = np.full((1, 2), np.nan)
    assert not parse_region(text, 2).contains(lost)[0]
    assert evaluate([parse_region(text, 2).term()], lost, 1)[0, 0] == 0


@pytest.mark.parametrize(
    ("text", "half_space"),
    [
        ("x > 0", HalfSpace(0, 0.0, 1.0)),
        ("x < -2", HalfSpace(0, -2.0, -1.0)),
        ("1/2 <= y", HalfSpace(1, 0.5, 1.0)),
        ("2*h > y", HalfSpace(1, 6.0, -1.0)),
        ("not x > 0", HalfSpace(0, 0.0, -1.0)),
        ("x > y", None),
        ("x**2 > 1", None),
        ("-1 < x < 1", None),
        ("x > 0 or y > 0", None),
    ],
)
def test_half_spaces_are_recognised(text, half_space):
    assert parse_region(text, 2, {"h": 3.0} if "h" in text else None).half_space == half_space


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "made of comparisons"),
        ("x > 0 or 3", "made of comparisons"),
        ("x if x > 0 else y", "made of comparisons"),
        ("sin(x > 0)", "made of comparisons"),
        ("x == 1", "=="),
        ("x != 1", "!="),
        ("x in y", "In"),
        ("(x > 0) + 1 > 0", "comparisons"),
        ("1 > 0", "names no coordinate"),
        ("y > 0", "names y, but the space has 1 coordinate"),
        ("x2 > 0", "names x2, but the space has 1 coordinate"),
        ("x > 'a'", "strings"),
        ("x.real > 0", "attributes"),
        ("x > q", "unknown name 'q'"),
        ("", "empty"),
        ("not " * 500 + "x > 0", "nested"),
    ],
)
def test_what_is_no_region_is_refused(text, message):
    with pytest.raises(FormulaError, match=message):
        parse_region(text, 1)


def test_an_unused_parameter_is_refused():
    with pytest.raises(FormulaError, match="does not use the parameter h"):
        parse_region("x > 0", 1, {"h": 1.0})
