"""Real-valued formulas of the coordinates: potentials of landscapes, diffusions of noises."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys import schema
from sgdphys.errors import FormulaError
from sgdphys.formula.generated import field_kernel
from sgdphys.formula.parser import Parser
from sgdphys.formula.tree import Node, evaluate_tree
from sgdphys.kernels import BlockTerm

__all__ = ["Formula", "parameter_values", "parse_formula"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Formula:
    """A parsed formula with the values of its parameters; made by :func:`parse_formula`.

    Parameters
    ----------
    text
        What was read.
    tree
        Its syntax tree; parameters are numbered in the order of ``parameters``.
    coordinate_names
        Names of the coordinates, one for each dimension.
    parameters
        Pairs of name and value.
    """

    text: str
    tree: Node
    coordinate_names: tuple[str, ...]
    parameters: tuple[tuple[str, float], ...] = ()

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.coordinate_names)

    @property
    def parameter_array(self) -> Array:
        """Values of the parameters."""
        return np.array([value for _, value in self.parameters])

    def values(self, x: Array) -> Array:
        """Return the values at ``x`` (particle, coordinate), shape (particle,), by NumPy and without compiling."""
        return np.broadcast_to(evaluate_tree(self.tree, x, self.parameter_array), len(x)).copy()

    def term(self, field: str) -> BlockTerm:
        """Return the block term of the ``"potential"``, the ``"gradient"`` or the ``"hessian"`` (row-major)."""
        return BlockTerm(field_kernel(field, self.tree, self.dim), self.parameter_array)


def parse_formula(text: str, parameters: Mapping[str, float] | None = None) -> Formula:
    """Read a formula of the coordinates x, y, z or x0, x1, ...; nothing of it is ever evaluated as Python.

    It may hold numbers, ``+ - * / **``, parentheses, the functions abs cos cosh exp log sin sinh sqrt tan tanh, the
    constants pi and e, coordinates and the given parameters. The dimension is that of the highest coordinate.

    Parameters
    ----------
    text
        The formula.
    parameters
        Values of the parameters by name.

    Returns
    -------
    Formula
        The parsed formula.

    Raises
    ------
    FormulaError
        The text holds anything else, is too large or too deep, names no coordinate, or does not use a parameter; or a
        parameter is not a finite number or has a taken name.
    """
    values = parameter_values(parameters or {})
    parser = Parser(text, tuple(values))
    tree = parser.formula()
    unused = sorted(set(values) - parser.used)
    if unused:
        raise FormulaError(f"the formula does not use the parameter {', '.join(unused)}; leave it out")
    if not parser.coordinates:
        raise FormulaError(f"the formula names no coordinate (x, y, z or x0, x1, ...): {text.strip()[:60]!r}")
    dim = 1 + max(parser.coordinates.values())
    numbered = not {"x", "y", "z"} & set(parser.coordinates)
    names = [f"x{i}" for i in range(dim)] if numbered else schema.coordinate_names(dim)
    return Formula(text, tree, tuple(names), tuple(values.items()))


def parameter_values(parameters: Mapping[str, Any]) -> dict[str, float]:
    """Check the values of parameters.

    Returns
    -------
    dict[str, float]
        The parameters as floats.

    Raises
    ------
    FormulaError
        A value is not a finite real number.
    """
    values = {}
    for name, value in parameters.items():
        is_real = not isinstance(value, bool) and isinstance(value, Real)
        try:
            number = float(value) if is_real else math.nan
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            shown = number if is_real else repr(value)[:40]
            raise FormulaError(f"parameter {name} must be a finite real number, got {shown}")
        values[name] = number
    return values
