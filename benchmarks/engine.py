"""The engine against hand-written loops and other libraries: nanoseconds per particle-step and ratios, in one run.

    python benchmarks/engine.py [case ...] [--rounds 5] [--scale 1.0] [--without torch ...]

The cases are the files of ``benchmarks/cases``; ``--scale`` multiplies their numbers of steps, ``--without`` leaves out
the candidates that need a module. The table gives medians
over rounds, and the ratios to sgdphys taken round by round.
"""

from __future__ import annotations

import argparse
import dataclasses
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
    parser.add_argument("--without", nargs="*", default=[], metavar="module", help="leave out who needs it")
    arguments = parser.parse_args()
    left_out = set(arguments.without)
    print(versions(), flush=True)
    for name in arguments.cases or NAMES:
        module = importlib.import_module(f"cases.{name}")
        for case in getattr(module, "CASES", None) or [module.CASE]:
            kept = tuple(one for one in case.candidates if not left_out & set(one.needs))
            times = timing.measure(dataclasses.replace(case, candidates=kept), arguments.rounds, arguments.scale)
            print(f"\n{timing.table(case, times)}", flush=True)


if __name__ == "__main__":
    main()
