"""Syntax trees of formulas and regions: the few kinds of node, their values on arrays, and the folding of constants."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.errors import FormulaError

__all__ = [
    "COMPARISONS", "CONSTANTS", "FUNCTIONS", "Apply", "Coordinate", "Node", "Number", "Parameter", "apply",
    "evaluate_tree", "nodes", "uses_coordinates",
]  # fmt: skip

FUNCTIONS = ("abs", "cos", "cosh", "exp", "log", "sin", "sinh", "sqrt", "tan", "tanh")
CONSTANTS = {"pi": math.pi, "e": math.e}
COMPARISONS = ("<", "<=", ">", ">=")


@dataclass(frozen=True)
class Number:
    """A finite real number."""

    value: float


@dataclass(frozen=True)
class Coordinate:
    """Coordinate number ``index`` of the point."""

    index: int


@dataclass(frozen=True)
class Parameter:
    """Number ``index`` of the parameters, known when the kernel runs."""

    index: int


@dataclass(frozen=True)
class Apply:
    """An operator, function, comparison or logical word and its arguments; ``+``, ``and`` and ``or`` take many."""

    operator: str
    arguments: tuple[Node, ...]


Node = Number | Coordinate | Parameter | Apply

_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "neg": operator.neg,
    "+": lambda *terms: functools.reduce(operator.add, terms),
    "*": operator.mul,
    "/": operator.truediv,
}
_ON_NUMBERS = _ARITHMETIC | {"**": math.pow} | {name: getattr(math, name, abs) for name in FUNCTIONS}
_ON_ARRAYS = _ARITHMETIC | {name: getattr(np, name) for name in FUNCTIONS}
_ON_ARRAYS |= {"**": np.power, "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
_ON_ARRAYS |= {
    "and": lambda *parts: functools.reduce(np.logical_and, parts),
    "or": lambda *parts: functools.reduce(np.logical_or, parts),
}


def apply(name: str, *arguments: Node) -> Node:
    """Apply an arithmetic operator or function; numbers are folded at once.

    Returns
    -------
    Node
        A number if all arguments are numbers, else the applied operator.

    Raises
    ------
    FormulaError
        The value of a constant part is not a finite real number.
    """
    numbers = [argument.value for argument in arguments if isinstance(argument, Number)]
    if name == "/" and arguments[1] == Number(0.0):
        raise FormulaError("the formula divides by zero")
    if len(numbers) < len(arguments):
        return Apply(name, arguments)
    try:
        value = float(_ON_NUMBERS[name](*numbers))
    except (ArithmeticError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise FormulaError(f"a constant part of the formula is not a finite real number: {_spelled(name, numbers)}")
    return Number(value)


def _spelled(name: str, numbers: list[float]) -> str:
    if name in FUNCTIONS:
        return f"{name}({numbers[0]:g})"
    return f" {name} ".join(f"{number:g}" for number in numbers[:4])


def evaluate_tree(node: Node, x: NDArray[np.float64], parameters: NDArray[np.float64]) -> Any:
    """Return the value at points ``x`` (particle, coordinate): an array (particle,), or a number."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Coordinate):
        return x[:, node.index]
    if isinstance(node, Parameter):
        return parameters[node.index]
    values = [evaluate_tree(argument, x, parameters) for argument in node.arguments]
    with np.errstate(all="ignore"):
        return _ON_ARRAYS[node.operator](*values)


def nodes(node: Node) -> Iterator[Node]:
    """Yield the tree's nodes."""
    yield node
    if isinstance(node, Apply):
        for argument in node.arguments:
            yield from nodes(argument)


def uses_coordinates(node: Node) -> bool:
    """Return whether the value depends on the point."""
    return any(isinstance(part, Coordinate) for part in nodes(node))
