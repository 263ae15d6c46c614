"""From frame to frame: which steps carry a density over the times of an evolution."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from sgdphys.fokker_planck.chebyshev import ChebyshevAction
from sgdphys.fokker_planck.fixed_steps import crank_nicolson, exponential_action, implicit_euler
from sgdphys.fokker_planck.scheduled_steps import ScheduledStepper
from sgdphys.fokker_planck.time_steps import Stepper

if TYPE_CHECKING:
    from collections.abc import Callable

    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.fokker_planck.problems import Problem
    from sgdphys.protocols import Array

    Carry = Callable[[Array, float, float], tuple[Array, float]]

__all__ = ["METHODS", "TimeMethod", "carrier"]

TimeMethod = Literal["adaptive", "implicit-euler", "crank-nicolson", "exponential"]
METHODS = ("adaptive", "implicit-euler", "crank-nicolson", "exponential")


def carrier(problem: Problem, method: TimeMethod, tolerance: float, dt: float | None, first: Operator) -> Carry:
    """Return what carries a state from one time to another and estimates the error that it made.

    Parameters
    ----------
    problem
        What is solved.
    method, tolerance, dt
        As in :func:`sgdphys.fokker_planck.evolve`.
    first
        The operator at the start, where it stays.

    Returns
    -------
    Callable
        From state, beginning and end to state and estimated error (NaN for fixed steps). Stages of SGD settings are
        taken one after another.

    Raises
    ------
    ValueError
        The method is unknown, or ``dt`` is missing or too much.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    fixed = method in {"implicit-euler", "crank-nicolson"}
    if fixed == (dt is None):
        raise ValueError(f"method={method!r} {'needs dt=' if fixed else 'chooses its steps itself: leave out dt='}")
    if problem.changes:
        if method == "exponential":
            raise ValueError("method='exponential' needs an operator constant in time: use method='adaptive'")
        return _through_changes(problem, method, tolerance, dt)
    if len(problem.breaks()) <= 1:
        return _constant(first, method, tolerance, dt)
    return _through_stages(problem, lambda operator: _constant(operator, method, tolerance, dt))


def _constant(operator: Operator, method: str, tolerance: float, dt: float | None) -> Carry:
    if method == "adaptive":
        return _adaptive(operator, tolerance)
    if method == "exponential":
        return lambda state, begin, end: (exponential_action(operator, state, end - begin), 0.0)
    makers = {"implicit-euler": implicit_euler, "crank-nicolson": crank_nicolson}
    return _stepwise(lambda _time, length: makers[method](operator, length), dt or 0.0)


def _adaptive(operator: Operator, tolerance: float) -> Carry:
    """Polynomials where there is detailed balance and few of them do, else implicit steps."""
    stepper, memory = Stepper(operator, tolerance), {"step": 0.0}
    action = ChebyshevAction(operator) if ChebyshevAction.serves(operator) else None
    most = 200 + 8 * math.sqrt(operator.size)  # products that cost as much as the factorisations of an adaptive march

    def carry(state: Array, begin: float, end: float) -> tuple[Array, float]:
        accuracy = None if action is None else action.accuracy(state, tolerance)
        if action is not None and accuracy is not None and action.terms(end - begin, accuracy) < most:
            return action(state, end - begin, accuracy), action.error(state, accuracy)
        first = memory["step"] or stepper.first_step(state)
        state, error, memory["step"] = stepper.advance(state, end - begin, first)
        return state, error

    return carry


def _through_changes(problem: Problem, method: str, tolerance: float, dt: float | None) -> Carry:
    smooth = _through_smooth_changes(problem, method, tolerance, dt)

    def carry(state: Array, begin: float, end: float) -> tuple[Array, float]:
        total = 0.0
        for first, last in itertools.pairwise([begin, *problem.kinks(begin, end).tolist(), end]):
            state, error = smooth(state, first, last)
            total += error
        return state, total

    return carry


def _through_smooth_changes(problem: Problem, method: str, tolerance: float, dt: float | None) -> Carry:
    if method == "adaptive":
        stepper, memory = ScheduledStepper(problem, tolerance), {"step": 0.0}

        def carry(state: Array, begin: float, end: float) -> tuple[Array, float]:
            first = memory["step"] or stepper.first_step(state, begin)
            state, error, memory["step"] = stepper.advance(state, begin, end, first)
            return state, error

        return carry
    makers = {"implicit-euler": (implicit_euler, 1.0), "crank-nicolson": (crank_nicolson, 0.5)}
    maker, place = makers[method]
    return _stepwise(lambda time, length: maker(problem.operator(time + place * length), length), dt or 0.0, fresh=True)


def _stepwise(step: Callable[[float, float], Callable[[Array], Array]], dt: float, *, fresh: bool = False) -> Carry:
    known: dict[float, Callable[[Array], Array]] = {}

    def carry(state: Array, begin: float, end: float) -> tuple[Array, float]:
        count = max(1, math.ceil((end - begin) / dt * (1 - 1e-12)))
        length = (end - begin) / count
        for number in range(count):
            if fresh or length not in known:
                known.clear()
                known[length] = step(begin + number * length, length)
            moved = known[length](state)
            state = moved * (state.sum() / moved.sum())
        return state, math.nan

    return carry


def _through_stages(problem: Problem, make: Callable[[Operator], Carry]) -> Carry:
    breaks = problem.breaks()
    made: dict[int, Carry] = {}

    def carry(state: Array, begin: float, end: float) -> tuple[Array, float]:
        inner = breaks[(breaks > begin) & (breaks < end)]
        edges, total = np.concatenate([[begin], inner, [end]]), 0.0
        for first, last in itertools.pairwise(edges):
            stage = int(np.searchsorted(breaks, first, side="right"))
            if stage not in made:
                made.clear()
                made[stage] = make(problem.operator(float(first)))
            state, error = made[stage](state, float(first), float(last))
            total += error
        return state, total

    return carry
