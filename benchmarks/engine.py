"""The engine against hand-written loops and other libraries: nanoseconds per particle-step and ratios, in one run.

    python benchmarks/engine.py [case ...] [--rounds 5] [--scale 1.0] [--list]

The cases are the files of ``benchmarks/cases``; ``--scale`` multiplies their numbers of steps. The table gives medians
over rounds, and the ratios to sgdphys taken round by round.
"""

from __future__ import annotations

import argparse
import importlib
import platform

import timing  # before NumPy

NAMES = ["double_well", "mueller_brown", "coupled_quartic", "quadratic", "least_squares", "single_particle"]
LIBRARIES = ["sgdphys", "numba", "numpy", "torch", "jax", "diffrax", "torchsde", "deeptime", "openmm", "jitcsde"]


def versions() -> str:
    """Return the versions of what is installed."""
    from importlib import metadata

    there = {name for candidates in metadata.packages_distributions().values() for name in candidates}
    lowered = {name.lower(): name for name in there}
    listed = [f"{name} {metadata.version(lowered[name])}" for name in LIBRARIES if name in lowered]
    return ", ".join([f"Python {platform.python_version()}", *listed, f"{timing.threads()} processors"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[[], *NAMES], metavar="case", help=", ".join(NAMES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="factor of the numbers of steps")
    arguments = parser.parse_args()
    print(versions(), flush=True)
    for name in arguments.cases or NAMES:
        module = importlib.import_module(f"cases.{name}")
        for case in getattr(module, "CASES", None) or [module.CASE]:
            print(f"\n{timing.table(case, timing.measure(case, arguments.rounds, arguments.scale))}", flush=True)


if __name__ == "__main__":
    main()
