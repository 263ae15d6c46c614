"""Block terms within the parameters of another kernel: a kick that evaluates a field, for one.

Layout of the flat array: number of terms, then for each its address, its factor, how many parameters it has, and these.
Addresses travel as the bits of a float64.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.kernels.pointers import field_at
    from sgdphys.protocols import Term

__all__ = ["add_terms", "address_number", "nested"]


def address_number(address: int) -> float:
    """Return the float64 that has the bits of an address."""
    return float(np.array([address], dtype=np.uint64).view(np.float64)[0])


def nested(terms: Iterable[Term]) -> NDArray[np.float64]:
    """Lay out terms for :func:`add_terms`; compiles what has not been compiled."""
    listed = list(terms)
    pieces = [np.array([float(len(listed))])]
    for term in listed:
        own = np.ascontiguousarray(term.parameters, dtype=np.float64).ravel()
        head = np.array([address_number(term.kernel.address), term.factor, float(len(own))])
        pieces += [head, own]
    return np.concatenate(pieces)


def add_terms(parameters, x, factor, out):
    """Add ``factor`` times the sum of nested terms at ``x`` (coordinate, lane) to ``out``."""
    place = np.int64(1)
    for _ in range(np.int64(parameters[0])):
        address = np.float64(parameters[place]).view(np.uint64)
        first = place + 3
        last = first + np.int64(parameters[place + 2])
        field_at(address)(x, parameters[first:last], factor * parameters[place + 1], out)
        place = last
