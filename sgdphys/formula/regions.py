"""Regions of the coordinates such as ``x > 0 and y < 1``: targets of first passages, committors and occupations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sgdphys.errors import FormulaError
from sgdphys.formula.fields import parameter_values
from sgdphys.formula.generated import field_kernel
from sgdphys.formula.parser import Parser
from sgdphys.formula.tree import COMPARISONS, Apply, Coordinate, Node, evaluate_tree, uses_coordinates
from sgdphys.kernels import BlockTerm

__all__ = ["HalfSpace", "Region", "parse_region"]

Array = NDArray[np.float64]


class HalfSpace(NamedTuple):
    """The points with ``sign * (x[coordinate] - level) > 0``."""

    coordinate: int
    level: float
    sign: float


@dataclass(frozen=True)
class Region:
    """A parsed region; made by :func:`parse_region`.

    Parameters
    ----------
    text
        What was read.
    tree
        Its syntax tree, without negations.
    dim
        Number of coordinates of the space.
    parameters
        Pairs of name and value.
    """

    text: str
    tree: Node
    dim: int
    parameters: tuple[tuple[str, float], ...] = ()

    @property
    def parameter_array(self) -> Array:
        """Values of the parameters."""
        return np.array([value for _, value in self.parameters])

    def contains(self, x: Array) -> NDArray[np.bool_]:
        """Return which points ``x`` (particle, coordinate) lie inside; a NaN lies nowhere."""
        return np.broadcast_to(evaluate_tree(self.tree, x, self.parameter_array), len(x)).copy()

    def term(self) -> BlockTerm:
        """Return the block term that adds 1 inside and 0 outside, in one row."""
        return BlockTerm(field_kernel("region", self.tree, self.dim), self.parameter_array)

    @property
    def half_space(self) -> HalfSpace | None:
        """The half space if the region compares one coordinate with a number, else None; a Brownian bridge needs it."""
        if not (isinstance(self.tree, Apply) and self.tree.operator in COMPARISONS):
            return None
        left, right = self.tree.arguments
        sign = 1.0 if self.tree.operator.startswith(">") else -1.0
        if isinstance(right, Coordinate):
            left, right, sign = right, left, -sign
        if not isinstance(left, Coordinate) or uses_coordinates(right):
            return None
        return HalfSpace(left.index, float(evaluate_tree(right, np.empty((1, self.dim)), self.parameter_array)), sign)


def parse_region(text: str, dim: int, parameters: Mapping[str, float] | None = None) -> Region:
    """Read a region: comparisons ``< <= > >=`` of formulas, also ``-1 < x < 1``, joined by ``and``, ``or``, ``not``.

    Parameters
    ----------
    text
        The region, for example ``"x > 0"``.
    dim
        Number of coordinates of the space that it lies in.
    parameters
        Values of the parameters by name.

    Returns
    -------
    Region
        The parsed region.

    Raises
    ------
    FormulaError
        The text holds anything else, names no coordinate or one beyond the space, or a parameter does not fit.
    """
    values = parameter_values(parameters or {})
    parser = Parser(text, tuple(values))
    tree = parser.region()
    unused = sorted(set(values) - parser.used)
    if unused:
        raise FormulaError(f"the region does not use the parameter {', '.join(unused)}; leave it out")
    if not parser.coordinates:
        raise FormulaError(f"the region names no coordinate (x, y, z or x0, x1, ...): {text.strip()[:60]!r}")
    missing = [name for name, index in parser.coordinates.items() if index >= dim]
    if missing:
        raise FormulaError(f"the region names {missing[0]}, but the space has {dim} coordinate{'s' if dim > 1 else ''}")
    return Region(text, tree, dim, tuple(values.items()))
