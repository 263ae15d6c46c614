"""The text of generated modules: everything a kernel names, in order, and nothing stale."""

import math
import types

import numpy as np
import pytest

from sgdphys.kernels import normals, vector_math
from sgdphys.kernels.source import FAST_MATH, fast_math_flags, helpers_text, source_text

SCALE = np.float32(1.5)
LIMIT = math.inf
COUNT = 3


def inner(x):
    """Uses a number."""
    return SCALE * x


def middle(x):
    """Uses a function."""
    return inner(x) + COUNT


def step_of(x):
    """Stands for what is bound."""
    return x


def outer(x, out):
    """Uses both, and a bound name."""
    for lane in range(len(x)):
        out[lane] = step_of(middle(x[lane])) if x[lane] < LIMIT else 0.0


def test_dependencies_come_first_and_numbers_as_literals():
    text = source_text(outer, {"step_of": inner})
    order = [text.index(part) for part in ("SCALE = np.float32(1.5)", "def inner", "def middle", "def outer")]
    assert order == sorted(order)
    assert "LIMIT = np.inf" in text
    assert "COUNT = 3" in text
    assert "step_of = inner" in text
    assert text.count("def inner") == 1


def test_helpers_carry_flags_and_the_function_does_not():
    text = source_text(outer, {"step_of": inner})
    assert f"@helper({', '.join(map(repr, sorted(FAST_MATH)))})\ndef inner" in text
    assert "\n\ndef outer" in text


def test_flags_keep_infinity_and_nan():
    flags = {*FAST_MATH, *fast_math_flags(vector_math.exp), *fast_math_flags(normals.fill_normals)}
    assert not {"nnan", "ninf", "fast"} & flags
    assert "reassoc" not in fast_math_flags(vector_math.sin)


def test_helpers_text_holds_each_function_once():
    text = helpers_text([vector_math.sin, vector_math.cos])
    assert text.count("def _reduced(") == 1


def test_a_changed_binding_changes_the_text():
    assert source_text(outer, {"step_of": inner}) != source_text(outer, {"step_of": middle})


def test_one_name_with_two_numbers_is_refused():
    # in one module the last COUNT would silently stand for both
    calling = types.FunctionType(twice.__code__, {"inner": inner, "SCALE": np.float32(2.5)}, "twice")
    with pytest.raises(ValueError, match=r"'SCALE' means .*2\.5.* here and .*1\.5.* elsewhere in one kernel"):
        source_text(calling)


def twice(x):
    """Uses a helper, then a number."""
    return inner(x) * SCALE
