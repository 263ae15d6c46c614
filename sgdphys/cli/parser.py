"""The parser: one line of refusal, values that may begin with a minus sign, one file for each command."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, NoReturn

from sgdphys import __version__
from sgdphys.cli import density, info, measure, plot, simulate, sweep, verify

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["build_parser", "protect_minus"]

_COMMANDS = (sweep, simulate, density, measure, plot, verify, info)


class _Parser(argparse.ArgumentParser):
    def format_help(self) -> str:
        return super().format_help().replace("``", "")  # descriptions are docstrings

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog.split()[0]}: {message} ({self.prog} --help explains)", file=sys.stderr)
        raise SystemExit(2)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; each sets ``run``, a function of the parsed arguments."""
    parser = _Parser(
        prog="sgdphys",
        description="Stochastic gradient descent as a physical process: clouds, densities, temperatures.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"sgdphys {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser


def protect_minus(argv: Sequence[str]) -> list[str]:
    """Let values begin with a minus sign, as in ``--start -1,0``: argparse takes text after a blank for a value."""
    return [f" {text}" if text[:1] == "-" and text[1:2] not in ("-", "") and text != "-h" else text for text in argv]
