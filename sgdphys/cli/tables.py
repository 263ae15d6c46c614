"""Tidy tables: aligned columns, values with their standard errors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

__all__ = ["pooled", "print_table", "with_error"]

_LARGE, _SMALL = 1e6, 1e-3  # beyond which numbers stand in powers of ten
_ROUNDING = 1e-9  # relative errors below are none


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
    if error is None or not math.isfinite(error) or error <= _ROUNDING * abs(value):
        return f"{value:.5g}"
    if max(abs(value), 10 * error) >= _LARGE or max(abs(value), error) < _SMALL:
        decade = 10.0 ** math.floor(math.log10(max(abs(value), error)))
        return f"{with_error(value / decade, error / decade)}e{math.log10(decade):+03.0f}"
    places = 1 - math.floor(math.log10(float(f"{error:.1e}")))
    if places <= 0:
        return f"{value:.0f}({error:.0f})"
    return f"{value:.{places}f}({round(error * 10**places)})"


def pooled(point: xr.Dataset, name: str) -> str:
    """Write the mean of a variable over what is left of its axes, the seeds, with its standard error."""
    errors = point[f"{name}_standard_error"].values
    return with_error(float(point[name].mean()), float((errors**2).sum() ** 0.5 / errors.size))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns, aligned to the right, under their names; a name may take several lines."""
    lines = [name.split("\n") for name in header]
    height = max(map(len, lines))
    heads = list(zip(*([""] * (height - len(name)) + name for name in lines), strict=True))
    widths = [max(map(len, column)) for column in zip(*heads, *rows, strict=True)]
    for row in (*heads, *rows):
        print("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)).rstrip())
