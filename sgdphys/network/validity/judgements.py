"""Rows of a verdict: what was measured, what Langevin theory expects, and whether the two agree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr
from scipy.special import ndtr, stdtrit

from sgdphys import schema

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["AGREES", "DISAGREES", "ERRORS", "INAPPLICABLE", "UNRESOLVED", "Row", "errors_of", "judge", "rows_dataset"]

AGREES, DISAGREES, UNRESOLVED, INAPPLICABLE = "agrees", "disagrees", "not resolved", "does not apply"
ERRORS = 2.0  # standard errors on either side of a value that a judgement takes into account, if these are known well
ROW = "row"

Relation = Literal["=", "<", ">"]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Parameters
    ----------
    key
        Name by which programs find it.
    label
        What it is, in words and symbols.
    value, error
        Measured, with standard error (NaN for what has none).
    expected
        By Langevin theory; NaN where it says nothing.
    tolerance
        Difference from ``expected`` that still agrees.
    relation
        How the value should stand to ``expected``.
    question
        What it helps to answer: "setting", "stationary", "Langevin" or "thermal".
    unit
        Of the value.
    reason
        Why the row does not apply, or nothing.
    settled
        A judgement that does not follow from the numbers of the row, or nothing.
    errors
        Standard errors on either side that a judgement takes into account.
    """

    key: str
    label: str
    value: float
    error: float = math.nan
    expected: float = math.nan
    tolerance: float = 0.0
    relation: Relation = "="
    question: str = "Langevin"
    unit: str = "1"
    reason: str = ""
    settled: str = ""
    errors: float = ERRORS

    @property
    def judgement(self) -> str:
        """One of the four judgements."""
        if self.reason or math.isnan(self.expected):
            return INAPPLICABLE
        return self.settled or judge(self.value, self.error, self.expected, self.tolerance, self.relation, self.errors)


def errors_of(n_replicas: int) -> float:
    """Return the standard errors that leave out as much as 2 do, 4.6 %, where they come from few replicas (Student)."""
    return float(stdtrit(n_replicas - 1, ndtr(ERRORS)))


def judge(
    value: float,
    error: float,
    expected: float,
    tolerance: float = 0.0,
    relation: Relation = "=",
    errors: float = ERRORS,
) -> str:
    """Return whether a value stands to the expected one as it should, given its error.

    ``"agrees"`` if all of value +- 2 standard errors (``errors``) lies within the tolerance (below, above) the expected
    value, ``"disagrees"`` if none of it does, ``"not resolved"`` otherwise, and where the value is NaN.

    Parameters
    ----------
    value, error
        Estimate and standard error; an error of NaN counts as none.
    expected, tolerance
        In the same unit.
    relation
        ``"="``, ``"<"`` or ``">"``.
    errors
        Number of standard errors.

    Returns
    -------
    str
        The judgement.
    """
    if math.isnan(value):
        return UNRESOLVED
    excess = {"=": abs(value - expected), "<": value - expected, ">": expected - value}[relation] - tolerance
    spread = 0.0 if math.isnan(error) else errors * error
    if excess + spread <= 0:
        return AGREES
    return DISAGREES if excess - spread > 0 else UNRESOLVED


def rows_dataset(rows: Sequence[Row]) -> xr.Dataset:
    """Return rows as variables over ``row``: numbers by name of the schema, and texts."""
    numbers = {
        "row_value": [row.value for row in rows],
        "row_value_standard_error": [row.error for row in rows],
        "row_expected": [row.expected for row in rows],
        "row_tolerance": [row.tolerance for row in rows],
    }
    texts = {
        "row_label": [row.label for row in rows],
        "row_relation": [row.relation for row in rows],
        "row_question": [row.question for row in rows],
        "row_unit": [row.unit for row in rows],
        "judgement": [row.judgement for row in rows],
        "row_reason": [row.reason for row in rows],
    }
    described = {name: (ROW, np.array(values), schema.describe(name)) for name, values in numbers.items()}
    plain = {name: (ROW, np.array(values, dtype=str), schema.describe(name)) for name, values in texts.items()}
    return xr.Dataset({**described, **plain}, {ROW: np.array([row.key for row in rows], dtype=str)})
