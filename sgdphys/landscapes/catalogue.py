"""Landscapes by name, for the command line, and by configuration, from a store."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import sgdphys.landscapes
from sgdphys.errors import FormulaError
from sgdphys.landscapes.algebra import Sum
from sgdphys.landscapes.base import BlockLandscape
from sgdphys.landscapes.chaudhari_soatto import ChaudhariSoatto
from sgdphys.landscapes.circulating_fields import Field
from sgdphys.landscapes.expression import Expression
from sgdphys.landscapes.finite_sums import SupervisedLandscape
from sgdphys.landscapes.flat_sharp import FlatSharp
from sgdphys.landscapes.mueller_brown import MuellerBrown
from sgdphys.landscapes.quadratic import Quadratic
from sgdphys.landscapes.tabulated import Tabulated
from sgdphys.landscapes.wells import DoubleWell

__all__ = ["NAMES", "named", "restore"]

NAMES: dict[str, Callable[[], BlockLandscape]] = {
    "double-well": DoubleWell,
    "mueller-brown": MuellerBrown,
    "flat-sharp": FlatSharp,
    "chaudhari-soatto": ChaudhariSoatto,
}

Variables = Mapping[str, NDArray[np.float64]]


def named(name: str) -> BlockLandscape:
    """Return the landscape of a name in ``NAMES``, else of the text as a formula.

    Parameters
    ----------
    name
        ``"double-well"``, ``"mueller-brown"``, ``"flat-sharp"``, ``"chaudhari-soatto"``, or a formula.

    Returns
    -------
    BlockLandscape
        The landscape.

    Raises
    ------
    FormulaError
        The text is neither a name nor a formula.
    """
    if name in NAMES:
        return NAMES[name]()
    try:
        return Expression(name)
    except FormulaError as error:
        close = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"named landscapes are {', '.join(NAMES)}"
        raise FormulaError(f"{error} ({hint})") from None


def restore(configuration: Mapping[str, Any], variables: Variables | None = None) -> BlockLandscape:
    """Make a landscape from its ``configuration()``: the class of that name with the other entries as arguments.

    Parameters
    ----------
    configuration
        What ``configuration()`` returned, as read back from JSON.
    variables
        Arrays of ``variables()`` by name.

    Returns
    -------
    BlockLandscape
        The landscape.

    Raises
    ------
    ValueError
        It holds the user's own functions or classes, which no store holds, or a class that is not exported.
    """
    arguments = dict(configuration)
    name = arguments.pop("landscape")
    if name == "Sum":
        return Sum(*(restore(part, variables) for part in arguments["parts"]))
    if name == "Expression":
        return Expression(arguments["formula"], **arguments["parameters"])
    if name == "Quadratic":
        return _quadratic(arguments, variables or {})
    if name == "Field":
        return _field(arguments, variables or {})
    if "of" in arguments:
        arguments["of"] = restore(arguments["of"], variables)
    kind = _exported(name)
    if issubclass(kind, (SupervisedLandscape, Tabulated)):
        return kind.from_variables(variables or {}, **arguments)
    return kind(**arguments)


def _exported(name: str) -> type[BlockLandscape]:
    kind = getattr(sgdphys.landscapes, name, None)
    if name in {"Custom", "FiniteSum"} or "." in name:
        raise ValueError(f"a landscape {name} holds the user's own code, which no store holds; make it anew")
    if not (isinstance(kind, type) and issubclass(kind, BlockLandscape)):
        raise ValueError(
            f"sgdphys.landscapes exports no class {name}: the data come from another version, or from the user's own "
            "code; make the landscape anew (a new class of sgdphys itself is exported in landscapes/__init__.py)"
        )
    return kind


def _quadratic(arguments: dict[str, Any], variables: Variables) -> Quadratic:
    matrix = variables["quadratic_matrix"] if arguments["matrix"] is None else np.array(arguments["matrix"])
    return Quadratic(matrix, arguments["constant"], variables.get("origin"), variables.get("basis"))


def _field(arguments: dict[str, Any], variables: Variables) -> Field:
    base, circulation = restore(arguments["base"], variables), arguments["circulation"]
    if isinstance(circulation, dict):
        return Field(base, restore(circulation, variables))
    if circulation is None:
        return Field(base, variables["circulation_matrix"])
    return Field(base, circulation, **arguments["parameters"])
