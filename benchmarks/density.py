"""Densities on a grid against fplanck, py-pde and FiPy: the time to the same error, in one run.

    python benchmarks/density.py [problem ...] [--errors 1e-3 1e-4] [--rounds 5] [--longest 20] [--without fipy ...]

The error is the total variation distance to a reference, on the cells of each candidate. Everyone gets the fewest cells
that leave seven tenths of the error to space, then the coarsest time step or tolerance that reaches the error.

Three times are given. "new": from the statement of a problem that the process has not seen to the density, with what a
library compiles for it. "whole": the same call once more, with what the library keeps between calls; py-pde keeps its
grid and equation. "again": only what cannot be kept from one solution of the same problem to the next, such as
fplanck's matrix or py-pde's compiled steps. sgdphys keeps nothing, so its three differ by reading the formula.

Everything runs on one thread. ``--longest`` leaves out who needs more seconds for
one solution.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import sys
import time
from typing import Any

import timing  # before NumPy, and before the next line

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"))
os.environ["FIPY_SOLVERS"] = "scipy"

from cases.density_candidates import CANDIDATES, Candidate, forget
from cases.density_problems import PROBLEMS, TEMPERATURE, Problem, spectral_difference

_SHARE_OF_SPACE = 0.7
_MOST_CELLS = 300_000
_WHOLES = 3
_LIBRARIES = ["sgdphys", "py-pde", "fplanck", "FiPy", "numba", "scipy", "numpy"]


class TooSlowError(Exception):
    """A candidate needs more time than it is given."""


def versions() -> str:
    """Return the versions of what is installed."""
    from importlib import metadata

    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join([f"Python {platform.python_version()}", *found, "one thread"])


def _error(candidate: Candidate, problem: Problem, cells: int, setting: Any, longest: float) -> float:
    """Return the error at a setting; infinite where a solver gives up, which some do at large steps."""
    run = candidate.prepare(problem, cells, setting)
    for last in (False, True):  # the first time may compile
        started = time.perf_counter()
        try:
            error = problem.error(run(), cells)
        except Exception as reason:
            if type(reason).__name__ != "ConvergenceError":
                raise
            return math.inf
        took = time.perf_counter() - started
        if took <= longest or took > 20 * longest or last:
            break
    if took > longest:
        raise TooSlowError(f"more than {longest:g} s, {cells} cells an axis, setting {setting}, error {error:.2g}")
    return error if math.isfinite(error) else math.inf


def cheapest(
    candidate: Candidate, problem: Problem, target: float, longest: float, known: dict[str, int]
) -> tuple[int, Any, float]:
    """Return the cells along an axis, the setting and the error of the cheapest solution that reaches the target.

    ``known`` holds the cells that each scheme needs, and gains those of this one.
    """
    if candidate.scheme not in known:
        known[candidate.scheme] = _cells(candidate, problem, target, longest)
    cells, error = known[candidate.scheme], math.inf
    for setting in candidate.settings:
        error = _error(candidate, problem, cells, setting, longest)
        if error <= target:
            return cells, setting, error
    raise TooSlowError(f"error {error:.2g} at its finest setting, {setting}, with {cells} cells an axis")


def _cells(candidate: Candidate, problem: Problem, target: float, longest: float) -> int:
    goal = _SHARE_OF_SPACE * target
    cells = max(problem.least, round(candidate.guess * math.sqrt(1e-3 / target)))
    for _ in range(8):
        if cells**problem.dim > _MOST_CELLS:
            raise TooSlowError(f"needs more than {_MOST_CELLS} cells")
        error = _in_space(candidate, problem, cells, target, longest)
        if 0.85 * goal <= error <= 1.05 * goal or (error <= goal and cells == problem.least):
            break
        cells = max(problem.least, math.ceil(cells * min(max(math.sqrt(error / goal), 0.25), 4.0)))
    return cells


def _in_space(candidate: Candidate, problem: Problem, cells: int, target: float, longest: float) -> float:
    """Return the error that remains however fine the steps are."""
    found: list[float] = []
    for setting in candidate.settings:
        error = _error(candidate, problem, cells, setting, longest)
        if not math.isfinite(error):
            continue
        found.append(error)
        settled = len(found) > 1 and abs(error - found[-2]) < 0.03 * max(target, error)
        if settled or error < _SHARE_OF_SPACE * target:
            return error
    return found[-1] if found else math.inf


def measure(chosen: dict[Candidate, tuple[int, Any, float]], problem: Problem, rounds: int) -> dict[str, Any]:
    """Return the seconds of the three kinds for every candidate, those of solving again round by round."""
    prepared: dict[Candidate, Any] = {}
    whole: dict[str, list[float]] = {one.name: [] for one in chosen}
    for one, (cells, setting, _error_found) in chosen.items():
        forget()
        for _ in range(_WHOLES + 1):
            started = time.perf_counter()
            prepared[one] = one.prepare(problem, cells, setting)
            prepared[one]()
            whole[one.name].append(time.perf_counter() - started)
    again: dict[str, list[float]] = {one.name: [] for one in chosen}
    for _ in range(rounds):
        for one, run in prepared.items():
            again[one.name].append(_best(run))
    new = {name: [values[0]] for name, values in whole.items()}
    return {"new": new, "whole": {name: [min(values[1:])] for name, values in whole.items()}, "again": again}


def _best(run: Any) -> float:
    """Return the least of several times, as many as fit in a fifth of a second, at most five."""
    times: list[float] = []
    while len(times) < 5 and sum(times) < 0.2:
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


def table(problem: Problem, target: float, chosen: dict[Candidate, Any], times: dict[str, Any]) -> str:
    """Return the lines of a table in Markdown: milliseconds and ratios to the first candidate."""
    lines = [
        f"| {problem.title}, error {target:g} | cells | setting | error | again, ms | ratio | whole, ms | ratio "
        "| new, ms | ratio |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one, (cells, setting, error) in chosen.items():
        size = f"{cells}" if problem.dim == 1 else f"{cells}^{problem.dim}"
        shown = setting[0] if isinstance(setting, tuple) else setting
        row = [one.name, size, "" if shown is None else f"{shown:g}", f"{error:.1e}"]
        for kind in ("again", "whole", "new"):
            row += [f"{1e3 * statistics.median(times[kind][one.name]):.3g}", f"{_ratio(times[kind], one, chosen):.3g}"]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join([*lines, "", _summary(chosen, times)])


def _ratio(times: dict[str, list[float]], one: Candidate, chosen: dict[Candidate, Any]) -> float:
    return statistics.median(timing.ratios(times, one.name, next(iter(chosen)).name))


def _summary(chosen: dict[Candidate, Any], times: dict[str, Any]) -> str:
    rivals = list(chosen)[1:]
    if not rivals:
        return "no rival reaches the error"
    found = []
    for kind in ("again", "whole", "new"):
        first = min(rivals, key=lambda one: statistics.median(times[kind][one.name]))
        found.append(f"{kind}: {first.name}, {_ratio(times[kind], first, chosen):.3g} x")
    return f"fastest rival, {'; '.join(found)}"


def compare(problem: Problem, target: float, present: list[Candidate], rounds: int, longest: float) -> str:
    """Return the table of a problem at an error, and a line for everyone who is not in it."""
    chosen, left_out = {}, []
    known: dict[str, int] = {}
    for one in present:
        if not one.does(problem):
            continue
        print(f"  {one.name} ...", file=sys.stderr, flush=True)
        try:
            chosen[one] = cheapest(one, problem, target, longest, known)
        except Exception as reason:  # a rival that diverges or refuses must not end the run
            left_out.append(f"{one.name}: left out, {type(reason).__name__}: {str(reason).splitlines()[0][:160]}")
    if not chosen or next(iter(chosen)).name != "sgdphys":
        return "\n".join([f"{problem.title}: sgdphys does not solve it", *left_out])
    return "\n".join([table(problem, target, chosen, measure(chosen, problem, rounds)), *left_out])


def check() -> None:
    """Print how well two independent methods agree: the spectral references, and grids extrapolated to no width."""
    print(f"references, between two spectral resolutions: {spectral_difference():.1e}")
    own = CANDIDATES[0]
    for problem in PROBLEMS.values():
        if problem.dim > 1:
            continue
        coarse, fine = (own.prepare(problem, cells, 1e-11)().ravel() for cells in (501, 1503))
        error = problem.error((9 * fine[1::3] - coarse) / 8, 501)  # second order in the cell width leaves
        print(f"{problem.title}, T = {TEMPERATURE}: extrapolated grids differ by {error:.1e}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="*", choices=[[], *PROBLEMS], metavar="problem", help=", ".join(PROBLEMS))
    parser.add_argument("--errors", type=float, nargs="*", default=[1e-3, 1e-4])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--longest", type=float, default=20.0, help="seconds for one solution")
    parser.add_argument("--without", nargs="*", default=[], metavar="module", help="leave out who needs it")
    parser.add_argument("--check", action="store_true", help="compare the references with extrapolated grids and end")
    arguments = parser.parse_args()
    print(versions(), flush=True)
    if arguments.check:
        return check()
    kept = [one for one in CANDIDATES if not set(arguments.without) & set(one.needs)]
    for name in sorted({name for one in kept if not one.present for name in one.needs}):
        print(f"{name} is not installed and takes no part")
    for name in arguments.problems or PROBLEMS:
        for target in arguments.errors:
            present = [one for one in kept if one.present]
            print(f"\n{compare(PROBLEMS[name], target, present, arguments.rounds, arguments.longest)}", flush=True)
    return None


if __name__ == "__main__":
    main()
