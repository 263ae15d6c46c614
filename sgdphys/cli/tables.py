"""Tidy tables: aligned columns, values with their standard errors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["print_table", "with_error"]

_LARGE = 1e6  # from here on in powers of ten


def with_error(value: float, error: float | None = None) -> str:
    """Write a value with its standard error, in the last two digits, in parentheses.

    Parameters
    ----------
    value
        The value.
    error
        Its standard error; None or NaN where there is none.

    Returns
    -------
    str
        ``"0.8703(12)"`` for .8703 with an error of .0012; ``"-"`` for NaN.
    """
    if not math.isfinite(value):
        return "-"
    if error is None or not math.isfinite(error) or error <= 0:
        return f"{value:.5g}"
    if abs(value) >= _LARGE or 10 * error >= _LARGE:
        decade = 10.0 ** math.floor(math.log10(max(abs(value), error)))
        return f"{with_error(value / decade, error / decade)}e{math.log10(decade):+03.0f}"
    places = 1 - math.floor(math.log10(float(f"{error:.1e}")))
    if places <= 0:
        return f"{value:.0f}({error:.0f})"
    return f"{value:.{places}f}({round(error * 10**places)})"


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns, aligned to the right, under their names."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        print("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)).rstrip())
