"""``sgdphys verify``: check a store chunk by chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

__all__ = ["add_parser"]

_SHOWN = 10


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("verify", help="check every chunk of a store", description=__doc__, allow_abbrev=False)
    parser.add_argument("store", metavar="STORE", help="directory of the store")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from sgdphys import store

    found = store.verify(arguments.store)
    print(f"{found.line}; {found.n_chunks} chunks, {len(found.missing)} missing, {len(found.corrupt)} corrupt")
    if found.own_code:
        print(f"not repeatable from the store alone: it used the functions {', '.join(found.own_code)}")
    for kind, keys in (("missing", found.missing), ("corrupt", found.corrupt)):
        for key in keys[:_SHOWN]:
            print(f"  {kind} {key}")
        if len(keys) > _SHOWN:
            print(f"  ... and {len(keys) - _SHOWN} more {kind}")
    return 0 if found.sound else 1
