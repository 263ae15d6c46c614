"""Landscapes written as text, and classes of landscapes that are given by a formula."""

from __future__ import annotations

import dataclasses
import functools
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.formula import Formula, parse_formula
from sgdphys.kernels import BlockTerm, evaluate
from sgdphys.landscapes.base import BlockLandscape, as_points

__all__ = ["Expression", "FormulaLandscape"]

Array = NDArray[np.float64]


@dataclass(frozen=True, init=False, repr=False)
class Expression(BlockLandscape):
    """The landscape of a formula, with symbolic gradient and Hessian.

    The text is parsed by :func:`sgdphys.formula.parse_formula`, never evaluated as Python. Parameters are numbers of
    the run, so that another value compiles nothing new.

    Parameters
    ----------
    formula
        f in loss, of the coordinates x, y, z or x0, x1, ...; the highest coordinate gives the dimension.
    **parameters
        Values of the names in the formula.

    Raises
    ------
    FormulaError
        The formula holds something that is not allowed, or the parameters do not fit.

    Examples
    --------
    >>> Expression("x**4/4 - x**2/2 + h*x", h=0.1).dim
    1
    """

    parsed: Formula

    def __init__(self, formula: str, /, **parameters: float) -> None:
        object.__setattr__(self, "parsed", parse_formula(formula, parameters))

    def __repr__(self) -> str:
        given = "".join(f", {name}={value:g}" for name, value in self.parsed.parameters)
        return f"Expression({self.parsed.text!r}{given})"

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.parsed.dim

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """Names of the coordinates, as the formula writes them."""
        return self.parsed.coordinate_names

    def potential_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the formula."""
        return (self.parsed.term("potential"),)

    def gradient_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of its gradient."""
        return (self.parsed.term("gradient"),)

    def hessian(self, x: Array) -> Array:
        """Return the second derivatives at ``x`` (particle, coordinate), shape (particle, coordinate, coordinate)."""
        points = as_points(x, self.dim)
        return evaluate([self.parsed.term("hessian")], points, self.dim**2).reshape(len(points), self.dim, self.dim)

    def configuration(self) -> dict[str, Any]:
        """Return the class name, the formula and the parameters."""
        return {"landscape": "Expression", "formula": self.parsed.text, "parameters": dict(self.parsed.parameters)}


class FormulaLandscape(BlockLandscape):
    """A class of landscapes that is given by a formula; a frozen dataclass of its own adds the arguments.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Bowl(FormulaLandscape):
    ...     stiffness: float = 1.0
    ...
    ...     def expression(self) -> Expression:
    ...         return Expression("k*(x**2 + y**2)/2", k=self.stiffness)
    >>> Bowl(stiffness=3.0).hessian([[0.0, 0.0]])[0].tolist()
    [[3.0, 0.0], [0.0, 3.0]]
    """

    @abstractmethod
    def expression(self) -> Expression:
        """Return the formula with the numbers of its names; it is asked once."""

    @functools.cached_property
    def _expression(self) -> Expression:
        return self.expression()

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self._expression.dim

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """Names of the coordinates, as the formula writes them."""
        return self._expression.coordinate_names

    def potential_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the formula."""
        return self._expression.potential_terms()

    def gradient_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of its gradient."""
        return self._expression.gradient_terms()

    def hessian(self, x: Array) -> Array:
        """Return the second derivatives at ``x`` (particle, coordinate), shape (particle, coordinate, coordinate)."""
        return self._expression.hessian(x)

    def configuration(self) -> dict[str, Any]:
        """Return the class name and the fields of the dataclass, which must be numbers, texts or lists of them."""
        arguments: dict[str, Any] = dataclasses.asdict(self) if dataclasses.is_dataclass(self) else {}
        return {"landscape": type(self).__name__, **arguments}
