"""Elimination of cells without subtraction: every result keeps a small relative error, however slow the escape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import as_strided

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.protocols import Array

__all__ = ["Chain", "chain_of", "eliminate", "elimination_work"]


@dataclass(frozen=True)
class Chain:
    """Hopping rates in the order of elimination, as a band.

    Parameters
    ----------
    order
        The cell at each place, shape (place,); the first axis to vary is the longest.
    band
        Largest distance, in places, between neighbours.
    rates
        ``rates[i, band + j - i]`` is the rate from place i to place j, shape (place, 2 band + 1), in loss/x^2.
    """

    order: NDArray[np.int64]
    band: int
    rates: Array


def elimination_work(grid: Grid) -> float:
    """Return the number of multiplications that the elimination of all cells takes."""
    return grid.size * (grid.size / max(grid.shape)) ** 2


def chain_of(operator: Operator) -> Chain:
    """Return the hopping rates of an operator as a band of the least width."""
    grid = operator.grid
    order = np.arange(grid.size).reshape(grid.shape).transpose(np.argsort(grid.shape)[::-1]).ravel()
    band = grid.size // max(grid.shape)
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    left, right = place[operator.left], place[operator.right]
    rates = np.zeros((order.size, 2 * band + 1))
    rates[left, band + right - left] = operator.forward
    rates[right, band + left - right] = operator.backward
    return Chain(order, band, rates)


def eliminate(chain: Chain, absorption: Array, duration: Array) -> Array:
    """Censor one place after another, from the last one on, in place.

    A path through an eliminated place becomes a direct hop, at the rate in * out / (total out). Only positive numbers
    are added, multiplied and divided, so rounding errors are relative to each entry.

    Parameters
    ----------
    chain
        The rates; the upper ones, into each eliminated place, become divided by its total.
    absorption
        Rate of leaving for good, shape (place,), in loss/x^2; becomes that past the eliminated places.
    duration
        Shape (place,), in units of a place's own stay; grows by what is spent in the eliminated places.

    Returns
    -------
    Array
        The total rate out of every place when its turn came, shape (place,), in loss/x^2.

    References
    ----------
    Grassmann, Taksar & Heyman 1985, Oper. Res. 33, 1107.
    """
    rates, band = chain.rates, chain.band
    step, width = rates.strides
    totals = np.empty(len(rates))
    for place in range(len(rates) - 1, -1, -1):
        first = max(0, place - band)
        rows = np.arange(first, place)
        outgoing = rates[place, band + first - place : band]
        totals[place] = outgoing.sum() + absorption[place]
        incoming = rates[rows, band + place - rows] / totals[place]
        rates[rows, band + place - rows] = incoming
        window = as_strided(rates[first:, band:], (place - first, place - first), (step - width, width))
        window += incoming[:, None] * outgoing
        absorption[first:place] += incoming * absorption[place]
        duration[first:place] += incoming * duration[place]
    return totals
