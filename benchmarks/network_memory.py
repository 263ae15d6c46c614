"""What ``plan()`` says that gradient noise will take, against the peak of a process of its own.

    python benchmarks/network_memory.py [problem ...] [--scale 1.0] [--dtype float32] [--largest 1.5e9]

The peak is that of the resident memory above what the process holds with model, data and plan, after a small run of the
same kind has loaded what torch loads once; the allocator gives freed memory back at once. Linux only: the peak is reset
through /proc. The goal is a ratio within 20 % of 1. Cases that are planned above ``--largest`` bytes are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import timing

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import torch
from cases.network_problems import PROBLEMS, Setup

SAMPLES = {"mlp": 4096, "mlp-large": 2048, "cnn": 1024, "tiny": 4096}
QUANTITIES = {"matvec": "matvec", "gram": "gram", "spectrum": "spectrum"}
MEGABYTE = 1e6


def run(setup: Setup, quantity: str) -> None:
    """Compute a quantity once."""
    arguments = (setup.v,) if quantity == "matvec" else ()
    getattr(setup.network.noise(), QUANTITIES[quantity])(*arguments)


def status(name: str) -> int:
    """Return a size that the kernel tells of this process, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))


def measured(name: str, quantity: str, samples: int, dtype: torch.dtype, largest: float) -> dict[str, Any]:
    """Return planned bytes and bytes at the peak of a case; changes the process."""
    run(Setup(PROBLEMS[name], 8, dtype), quantity)
    setup = Setup(PROBLEMS[name], samples, dtype)
    work = getattr(setup.network.noise().plan(), quantity)
    found = {"route": work.route, "planned": work.n_bytes, "passes": work.passes, "dim": setup.dim}
    if work.n_bytes > largest:
        return found
    _ = setup.v  # made before the baseline
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = status("VmRSS")
    run(setup, quantity)
    return {**found, "peak": status("VmHWM") - before}


def in_a_process(*case: str) -> dict[str, Any]:
    """Return the same from a fresh process."""
    keep = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
    command = [sys.executable, __file__, "--inside", *case]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **keep})
    result: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return result


def line(name: str, quantity: str, samples: int, found: dict[str, Any]) -> str:
    """Return a line of the table."""
    cells = [PROBLEMS[name].title, f"{found['dim']:,}", f"{samples}", quantity, found["route"]]
    cells += [f"{found['passes']:.3g}", f"{found['planned'] / MEGABYTE:.0f}"]
    peak = found.get("peak")
    ratio = "" if not peak else f"{found['planned'] / peak:.2f}"
    cells += ["left out" if peak is None else f"{peak / MEGABYTE:.0f}", ratio]
    return f"| {' | '.join(cells)} |"


def main(given: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="*", metavar="problem", help=", ".join(PROBLEMS))
    parser.add_argument("--scale", type=float, default=1.0, help="factor of the numbers of samples")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--largest", type=float, default=1.5e9, help="planned bytes above which a case is left out")
    parser.add_argument("--inside", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args(given)
    if arguments.inside:
        name, quantity, samples, dtype, largest = arguments.inside
        print(json.dumps(measured(name, quantity, int(samples), getattr(torch, dtype), float(largest))))
        return
    if not Path("/proc/self/clear_refs").exists():
        print("this system does not let a process reset its peak: nothing is measured")
        return
    print(f"torch {torch.__version__}, 1 of {timing.threads()} threads, {arguments.dtype}\n")
    print(
        "| network | d | n | quantity | route | passes | planned, MB | peak, MB | planned / peak |\n" + 9 * "|---" + "|"
    )
    for name in arguments.problems or [name for name in PROBLEMS if name != "tiny"]:
        samples = max(8, int(SAMPLES[name] * arguments.scale))
        for quantity in QUANTITIES:
            found = in_a_process(name, quantity, str(samples), arguments.dtype, str(arguments.largest))
            print(line(name, quantity, samples, found), flush=True)


if __name__ == "__main__":
    main()
