"""Whole numbers at the doors."""

import numpy as np
import pytest

from sgdphys.checks import whole_number


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
