"""From the text of the command line to a landscape."""

from __future__ import annotations

import difflib
import inspect
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

    from sgdphys.landscapes import BlockLandscape

__all__ = ["landscape_of", "parameters_in"]

_WORD = re.compile(r"[A-Za-z_]{3,}([- _][A-Za-z]{3,})*")  # what was meant as a name, not as a formula
_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")


def landscape_of(arguments: argparse.Namespace) -> BlockLandscape:
    """Return the named landscape, or that of the formula, with its parameters and its circulation.

    Parameters
    ----------
    arguments
        With ``landscape`` and ``parameter``, maybe with ``circulation`` and ``diffusion``, whose parameters it need not
        use.

    Returns
    -------
    BlockLandscape
        The landscape.

    Raises
    ------
    ValueError
        There is no such name, or a named landscape has no such parameter.
    FormulaError
        The text is no formula that the parser allows.
    """
    from sgdphys import landscapes

    circulation = getattr(arguments, "circulation", None)
    if circulation is None:
        return _gradient_part(arguments)
    return landscapes.Field(_gradient_part(arguments), circulation, **parameters_in(" ".join(circulation), arguments))


def parameters_in(text: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Return the parameters that formulas name, of those that were given."""
    words = set(_NAME.findall(text))
    return {name: value for name, value in arguments.parameter if name in words}


def _own_parameters(arguments: argparse.Namespace, own: str) -> dict[str, float]:
    """Return the parameters that the landscape names, and those that nothing else does either."""
    others = [*(getattr(arguments, "circulation", None) or ()), getattr(arguments, "diffusion", None) or ""]
    elsewhere = parameters_in(" ".join(others), arguments)
    mine = parameters_in(own, arguments)
    return {name: value for name, value in arguments.parameter if name in mine or name not in elsewhere}


def _gradient_part(arguments: argparse.Namespace) -> BlockLandscape:
    from sgdphys import landscapes
    from sgdphys.errors import FormulaError

    name = arguments.landscape.strip()
    takes = " ".join(inspect.signature(landscapes.NAMES[name]).parameters) if name in landscapes.NAMES else name
    parameters = _own_parameters(arguments, takes)
    if name in landscapes.NAMES:
        _refuse_parameters(name, landscapes.NAMES[name], parameters)
        return landscapes.NAMES[name](**parameters)
    try:
        return landscapes.Expression(name, **parameters) if parameters else landscapes.named(name)
    except FormulaError:
        if _WORD.fullmatch(name):
            raise ValueError(_unknown(name, list(landscapes.NAMES))) from None
        raise


def _refuse_parameters(name: str, kind: Any, parameters: dict[str, float]) -> None:
    taken = list(inspect.signature(kind).parameters)
    for parameter in parameters:
        if parameter not in taken:
            raise ValueError(
                f"{name} does not take the parameter {parameter}; it takes {', '.join(taken) if taken else 'none'}"
            )


def _unknown(name: str, names: list[str]) -> str:
    if name == "digits":
        return f"digits is a network, which only sweep takes; named landscapes are {', '.join(names)}"
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"{name!r} is neither a named landscape ({', '.join(names)}) nor a formula such as x**4/4 - x**2/2{hint}"
