"""Elimination of cells without subtraction: every result keeps a small relative error, however slow the escape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import as_strided
from scipy import sparse
from scipy.sparse.csgraph import reverse_cuthill_mckee

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.protocols import Array

__all__ = ["Chain", "absorption_of", "chain_of", "eliminate", "elimination_fits"]

_MOST_WORK = 4e9  # multiplications: several seconds


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


def elimination_fits(operator: Operator) -> bool:
    """Return whether the elimination of all cells takes some seconds at most (cells times band^2 below 4e9)."""
    return operator.negative_share == 0 and operator.grid.size * _order(operator)[1] ** 2 < _MOST_WORK


def chain_of(operator: Operator) -> Chain:
    """Return the hopping rates between the cells of an operator as a band of small width; exits are left out."""
    order, band = _order(operator)
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    inner = operator.right < operator.grid.size
    left, right = place[operator.left[inner]], place[operator.right[inner]]
    rates = np.zeros((order.size, 2 * band + 1))
    rates[left, band + right - left] = operator.forward[inner]
    rates[right, band + left - right] = operator.backward[inner]
    return Chain(order, band, rates)


def absorption_of(operator: Operator) -> Array:
    """Return the rate out of each cell into exits, shape (cell,), in loss/x^2."""
    outer = operator.right >= operator.grid.size
    return np.bincount(operator.left[outer], operator.forward[outer], minlength=operator.grid.size).astype(np.float64)


def _order(operator: Operator) -> tuple[NDArray[np.int64], int]:
    """Return an order of the cells and the largest distance of neighbours in it: by rows, or Cuthill and McKee's."""
    grid = operator.grid
    rows = np.arange(grid.size).reshape(grid.shape).transpose(np.argsort(grid.shape)[::-1]).ravel()
    inner = operator.right < grid.size
    left, right = operator.left[inner], operator.right[inner]
    if operator.reach == 1 and not any(map(grid.is_periodic, range(grid.dim))):
        return rows, _band(rows, left, right)
    graph = sparse.csr_array((np.ones(len(left)), (left, right)), shape=(grid.size, grid.size))
    found = reverse_cuthill_mckee(graph + graph.T, symmetric_mode=True).astype(np.int64)
    return min(((order, _band(order, left, right)) for order in (rows, found)), key=lambda pair: pair[1])


def _band(order: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64]) -> int:
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    return int(np.abs(place[left] - place[right]).max(initial=1))


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
