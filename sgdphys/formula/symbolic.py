"""From syntax trees to SymPy and its derivatives; imported only while kernel source is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy

from sgdphys.formula.tree import FUNCTIONS, Apply, Coordinate, Node, Number, Parameter

__all__ = [
    "Absolute", "Power", "Sign", "coordinate_symbol", "divergence", "gradient", "hessian", "parameter_symbol",
    "to_sympy",
]  # fmt: skip

Expression = Any


class Sign(sympy.Function):  # type: ignore[misc]
    """Sign of a real number, 0 at 0; its derivative is taken as 0 everywhere."""

    nargs = 1

    @classmethod
    def eval(cls, argument: Expression) -> Expression:
        """Return the value of a number."""
        return sympy.sign(argument) if argument.is_Number else None

    def fdiff(self, _argument: int = 1) -> Expression:
        """Return the derivative."""
        return sympy.Integer(0)


class Absolute(sympy.Function):  # type: ignore[misc]
    """Magnitude of a real number; its derivative is the sign."""

    nargs = 1

    @classmethod
    def eval(cls, argument: Expression) -> Expression:
        """Return the value of a number."""
        if isinstance(argument, Absolute):
            return argument
        return abs(argument) if argument.is_Number else None

    def fdiff(self, _argument: int = 1) -> Expression:
        """Return the derivative."""
        return Sign(self.args[0])


class Power(sympy.Function):  # type: ignore[misc]
    """Real power ``base**exponent`` whose exponent is no fixed number.

    Kept apart from SymPy's own, which writes its derivative as h x^h / x, undefined at x = 0.
    """

    nargs = 2

    @classmethod
    def eval(cls, base: Expression, exponent: Expression) -> Expression:
        """Return an ordinary power when the exponent has become a number."""
        return base**exponent if exponent.is_Number else None

    def fdiff(self, argindex: int = 1) -> Expression:
        """Return the derivative by the base (1) or by the exponent (2)."""
        base, exponent = self.args
        return exponent * Power(base, exponent - 1) if argindex == 1 else self * sympy.log(base)


def coordinate_symbol(index: int) -> Expression:
    """Return the symbol of a coordinate; without assumptions, so that sqrt(x^2) and the like stay as written."""
    return sympy.Symbol(f"c{index}")


def parameter_symbol(index: int) -> Expression:
    """Return the symbol of a parameter."""
    return sympy.Symbol(f"p{index}")


def _power(base: Expression, exponent: Expression) -> Expression:
    plain = exponent.is_Number or (base.is_Number and base > 0)
    return base**exponent if plain else Power(base, exponent)


_OPERATORS: dict[str, Callable[..., Expression]] = {
    "neg": lambda argument: -argument,
    "+": sympy.Add,
    "*": sympy.Mul,
    "/": lambda numerator, denominator: numerator / denominator,
    "**": _power,
    "abs": Absolute,
} | {name: getattr(sympy, name) for name in FUNCTIONS if name != "abs"}


def to_sympy(node: Node) -> Expression:
    """Return the SymPy expression of an arithmetic tree."""
    if isinstance(node, Number):
        return _exact(node.value)
    if isinstance(node, Coordinate):
        return coordinate_symbol(node.index)
    if isinstance(node, Parameter):
        return parameter_symbol(node.index)
    assert isinstance(node, Apply)
    return _OPERATORS[node.operator](*(to_sympy(argument) for argument in node.arguments))


def _exact(value: float) -> Expression:
    numerator, denominator = value.as_integer_ratio()
    if abs(numerator) < 2**31 and denominator < 2**10:
        return sympy.Rational(numerator, denominator)
    return sympy.Float(value, 17)


def gradient(tree: Node, dim: int) -> list[Expression]:
    """Return the first derivatives by ``dim`` coordinates."""
    field = to_sympy(tree)
    return [sympy.diff(field, coordinate_symbol(i)) for i in range(dim)]


def hessian(tree: Node, dim: int) -> list[Expression]:
    """Return the second derivatives, row-major, each pair of coordinates differentiated once."""
    first = gradient(tree, dim)
    upper = {(i, j): sympy.diff(first[i], coordinate_symbol(j)) for i in range(dim) for j in range(i, dim)}
    return [upper[min(i, j), max(i, j)] for i in range(dim) for j in range(dim)]


def divergence(entries: list[Expression], kind: str, dim: int) -> list[Expression]:
    """Return the divergence of a matrix: entry i is the sum of d_j D_ij over j.

    Parameters
    ----------
    entries
        One entry for D = d 1 (kind ``"scalar"``), the diagonal (``"diagonal"``), or all row by row (``"full"``).
    kind
        Which of them.
    dim
        Number of coordinates.

    Returns
    -------
    list
        ``dim`` expressions.
    """
    symbols = [coordinate_symbol(i) for i in range(dim)]
    if kind == "scalar":
        return [sympy.diff(entries[0], symbol) for symbol in symbols]
    if kind == "diagonal":
        return [sympy.diff(entry, symbol) for entry, symbol in zip(entries, symbols, strict=True)]
    rows = [entries[i * dim : (i + 1) * dim] for i in range(dim)]
    return [sympy.Add(*(sympy.diff(entry, symbols[j]) for j, entry in enumerate(row))) for row in rows]
