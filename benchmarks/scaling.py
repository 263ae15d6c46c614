"""How the engine's time grows with threads, particles and steps.

    python benchmarks/scaling.py [--seconds 1.0] [--rounds 3] [--largest 7]

Two threads are compared with one, beside a loop of pure arithmetic on the same threads in the same rounds, because a
machine may give less than two processors. Time per particle-step is measured from 10^4 to 10^7 particles, and from 10^4
to 10^7 steps, at about ``--seconds`` of work a point; a straight line through the origin has one value everywhere.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import timing

SECONDS_PER_STEP = 0.4e-9  # guess of a particle-step, which chooses the sizes


@functools.cache
def _well() -> Any:
    import sgdphys as sp

    return sp.landscapes.DoubleWell()


def engine(particles: int, steps: int, threads: int | None = None) -> None:
    """Run the double well."""
    import sgdphys as sp

    sp.simulate(
        _well(), temperature=0.1, dt=0.01, n_steps=steps, n_particles=particles, start=-1.0, save_at=0, threads=threads,
        progress=False,
    )  # fmt: skip


def arithmetic(repeats: int, threads: int) -> None:
    """Run a logistic map that touches no memory, in eight parts on some threads."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(_compiled_arithmetic(), [repeats // 8] * 8))


@functools.cache
def _compiled_arithmetic() -> Callable[[int], float]:
    import numba

    @numba.njit(nogil=True)
    def loop(repeats):
        x = 0.3
        for _ in range(repeats):
            x = 3.7 * x * (1.0 - x)
        return x

    return loop


def seconds(call: Callable[[], None]) -> float:
    """Return the wall time of a call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def by_threads(rounds: int, work: float) -> None:
    """Print what the second thread brings."""
    steps, repeats = int(work / SECONDS_PER_STEP / 1e5), int(work / 2.5e-9)
    rows = []
    for turn in range(rounds + 1):
        one, two = (seconds(lambda n=n: engine(100_000, steps, n)) for n in (1, 2))
        plain_one, plain_two = (seconds(lambda n=n: arithmetic(repeats, n)) for n in (1, 2))
        if turn:
            rows.append((one / two, plain_one / plain_two))
    ours, plain = (statistics.median(column) for column in zip(*rows, strict=True))
    relative = statistics.median(mine / theirs for mine, theirs in rows)
    print("| two threads instead of one | faster by |\n|---|---|")
    print(f"| sgdphys | {ours:.2f} |\n| pure arithmetic | {plain:.2f} |\n| ratio | {relative:.2f} |\n", flush=True)


def by_size(name: str, sizes: list[tuple[int, int]], rounds: int) -> None:
    """Print the time per particle-step of some (particles, steps), measured in turn."""
    times: dict[tuple[int, int], list[float]] = {size: [] for size in sizes}
    engine(1000, 1000)
    for _ in range(rounds):
        for particles, steps in sizes:
            passed = seconds(lambda p=particles, s=steps: engine(p, s))
            times[particles, steps].append(passed / (particles * steps) * 1e9)
    medians = {size: statistics.median(values) for size, values in times.items()}
    middle = statistics.median(medians.values())
    print("| particles | steps | ns per particle-step | of the median |\n|---|---|---|---|")
    for (particles, steps), value in medians.items():
        print(f"| {particles:.0e} | {steps:.0e} | {value:.3f} | {value / middle:.2f} |")
    print(f"\nTime against {name}: {100 * max(abs(v / middle - 1) for v in medians.values()):.0f} % off a line.\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--largest", type=int, default=7, help="power of ten of the largest size")
    arguments = parser.parse_args()
    total = arguments.seconds / SECONDS_PER_STEP
    powers = [10**k for k in range(4, arguments.largest + 1)]
    print(f"{np.__name__} {np.__version__}, {timing.threads()} processors\n")
    by_threads(arguments.rounds, arguments.seconds)
    by_size("particles", [(size, int(total / size)) for size in powers], arguments.rounds)
    by_size("steps", [(max(1000, int(total / size)), size) for size in powers], arguments.rounds)


if __name__ == "__main__":
    main()
