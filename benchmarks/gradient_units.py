"""Costs in units of one plain gradient: each candidate runs between two of them, after its answer was compared."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from cases.network_candidates import QUANTITIES, Candidate, Quantity
from cases.network_problems import Setup

__all__ = ["compare", "measure", "seconds"]

_TOLERANCES = {torch.float32: 2e-3, torch.float64: 1e-9}
_FILLED = 0.02  # seconds that a measurement lasts at least

Run = Callable[[], Any]
Pairs = dict[str, list[tuple[float, float]]]


def wrong_by(quantity: Quantity, setup: Setup, right: torch.Tensor, answer: Any) -> float:
    """Return the relative error of a candidate's answer, by the norm."""
    seen = quantity.seen(setup, answer).detach().to(right)
    return float((seen - right).norm() / right.norm())


def clock() -> float:
    """Return the time in seconds: of this process alone where it has one thread and no GPU, else that on the wall."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elif torch.get_num_threads() == 1:
        return time.process_time()
    return time.perf_counter()


def seconds(run: Run, times: int) -> float:
    """Return the seconds that a run takes, the mean of some; a GPU has finished before either clock is read."""
    started = clock()
    for _ in range(times):
        run()
    return (clock() - started) / times


def measure(runs: dict[str, Run], gradient: Run, rounds: int) -> Pairs:
    """Return seconds, and the same in plain gradients before and after, of each run in each round."""
    repeats = {name: max(1, math.ceil(_FILLED / seconds(run, 1))) for name, run in {"": gradient, **runs}.items()}
    found: Pairs = {name: [] for name in runs}
    for _ in range(rounds):
        before = seconds(gradient, repeats[""])
        for name, run in runs.items():
            own = seconds(run, repeats[name])
            after = seconds(gradient, repeats[""])
            found[name].append((own, 2 * own / (before + after)))
            before = after
    return found


def checked(quantity: Quantity, setup: Setup, candidates: list[Candidate]) -> Iterator[tuple[str, Run | None, str]]:
    """Yield name, run and relative error of each candidate; no run, and the reason, of a library that refuses.

    Raises
    ------
    RuntimeError
        An answer is wrong.
    """
    right = quantity.right(setup)
    for one in candidates:
        try:
            run = one.make(setup)
            error = wrong_by(quantity, setup, right, run())
        except Exception as reason:
            if not one.needs:
                raise
            yield one.name, None, f"{type(reason).__name__}: {str(reason).splitlines()[0][:100]}"
            continue
        if not error < _TOLERANCES[setup.dtype]:
            raise RuntimeError(f"{quantity.name} by {one.name} is wrong by {error:.1e}")
        yield one.name, run, f"{error:.0e}"


def table(quantity: Quantity, setup: Setup, rounds: int, candidates: list[Candidate]) -> Iterator[str]:
    """Yield the lines of a quantity."""
    goals = {one.name: one.goal for one in candidates}
    found = {name: (run, error) for name, run, error in checked(quantity, setup, candidates)}
    times = measure({name: run for name, (run, _) in found.items() if run}, setup.gradient, rounds)
    for name, (_, error) in found.items():
        if name not in times:
            yield f"| {quantity.name} | {name} | | left out | | {error} |"
            continue
        own, ratios = zip(*times[name], strict=True)
        cost = f"{statistics.median(ratios):.3g} ({min(ratios):.3g}, {max(ratios):.3g})"
        goal = f"{goals[name]:g}" if goals[name] else ""
        yield f"| {quantity.name} | {name} | {1e3 * statistics.median(own):.3g} | {cost} | {goal} | {error} |"


def compare(setup: Setup, rounds: int, candidates: list[Candidate], largest: float) -> Iterator[str]:
    """Yield the table of a problem, without those whose per-sample gradients take more than ``largest`` bytes."""
    unit = [1e3 * seconds(setup.gradient, 5) for _ in range(rounds + 1)][1:]
    kind = str(setup.dtype).removeprefix("torch.")
    yield (
        f"\n| {setup.problem.title}, d = {setup.dim:,}, n = {setup.n_samples}, {kind} | who | ms "
        "| plain gradients (lowest, highest) | goal | error |\n|---|---|---|---|---|---|\n"
        f"| plain gradient | plain torch | {statistics.median(unit):.3g} | 1 | | |"
    )
    for quantity in QUANTITIES:
        kept = [one for one in candidates if one.quantity == quantity.name]
        kept = [one for one in kept if not one.forms_gradients or 3 * setup.bytes_of_gradients <= largest]
        if kept:
            yield from table(quantity, setup, rounds, kept)
    if 3 * setup.bytes_of_gradients > largest:
        yield (
            f"\nAll per-sample gradients take {setup.bytes_of_gradients / 1e9:.2g} GB: who forms them takes no part."
        )
