"""Sums of block kernels among an observer's parameters: energies that it evaluates on the way.

A sum is laid out as: number of terms, total length; for each term the address of its kernel, its factor and the number
of its parameters; then all parameters.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels.blocks import pack
from sgdphys.protocols import Term

if TYPE_CHECKING:
    from sgdphys.kernels.pointers import field_at

__all__ = ["add_listed", "as_number", "listed", "listed_length"]

HEAD = 2
PER_TERM = 3


def add_listed(numbers, x, factor, out):
    """Add ``factor`` times the sum laid out in ``numbers`` at ``x`` (coordinate, lane) to ``out``."""
    terms = np.int64(numbers[0])
    first = HEAD + PER_TERM * terms
    for k in range(terms):
        place = HEAD + PER_TERM * k
        length = np.int64(numbers[place + 2])
        term = field_at(np.float64(numbers[place]).view(np.uint64))
        term(x, numbers[first : first + length], factor * numbers[place + 1], out)
        first += length


def listed_length(numbers):
    """Return how many numbers the sum takes."""
    return np.int64(numbers[1])


def listed(terms: Iterable[Term]) -> NDArray[np.float64]:
    """Return terms laid out for an observer's parameters; compiles what has not been compiled."""
    program = pack(terms)
    lengths = np.diff(program.offsets)
    table = np.stack([program.addresses.view(np.float64), program.factors, lengths.astype(np.float64)], axis=1)
    length = HEAD + table.size + len(program.parameters)
    return np.concatenate([[float(len(lengths)), float(length)], table.ravel(), program.parameters])


def as_number(address: int) -> float:
    """Return an address as the float64 of the same bits, to travel among the parameters."""
    return float(np.array([address], dtype=np.uint64).view(np.float64)[0])
