"""``sgdphys info``: versions, processor threads, GPU, cache directory."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
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
    parser.set_defaults(run=_run)


def _run(_: argparse.Namespace) -> int:
    from sgdphys import schema

    rows = {
        "sgdphys": f"{__version__}, store format {schema.FORMAT_VERSION}, random numbers {schema.RNG_VERSION}",
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        **{package: _version(package) for package in _PACKAGES},
        "threads": str(os.cpu_count()),
        "gpu": _gpu(),
        "cache": _cache(),
    }
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


def _gpu() -> str:
    # asks the driver, not torch, whose import takes seconds
    program = shutil.which("nvidia-smi")
    if program is None:
        return "none found"
    names = [program, "--query-gpu=name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(names, capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return "the driver does not answer"
    return ", ".join(answer.split("\n")).strip(", ") or "none found"
