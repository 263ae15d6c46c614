"""Formulas and regions as text: a safe parser, symbolic derivatives, and block kernels written from them."""

from sgdphys.errors import FormulaError
from sgdphys.formula.fields import Formula, parse_formula
from sgdphys.formula.matrices import FormulaMatrix, parse_matrix
from sgdphys.formula.regions import HalfSpace, Region, parse_region

__all__ = [
    "Formula", "FormulaError", "FormulaMatrix", "HalfSpace", "Region", "parse_formula", "parse_matrix", "parse_region",
]  # fmt: skip
