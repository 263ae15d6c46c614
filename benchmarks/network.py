"""Gradient noise and curvature of networks, in units of one plain gradient of the same data in the same minute.

    python benchmarks/network.py [problem ...] [--rounds 5] [--threads 1] [--dtype float32 float64] [--samples 256]
                                 [--largest 1.5e9] [--without opacus ...]

Each candidate runs between two plain gradients (one forward and one backward pass of the mean loss), and its time is
divided by their mean; short runs are repeated to fill 20 milliseconds. On one thread the time is that of the process,
not that on the wall, which neighbours lengthen. The table gives medians over rounds, lowest and highest. Before that
every answer is compared with plain torch. "New object": everything is made for one product, as after a step of
training; "further products": what an object keeps after its first. "Layers unknown": of a function, by per-sample
gradients. Candidates that hold all per-sample gradients are left out where three copies take more than ``--largest``
bytes.
"""

from __future__ import annotations

import argparse
import os
import platform
import warnings

import timing

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))  # before torch; --threads sets torch's

import torch
from cases.network_candidates import CANDIDATES
from cases.network_problems import PROBLEMS, Setup
from gradient_units import compare

warnings.filterwarnings("ignore", "Full backward hook is firing")  # of rivals, at every call

LIBRARIES = ["sgdphys", "torch", "curvlinops-for-pytorch", "opacus", "backpack-for-pytorch"]


def versions() -> str:
    """Return the versions of what is installed, and the number of threads."""
    from importlib import metadata

    found = []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(
        [f"Python {platform.python_version()}", *found, f"{torch.get_num_threads()} of {timing.threads()} threads"]
    )


def main(given: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [name for name in PROBLEMS if name != "tiny"]
    parser.add_argument("problems", nargs="*", choices=[[], *PROBLEMS], metavar="problem", help=", ".join(PROBLEMS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--dtype", nargs="*", choices=["float32", "float64"], default=["float32"])
    parser.add_argument(
        "--largest", type=float, default=1.5e9, help="bytes, of three copies of all per-sample gradients"
    )
    parser.add_argument("--without", nargs="*", default=[], metavar="module", help="leave out who needs it")
    arguments = parser.parse_args(given)
    torch.set_num_threads(arguments.threads)
    print(versions(), flush=True)
    kept = [one for one in CANDIDATES if not set(arguments.without) & set(one.needs)]
    for name in sorted({name for one in kept if not one.present for name in one.needs}):
        print(f"{name} is not installed and takes no part")
    for kind in arguments.dtype:
        for name in arguments.problems or names:
            setup = Setup(PROBLEMS[name], arguments.samples, getattr(torch, kind))
            for line in compare(setup, arguments.rounds, [one for one in kept if one.present], arguments.largest):
                print(line, flush=True)


if __name__ == "__main__":
    main()
