"""Flags that several commands share."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from sgdphys.cli.values import coordinates, integer, number, parameter

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

__all__ = ["DEFAULT_PARTICLES", "add_landscape", "add_run", "add_store", "default_store", "run_length"]

DEFAULT_PARTICLES = 20_000


def add_landscape(parser: argparse.ArgumentParser, also: str = "") -> None:
    """Add the landscape and its parameters."""
    parser.add_argument("landscape", metavar="LANDSCAPE", help=f'a formula such as "x**4/4 - x**2/2" or a name{also}')
    parser.add_argument(
        "--parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        type=parameter,
        help="a parameter of the formula or of the named landscape; may be given several times",
    )


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add time step, length, number of particles, start and threads."""
    parser.add_argument("--dt", type=number, help="time step (default: from the curvature)")
    parser.add_argument("--t1", type=number, help="length in time (default: 20000 steps; digits: 60)")
    parser.add_argument("--n-steps", type=integer, help="length in steps, instead of --t1")
    parser.add_argument("--n-particles", type=integer, help="default 20000; digits: 2048, for the twin")
    parser.add_argument(
        "--start",
        metavar="X[,Y...]",
        type=coordinates,
        help="where all particles start (default: the first known minimum, or that found by descent from the origin)",
    )
    parser.add_argument("--save-at", metavar="FRAMES", type=integer, help="number of frames, both ends included")
    parser.add_argument("--threads", type=integer, help="default: all cores; results do not depend on it")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")


def add_store(parser: argparse.ArgumentParser, default: str | None, *, resume: bool = False) -> None:
    """Add where the result goes and what happens when something is there."""
    parser.add_argument(
        "--store", metavar="PATH", help=f"directory to write (default: {default or 'nothing is stored'})"
    )
    fate = parser.add_mutually_exclusive_group()
    if resume:
        fate.add_argument("--resume", action="store_true", help="go on with an unfinished store")
    fate.add_argument("--overwrite", action="store_true", help="replace a store that is there")


def run_length(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return ``t1`` or ``n_steps`` as they were given; 20000 steps when neither was."""
    if arguments.t1 is None and arguments.n_steps is None:
        return {"n_steps": 20_000}
    return {name: value for name in ("t1", "n_steps") if (value := getattr(arguments, name)) is not None}


def default_store(kind: str, landscape: str, parameters: Iterable[tuple[str, float]] = ()) -> str:
    """Return the name of a store in the current folder.

    Parameters
    ----------
    kind
        What the name begins with.
    landscape
        Name or formula.
    parameters
        Names and values of its parameters.

    Returns
    -------
    str
        The letters and digits of the landscape; where those do not tell it from every other one, a short hash of the
        formula, without blanks, and of the parameters follows.
    """
    text, values = "".join(landscape.split()), sorted(parameters)
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].rstrip("-")
    if slug != text or values:
        digest = hashlib.blake2b(json.dumps([text, values]).encode(), digest_size=3).hexdigest()
        slug = f"{slug}-{digest}" if slug else digest
    return f"{kind}-{slug}.zarr"
