"""What paths gather until they leave through an exit, on average: the backward equation of a Fokker-Planck operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgdphys.fokker_planck.elimination import absorption_of, chain_of, eliminate, elimination_fits
from sgdphys.fokker_planck.factorisation import factorise
from sgdphys.fokker_planck.targets import alive

if TYPE_CHECKING:
    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.protocols import Array

__all__ = ["exit_sums", "rates_into"]

_EXACT, _TOLERABLE = 1e-9, 1e-3  # relative rounding error of a factorisation: no need for better, no longer a result


def exit_sums(operator: Operator, rewards: Array) -> Array:
    r"""Return the mean of the integral of a reward over time until an exit, from each cell.

    It solves :math:`L^{\mathsf T} v = -r` with v = 0 in the exits. The reward 1 gives the mean time until an exit, the
    rate into one of the exits the probability to leave there. On a line, and wherever elimination without subtraction
    fits, every cell keeps a small relative error; larger grids are factorised.

    Parameters
    ----------
    operator
        Operator with exits.
    rewards
        Per unit of time, not negative, shape (reward, cell).

    Returns
    -------
    Array
        Shape (reward, cell); 0 in cells that are cut off.

    Raises
    ------
    ValueError
        Rounding spoils them.
    """
    fits = elimination_fits(operator)
    if operator.grid.dim == 1 and fits:
        return _eliminated(operator, rewards)
    sums, error = _factorised(operator, rewards)
    if error > _EXACT and fits:
        return _eliminated(operator, rewards)
    if error > _TOLERABLE:
        raise ValueError(
            f"the mean time until an exit is lost in rounding, with a relative error of about {min(error, 1.0):.1g}: "
            "raise the temperature or use fewer cells, at most 250 x 250 of them"
        )
    return sums


def rates_into(operator: Operator, exit_number: int) -> Array:
    """Return the hopping rate from each cell into an exit, shape (cell,), in loss/x^2."""
    entering = operator.right == operator.grid.size + exit_number
    rates = np.bincount(operator.left[entering], operator.forward[entering], minlength=operator.grid.size)
    return rates.astype(np.float64)


def _factorised(operator: Operator, rewards: Array) -> tuple[Array, float]:
    sums = np.zeros((len(rewards), operator.grid.size))
    outside = np.flatnonzero(alive(operator))
    matrix = operator.matrix[outside][:, outside]
    positive = operator.negative_share == 0
    try:
        solve = factorise(-matrix, pivots=not positive)
    except RuntimeError:  # singular to rounding
        return sums, np.inf
    times = solve(np.ones(outside.size), transposed=True)
    for row, reward in enumerate(rewards):
        sums[row, outside] = solve(reward[outside], transposed=True)
    broken = not np.all(np.isfinite(times)) or times.max() <= 0 or (positive and times.min() <= 0)
    error = np.finfo(np.float64).eps * np.abs(matrix.diagonal()).max() * times.max()
    return sums, np.inf if broken else float(error)


def _eliminated(operator: Operator, rewards: Array) -> Array:
    return np.array([_eliminated_sum(operator, reward) for reward in rewards])


def _eliminated_sum(operator: Operator, reward: Array) -> Array:
    outside = alive(operator)
    chain = chain_of(operator)
    gathered = np.where(outside, reward, 0.0)[chain.order]
    sums = np.zeros(outside.size)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # too long a time is refused by who asked
        totals = eliminate(chain, np.where(outside, absorption_of(operator), 1.0)[chain.order], gathered)
        for place in range(sums.size):
            first = max(0, place - chain.band)
            waiting = chain.rates[place, chain.band + first - place : chain.band] @ sums[first:place]
            sums[place] = (gathered[place] + waiting) / totals[place]
    ordered = np.empty_like(sums)
    ordered[chain.order] = sums
    return ordered
