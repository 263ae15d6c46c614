import math
from dataclasses import replace

import numpy as np
import pytest

from sgdphys.network.validity.judgements import (
    AGREES,
    DISAGREES,
    INAPPLICABLE,
    UNRESOLVED,
    Row,
    errors_of,
    judge,
    rows_dataset,
)


@pytest.mark.parametrize(
    ("value", "error", "judgement"),
    [
        (1.05, 0.02, AGREES),  # .05 + 2 * .02 < .1
        (1.05, 0.03, UNRESOLVED),
        (1.15, 0.03, UNRESOLVED),
        (1.15, 0.02, DISAGREES),  # .15 - 2 * .02 > .1
        (0.85, 0.02, DISAGREES),
        (1.1, math.nan, AGREES),
        (1.11, math.nan, DISAGREES),
        (math.nan, 0.1, UNRESOLVED),
    ],
)
def test_the_whole_interval_has_to_lie_within_or_outside(value, error, judgement):
    assert judge(value, error, 1.0, 0.1 + 1e-12) == judgement


def test_bounds_on_one_side():
    assert judge(0.5, 0.2, 1.0, relation="<") == AGREES
    assert judge(0.7, 0.2, 1.0, relation="<") == UNRESOLVED
    assert judge(1.5, 0.2, 1.0, relation="<") == DISAGREES
    assert judge(100, math.nan, 90.0, relation=">") == AGREES
    assert judge(80, math.nan, 90.0, relation=">") == DISAGREES


def test_rows_without_expectation_or_with_a_reason_do_not_apply():
    assert Row("a", "a", 1.0).judgement == INAPPLICABLE
    assert Row("a", "a", 1.0, expected=1.0, reason="epoch shuffling").judgement == INAPPLICABLE
    assert Row("a", "a", 9.0, expected=1.0, settled=UNRESOLVED).judgement == UNRESOLVED


def test_rows_become_variables():
    dataset = rows_dataset([Row("a", "first", 1.0, 0.1, 1.0, 0.5), Row("b", "second", 2.0)])
    assert dataset["row"].values.tolist() == ["a", "b"]
    assert dataset["judgement"].values.tolist() == [AGREES, INAPPLICABLE]
    np.testing.assert_array_equal(dataset["row_value"], [1.0, 2.0])
    assert dataset["row_value"].attrs["long_name"]


def test_few_replicas_need_more_standard_errors():
    """Student's quantile q for two degrees of freedom is (2q - 1) / sqrt(2 q (1 - q))."""
    quantile = 0.9772498680518208
    assert errors_of(3) == pytest.approx((2 * quantile - 1) / (2 * quantile * (1 - quantile)) ** 0.5, rel=1e-9)
    assert errors_of(10**7) == pytest.approx(2.0, abs=1e-5)
    row = Row("variance", "", 1.5, 0.15, 1.0, 0.1)
    assert row.judgement == "disagrees"
    assert replace(row, errors=errors_of(3)).judgement == "not resolved"
