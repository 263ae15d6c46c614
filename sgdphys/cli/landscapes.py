"""From the text of the command line to a landscape."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from sgdphys.landscapes import BlockLandscape

__all__ = ["landscape_of"]


def landscape_of(arguments: argparse.Namespace) -> BlockLandscape:
    """Return the named landscape, or that of the formula, with its parameters.

    Parameters
    ----------
    arguments
        With ``landscape`` and ``parameter``.

    Returns
    -------
    BlockLandscape
        The landscape.

    Raises
    ------
    ValueError
        A named landscape has no such parameter.
    """
    from sgdphys import landscapes

    name, parameters = arguments.landscape.strip(), dict(arguments.parameter)
    if name in landscapes.NAMES:
        try:
            return landscapes.NAMES[name](**parameters)
        except TypeError:
            raise ValueError(f"{name} does not take the parameters {', '.join(parameters)}") from None
    return landscapes.Expression(name, **parameters) if parameters else landscapes.named(name)
