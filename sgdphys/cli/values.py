"""From the text of a flag to its value."""

from __future__ import annotations

import argparse
import math
from typing import Any

__all__ = [
    "Once", "coordinates", "formulas", "integer", "integers", "matrix", "number", "numbers", "parameter", "window",
]  # fmt: skip


class Once(argparse.Action):
    """The action of a flag with one value that may not be given twice: the second would silently replace the first."""

    def __call__(self, _parser: Any, namespace: argparse.Namespace, values: Any, _flag: Any = None) -> None:
        """Keep the value; raise ``argparse.ArgumentError`` where there is one."""
        if getattr(namespace, self.dest) is not None:
            raise argparse.ArgumentError(self, "given twice; entries for several coordinates go into one: 1,0.3")
        setattr(namespace, self.dest, values)


def number(text: str) -> float:
    """Return the number that a text stands for.

    Parameters
    ----------
    text
        ``"0.1"`` say; ``nan`` and ``inf`` are numbers here and are refused by the functions that get them.

    Returns
    -------
    float
        Its value.

    Raises
    ------
    argparse.ArgumentTypeError
        It is no number.
    """
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text.strip()!r} is not a number") from None


def integer(text: str) -> int:
    """Return the whole number that a text stands for; ``1e6`` is one.

    Parameters
    ----------
    text
        ``"100000"`` or ``"1e5"``, say.

    Returns
    -------
    int
        Its value.

    Raises
    ------
    argparse.ArgumentTypeError
        It is no whole number.
    """
    try:
        return int(text)
    except ValueError:
        value = number(text)
    if not math.isfinite(value) or value != int(value):
        raise argparse.ArgumentTypeError(f"{text.strip()!r} is not a whole number")
    return int(value)


def numbers(text: str) -> list[float]:
    """Return the numbers of ``start:stop:count`` (both ends included) or of a comma list.

    Parameters
    ----------
    text
        ``"0.05:0.4:8"`` or ``"0.1,0.2"``.

    Returns
    -------
    list
        The numbers; those of a range are rounded to 12 digits, so that 0.15 is 0.15.

    Raises
    ------
    argparse.ArgumentTypeError
        It is neither.
    """
    if ":" not in text:
        return [number(part) for part in text.split(",")]
    parts = text.split(":")
    if len(parts) != 3:
        raise argparse.ArgumentTypeError(f"{text.strip()!r} is neither start:stop:count nor a comma list")
    start, stop, count = number(parts[0]), number(parts[1]), integer(parts[2])
    if count < 1 or (count == 1 and start != stop):
        raise argparse.ArgumentTypeError(f"{text.strip()!r} must have a count of at least 2")
    steps = max(count - 1, 1)
    return [float(f"{start + (stop - start) * step / steps:.12g}") for step in range(count)]


def integers(text: str) -> list[int]:
    """Return the whole numbers of a comma list or of ``start:stop:count``.

    Parameters
    ----------
    text
        ``"8,32,128"`` or ``"0:9:10"``.

    Returns
    -------
    list
        The numbers.

    Raises
    ------
    argparse.ArgumentTypeError
        One of them is not whole.
    """
    values = numbers(text)
    if any(not math.isfinite(value) or value != int(value) for value in values):
        raise argparse.ArgumentTypeError(f"{text.strip()!r} must hold whole numbers")
    return [int(value) for value in values]


def coordinates(text: str) -> list[float]:
    """Return a point from its comma list of coordinates."""
    return [number(part) for part in text.split(",")]


def parameter(text: str) -> tuple[str, float]:
    """Return name and value of ``name=value``.

    Parameters
    ----------
    text
        ``"h=0.1"``, say.

    Returns
    -------
    tuple
        Name and value.

    Raises
    ------
    argparse.ArgumentTypeError
        There is no ``=``, or what follows is no number.
    """
    name, equals, value = text.strip().partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text.strip()!r} is not name=value")
    return name, number(value)


def formulas(text: str) -> list[str]:
    """Return the formulas of a comma list; commas inside parentheses belong to a formula.

    Parameters
    ----------
    text
        ``"-y,x"``, say.

    Returns
    -------
    list
        The formulas.
    """
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def matrix(text: str) -> Any:
    """Return the diffusion that a text stands for: one formula, those of the diagonal, or the rows of a tensor.

    Parameters
    ----------
    text
        ``"1 + x**2"``, ``"1,0.3"`` or ``"1,0.2;0.2,1"``.

    Returns
    -------
    str or list
        The formula, a list of them, or a list of lists.
    """
    rows = [formulas(row) for row in text.split(";")]
    if len(rows) > 1:
        return rows
    return rows[0] if len(rows[0]) > 1 else rows[0][0]


def window(text: str) -> list[tuple[float, float, int]]:
    """Return the axes of a grid from ``low:high:cells``, several separated by commas.

    Parameters
    ----------
    text
        ``"-3:3:400"`` or ``"-2:2:200,-1:1:100"``.

    Returns
    -------
    list
        (low, high, cells) of each axis.

    Raises
    ------
    argparse.ArgumentTypeError
        An axis does not have three parts.
    """
    axes = []
    for part in text.split(","):
        pieces = part.split(":")
        if len(pieces) != 3:
            raise argparse.ArgumentTypeError(f"{part.strip()!r} is not low:high:cells")
        axes.append((number(pieces[0]), number(pieces[1]), integer(pieces[2])))
    return axes
