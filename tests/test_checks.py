"""Whole and finite numbers at the doors."""

from fractions import Fraction

import numpy as np
import pytest

from sgdphys.checks import finite_number, number_array, whole_number


@pytest.mark.parametrize("value", [3, 3.0, np.int32(3), np.float64(3.0), np.uint8(3)])
def test_whole_numbers_of_any_kind(value):
    assert whole_number("n", value) == 3
    assert type(whole_number("n", value)) is int


@pytest.mark.parametrize("value", [0, -1, 2.5, float("nan"), float("inf"), True, "3", None, [3], np.array([3]), 1j])
def test_anything_else_is_refused(value):
    with pytest.raises(ValueError, match="n must be a positive integer, got"):
        whole_number("n", value)


def test_zero_where_it_is_allowed():
    assert whole_number("n", 0, least=0) == 0
    with pytest.raises(ValueError, match="n must be an integer, not negative, got -1"):
        whole_number("n", -1, least=0)


@pytest.mark.parametrize("value", [2, 2.0, np.int32(2), np.float32(2.0), np.array(2.0), Fraction(2)])
def test_finite_numbers_of_any_kind(value):
    assert finite_number("c", value, sign="positive") == 2.0
    assert type(finite_number("c", value)) is float


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), True, np.True_, "3", None, [], [3.0], np.ones(1), 1j, 10**400]
)
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(ValueError, match="c must be finite, got"):
        finite_number("c", value)


def test_signs_of_finite_numbers():
    assert finite_number("c", -1.5) == -1.5
    assert finite_number("c", 0.0, sign="not negative") == 0.0
    with pytest.raises(ValueError, match="c must be positive and finite, got 0"):
        finite_number("c", 0.0, sign="positive")
    with pytest.raises(ValueError, match="c must be finite and not negative, got -1"):
        finite_number("c", -1, sign="not negative")


@pytest.mark.parametrize("values", ["a", [[1], [1, 2]], [1j], np.ones(2) * 1j, object(), [None, "b"]])
def test_what_is_no_array_of_numbers_is_refused_in_one_line(values):
    with pytest.raises(ValueError, match=r"c must be real numbers, in rows of equal length, got .") as caught:
        number_array("c", values)
    assert "\n" not in str(caught.value)


def test_an_array_of_numbers_is_a_copy():
    given = np.ones(2)
    copy = number_array("c", given)
    copy[0] = 2.0
    assert given[0] == 1.0
    assert number_array("c", [1, True]).dtype == np.float64
