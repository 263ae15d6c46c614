"""What a save and a call cost beyond the steps themselves.

    python benchmarks/latency.py [--rounds 5]

A save at 10^4 particles: the difference between a run that saves at each of 500 steps and one that saves at none, per
save, in memory and in a store, beside a plain copy of as many numbers into fresh memory. A call: one step of one
particle.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import timing

PARTICLES, SAVES = 10_000, 500


def run(**options: Any) -> None:
    import sgdphys as sp

    defaults = {"n_steps": SAVES, "n_particles": PARTICLES, "save_at": 0, "start": -1.0, "progress": False}
    sp.simulate(sp.landscapes.DoubleWell(), temperature=0.1, dt=0.01, **{**defaults, **options})


def stored(folder: str, **options: Any) -> None:
    run(store=Path(folder) / "cloud", overwrite=True, **options)


def copy() -> None:
    source, frames = np.zeros(PARTICLES), np.empty((SAVES + 1, PARTICLES))
    for frame in frames:
        frame[...] = source


def milliseconds(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        calls: dict[str, Callable[[], None]] = {
            "none": run,
            "memory": lambda: run(save_at=SAVES + 1),
            "store, none": lambda: stored(folder),
            "store": lambda: stored(folder, save_at=SAVES + 1),
            "copying": copy,
            "call": lambda: run(n_steps=1, n_particles=1),
        }
        for call in calls.values():
            call()
        turns = [{name: milliseconds(call) for name, call in calls.items()} for _ in range(rounds)]
    median = {name: statistics.median(turn[name] for turn in turns) for name in calls}
    print(f"{timing.threads()} processors\n\n| what | milliseconds |\n|---|---|")
    print(f"| a save of {PARTICLES:,} particles in memory | {(median['memory'] - median['none']) / SAVES:.3f} |")
    print(f"| the same by a plain copy | {median['copying'] / SAVES:.3f} |")
    print(f"| a save in a store | {(median['store'] - median['store, none']) / SAVES:.3f} |")
    print(f"| a call of simulate, one particle and one step | {median['call']:.2f} |")


if __name__ == "__main__":
    main()
