"""Time steps of a length that the user sets: implicit Euler, Crank-Nicolson, and the exponential by uniformisation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.stats import poisson

from sgdphys.fokker_planck.factorisation import implicit_solver

if TYPE_CHECKING:
    from collections.abc import Callable

    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.protocols import Array

__all__ = ["crank_nicolson", "exponential_action", "implicit_euler", "positive_step"]

_JUMPS = 400.0  # mean number of jumps of one piece of the exponential
_MOST_PRODUCTS = 3e10  # entries touched by an exponential: about a minute


def positive_step(operator: Operator) -> float:
    """Return the longest step of Crank-Nicolson that keeps densities positive: 2 over the fastest rate out."""
    return 2 / float(np.abs(operator.matrix.diagonal()).max())


def implicit_euler(operator: Operator, dt: float) -> Callable[[Array], Array]:
    """Return the step (1 - dt L)^-1: first order, positive for every dt."""
    return implicit_solver(operator, dt)


def crank_nicolson(operator: Operator, dt: float) -> Callable[[Array], Array]:
    """Return the step (1 - dt L/2)^-1 (1 + dt L/2): second order, positive up to a longest dt.

    Parameters
    ----------
    operator
        L.
    dt
        Step, at most :func:`positive_step`.

    Returns
    -------
    Callable
        From state to state.

    Raises
    ------
    ValueError
        The step is longer.

    References
    ----------
    Bolley & Crouzeix 1978, RAIRO Anal. Numer. 12, 237: no linear method of second order is positive for every step.
    """
    limit = positive_step(operator)
    if dt > limit * (1 + 1e-12):
        raise ValueError(
            f"method='crank-nicolson' keeps densities positive up to dt={limit:.6g} on this grid, got dt={dt:.6g}; "
            "take that, or method='implicit-euler' or 'adaptive', which are positive at any step"
        )
    solve, matrix = implicit_solver(operator, dt / 2), operator.matrix
    return lambda state: solve(state + dt / 2 * (matrix @ state))


def exponential_action(operator: Operator, state: Array, duration: float) -> Array:
    r"""Return :math:`e^{tL} p` by uniformisation: a Poisson mixture of powers of the matrix 1 + L/q, all not negative.

    Parameters
    ----------
    operator
        L, without negative rates.
    state
        p, shape (state,).
    duration
        t.

    Returns
    -------
    Array
        The density, shape (state,); exact to rounding and never negative.

    Raises
    ------
    ValueError
        Too many jumps are needed, or the operator has negative rates.

    References
    ----------
    Jensen 1953, Skand. Aktuarietidskr. 36, 87.
    """
    matrix = operator.matrix
    fastest = float(np.abs(matrix.diagonal()).max())
    jumps = fastest * duration
    if operator.negative_share > 0:
        raise ValueError("method='exponential' needs rates that are not negative: use method='adaptive'")
    if jumps * matrix.nnz > _MOST_PRODUCTS:
        raise ValueError(
            f"method='exponential' needs {jumps:.3g} products with the operator for a time of {duration:.6g} on this "
            "grid, one for each hop of the fastest cell: use method='adaptive'"
        )
    hopping = (sparse.eye_array(operator.size, format="csr") + matrix.tocsr() / fastest).tocsr()
    pieces = max(1, math.ceil(jumps / _JUMPS))
    mean = jumps / pieces
    weights = poisson.pmf(np.arange(int(mean + 10 * math.sqrt(mean)) + 30), mean)  # all but 1e-20 of the jumps
    for _ in range(pieces):
        power, total = state, weights[0] * state
        for weight in weights[1:]:
            power = hopping @ power
            total = total + weight * power
        state = total * (state.sum() / total.sum())
    return state
