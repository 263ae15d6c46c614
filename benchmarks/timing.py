"""What the scripts of this folder share: candidates, rounds, ratios.

Every candidate runs once in each round, so that a busy machine slows all of them, and says the second moment of what
it simulated, so that nobody times a wrong program. Candidates that are not installed are left out. Importing this
module, before NumPy, gives the libraries for linear algebra all threads and the kernels of this processor.
"""

from __future__ import annotations

import os

os.environ.pop("OPENBLAS_CORETYPE", None)
os.environ.pop("OMP_NUM_THREADS", None)
os.environ.pop("OPENBLAS_NUM_THREADS", None)
os.environ.pop("MKL_NUM_THREADS", None)

import importlib.util
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Candidate", "Case", "measure", "ratios", "table", "threads"]


@dataclass(frozen=True)
class Candidate:
    """One way to do a problem.

    ``run(particles, steps)`` returns the mean square coordinate at the end, NaN where it simulates nothing; ``needs``
    are the modules it imports, ``share`` and ``crowd`` the shares of steps and particles it gets, less for slow ones.
    """

    name: str
    run: Callable[[int, int], float]
    needs: tuple[str, ...] = ()
    share: float = 1.0
    crowd: float = 1.0

    @property
    def present(self) -> bool:
        """Whether its modules are installed."""
        return all(importlib.util.find_spec(name) for name in self.needs)

    def size(self, particles: int, steps: int, least: int) -> tuple[int, int]:
        """Return its particles and its steps, the latter a multiple of four."""
        return max(1, int(particles * self.crowd)), max(least, int(steps * self.share) // 4 * 4)


@dataclass(frozen=True)
class Case:
    """A problem, its size, and who does it; the first candidate is the one that the others are compared with.

    ``moment(steps)`` is the mean square coordinate to expect, or None where the second candidate's is; ``tolerance``
    the largest relative deviation that statistics and time step explain; ``least`` is the number of steps after which
    it holds.
    """

    title: str
    particles: int
    steps: int
    candidates: tuple[Candidate, ...]
    moment: Callable[[int], float] | None
    tolerance: float
    least: int = 4
    note: Callable[[dict[str, list[float]]], str] = lambda _times: ""


def threads() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def measure(case: Case, rounds: int, scale: float = 1.0) -> dict[str, list[float]]:
    """Return the nanoseconds per particle-step of each candidate in each round; one warm-up comes first.

    Raises
    ------
    RuntimeError
        A candidate's second moment is not what it must be.
    """
    present = [candidate for candidate in case.candidates if candidate.present]
    sizes = {one.name: one.size(case.particles, int(case.steps * scale), case.least) for one in present}
    times: dict[str, list[float]] = {one.name: [] for one in present}
    for turn in range(rounds + 1):
        moments = {}
        for one in present:
            particles, steps = sizes[one.name]
            started = time.perf_counter()
            moments[one.name] = one.run(particles, steps)
            if turn:
                times[one.name].append((time.perf_counter() - started) / (particles * steps) * 1e9)
        if not turn:
            _check(case, moments, {name: steps for name, (_particles, steps) in sizes.items()})
    return times


def _check(case: Case, moments: dict[str, float], steps: dict[str, int]) -> None:
    own = moments[list(moments)[1]]
    for name, moment in moments.items():
        expected = own if case.moment is None else case.moment(steps[name])
        if not math.isnan(moment) and abs(moment / expected - 1) > case.tolerance:
            raise RuntimeError(f"{case.title}, {name}: the mean square is {moment:.5g}, it should be {expected:.5g}")


def ratios(times: dict[str, list[float]], name: str, base: str) -> list[float]:
    """Return the times of one candidate divided by another's, round by round."""
    return [value / other for value, other in zip(times[name], times[base], strict=True)]


def table(case: Case, times: dict[str, list[float]]) -> str:
    """Return the lines of a table in Markdown: medians, and the spread of the ratios over the rounds."""
    base = next(iter(times))
    lines = [f"| {case.title} | ns per particle-step | ratio (lowest, highest) |", "|---|---|---|"]
    for name, values in times.items():
        own = ratios(times, name, base)
        spread = "1" if name == base else f"{statistics.median(own):.3g} ({min(own):.3g}, {max(own):.3g})"
        lines.append(f"| {name} | {statistics.median(values):.3g} | {spread} |")
    note = case.note(times)
    return "\n".join([*lines, *(["", note] if note else [])])
