"""``sgdphys info``: versions, processor threads, cache directory."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import TYPE_CHECKING, Any

from sgdphys import __version__

if TYPE_CHECKING:
    import argparse

__all__ = ["add_parser"]

_PACKAGES = ("numpy", "scipy", "numba", "xarray", "zarr", "matplotlib", "sympy", "torch")


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("info", help="versions, threads, cache", description=__doc__, allow_abbrev=False)
    parser.add_argument("--device", action="store_true", help="ask torch for an accelerator too (imports torch)")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from sgdphys import schema

    rows = {
        "sgdphys": f"{__version__}, store format {schema.FORMAT_VERSION}, random numbers {schema.RNG_VERSION}",
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        **{package: _version(package) for package in _PACKAGES},
        "threads": str(os.cpu_count()),
        "cache": _cache(),
    }
    if arguments.device:
        rows["device"] = _device()
    for name, value in rows.items():
        print(f"{name:<11}{value}")
    return 0


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _cache() -> str:
    from sgdphys.kernels.compile import cache_directory

    return str(cache_directory())


def _device() -> str:
    from sgdphys.network import accelerator_name

    return accelerator_name()
