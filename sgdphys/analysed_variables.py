"""The part of the schema that grids and analyses bring: name, dimensions, unit, meaning, type where it is no float."""

from __future__ import annotations

__all__ = ["ANALYSED"]

TIME, COORDINATE, COORDINATE_2 = "time", "coordinate", "coordinate_2"
_Line = tuple[str, tuple[str, ...], str, str] | tuple[str, tuple[str, ...], str, str, str]

_GRIDS: tuple[_Line, ...] = (  # of the Fokker-Planck equation; grid dimensions stand before the coordinate
    ("current", (TIME, COORDINATE), "loss/x^(dim+1)", "probability current at cell centres; grid axes follow time"),
    ("absorbed", (TIME,), "1", "probability that has left through absorbing walls or into a target"),
)
_ESTIMATES: tuple[_Line, ...] = (  # with a standard error each
    ("total_variation", (TIME,), "1", "total-variation distance from the reference density"),
)
_NUMBERS: tuple[_Line, ...] = (  # without one
    ("expected_total_variation", (TIME,), "1", "mean distance of as many independent draws from the reference"),
    ("total_variation_z", (TIME,), "1", "excess of the distance over that of draws, in standard errors"),
    ("chi_square", (TIME,), "1", "Pearson's statistic of the counts in cells"),
    ("chi_square_z", (TIME,), "1", "excess of Pearson's statistic over its mean, in standard deviations"),
    ("degrees_of_freedom", (TIME,), "1", "number of cells of Pearson's statistic, less one", "int64"),
)
_ERRORS: tuple[_Line, ...] = tuple(
    (f"{line[0]}_standard_error", line[1], line[2], f"standard error of {line[0]}") for line in _ESTIMATES
)
ANALYSED: tuple[_Line, ...] = _GRIDS + _ESTIMATES + _NUMBERS + _ERRORS
