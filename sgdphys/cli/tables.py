"""Tidy tables: aligned columns, values with their standard errors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["print_table", "with_error"]


def with_error(value: float, error: float | None = None) -> str:
    """Write a value with its standard error.

    Parameters
    ----------
    value
        The value.
    error
        Its standard error; None or NaN where there is none.

    Returns
    -------
    str
        ``"0.8703 ± 0.0012"``: the error with two digits and the value as far; ``"-"`` for NaN.
    """
    if not math.isfinite(value):
        return "-"
    if error is None or not math.isfinite(error) or error <= 0:
        return f"{value:.5g}"
    places = max(0, 1 - math.floor(math.log10(error)))
    if places > 7:
        return f"{value:.4g} ± {error:.1g}"
    return f"{value:.{places}f} ± {error:.{places}f}"


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns, aligned to the right, under their names."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        print("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)).rstrip())
