"""Peak memory of a run above that of a process that has done a tiny one, each case in a process of its own.

    python benchmarks/memory.py [case ...] [--particles 1e6]

The rule is at most 1.3 times what the result stores, plus 100 MB. ``observers`` takes 10^8 particles, keeps no frame,
and must stay below 4 GB.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

FRAMES = 21
MEGABYTE = 1e6


def simulated(particles: int, **options: Any) -> Any:
    import sgdphys as sp

    momentum = options.pop("momentum", None)
    dynamics: dict[str, Any] = {"temperature": 0.1, "dt": 0.01}
    if momentum:
        dynamics = {"noise": sp.noises.Isotropic(1.0), "sgd": sp.SGD(lr=0.01, batch_size=10, momentum=momentum)}
    defaults = {"start": -1.0, "n_steps": 20, "save_at": FRAMES, "progress": False}
    return sp.simulate(sp.landscapes.DoubleWell(), n_particles=particles, **dynamics, **{**defaults, **options})


def with_observers(particles: int) -> Any:
    import sgdphys as sp

    observers = [sp.observers.Moments(at=3), sp.observers.Histogram(100, (-2.0, 2.0), at=3)]
    return simulated(particles, observers=observers)


def observers_only(particles: int) -> Any:
    import sgdphys as sp

    return simulated(100 * particles, save_at=0, observers=[sp.observers.Moments(at=3)])


CASES: dict[str, Callable[[int], Any]] = {
    "frames": simulated,
    "frames and observers": with_observers,
    "float32": lambda particles: simulated(particles, storage="float32"),
    "potential": lambda particles: simulated(particles, record_potential=True),
    "momentum": lambda particles: simulated(particles, momentum=0.9),
    "observers": observers_only,
}


def resident() -> int:
    """Return the bytes that the process has in memory now, from /proc where there is one."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return peak()


def peak() -> int:
    """Return the most that the process has had in memory."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else 1024 * size


def measured(name: str, particles: int) -> dict[str, float]:
    """Return stored bytes, bytes above the baseline at the peak, and seconds of a case; changes the peak for good."""
    case = CASES[name]
    case(1000 if name != "observers" else 100)
    before = resident()
    started = time.perf_counter()
    cloud = case(particles)
    return {"stored": cloud.nbytes, "peak": peak() - before, "seconds": time.perf_counter() - started}


def in_a_process(name: str, particles: int) -> dict[str, float]:
    """Return the same from a fresh process."""
    command = [sys.executable, __file__, name, "--particles", str(particles), "--inside"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(answer.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="case", help=", ".join(CASES))
    parser.add_argument("--particles", type=float, default=1e6, help="a hundred times as many for 'observers'")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        print(json.dumps(measured(arguments.cases[0], int(arguments.particles))))
        return
    print("| case | stored, MB | peak above baseline, MB | allowed, MB | seconds |\n|---|---|---|---|---|")
    for name in arguments.cases or CASES:
        found = in_a_process(name, int(arguments.particles))
        allowed = 4e9 if name == "observers" else 1.3 * found["stored"] + 100 * MEGABYTE
        numbers = [found["stored"] / MEGABYTE, found["peak"] / MEGABYTE, allowed / MEGABYTE]
        print(f"| {name} | {' | '.join(f'{number:.0f}' for number in numbers)} | {found['seconds']:.1f} |", flush=True)


if __name__ == "__main__":
    main()
