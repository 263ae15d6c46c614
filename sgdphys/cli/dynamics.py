"""Noise and integrator on the command line."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from sgdphys.cli.values import Once, matrix

if TYPE_CHECKING:
    import argparse

    from sgdphys.protocols import Integrator, Noise

__all__ = ["add_dynamics", "add_noise", "integrator_of", "noise_of"]

_READINGS = ("ito", "stratonovich", "hanggi-klimontovich")


def add_noise(parser: argparse.ArgumentParser) -> None:
    """Add the diffusion and how it is read."""
    parser.add_argument(
        "--diffusion",
        "--noise",
        metavar="FORMULA",
        action=Once,
        help='D(x), such as "1 + x**2" (default: 1); "1,0.3" for the diagonal of a tensor, "1,0.2;0.2,1" for its rows',
    )
    parser.add_argument("--interpretation", choices=_READINGS, default="ito", help="of D(x); default ito")


def add_dynamics(parser: argparse.ArgumentParser) -> None:
    """Add the diffusion, how it is read, and the integrator."""
    add_noise(parser)
    parser.add_argument("--integrator", metavar="NAME", help="such as BAOAB or Milstein (default: EulerMaruyama)")


def noise_of(arguments: argparse.Namespace, dim: int) -> Noise | None:
    """Return the noise of ``--diffusion``; None for D = 1.

    Returns
    -------
    Noise or None
        The noise.

    Raises
    ------
    ValueError
        An interpretation was given without a diffusion that depends on it.
    """
    if arguments.diffusion is None:
        if arguments.interpretation != "ito":
            raise ValueError("--interpretation is a reading of D(x): give --diffusion too")
        return None
    from sgdphys.cli.landscapes import parameters_in
    from sgdphys.noises import Formula

    names = parameters_in(arguments.diffusion, arguments)
    return Formula(matrix(arguments.diffusion), interpretation=arguments.interpretation, dim=dim, **names)


def integrator_of(arguments: argparse.Namespace) -> Integrator | None:
    """Return the integrator of ``--integrator`` with its default settings; None where none was named.

    Returns
    -------
    Integrator or None
        The integrator.

    Raises
    ------
    ValueError
        There is none of this name.
    """
    if arguments.integrator is None:
        return None
    from sgdphys import integrators

    known: dict[str, Any] = {name: getattr(integrators, name) for name in integrators.__all__}
    known = {name: kind for name, kind in known.items() if hasattr(kind, "orders") and not inspect.isabstract(kind)}
    if arguments.integrator not in known:
        same = [name for name in known if name.lower() == arguments.integrator.lower()]
        hint = f"did you mean {same[0]}? Known" if same else "known"
        raise ValueError(f"there is no integrator {arguments.integrator!r}; {hint} are {', '.join(sorted(known))}")
    chosen: Integrator = known[arguments.integrator]()
    return chosen
