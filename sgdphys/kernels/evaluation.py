"""Sums of block kernels: how compiled code adds them up, and their Python face."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels.blocks import PROGRAM, pack
from sgdphys.kernels.compile import compile_function
from sgdphys.kernels.source import FAST_MATH, source_text
from sgdphys.protocols import Term

if TYPE_CHECKING:
    from sgdphys.kernels.pointers import field_at

__all__ = ["add_field", "evaluate"]

Array = NDArray[np.float64]
WIDTH = 256


def add_field(program, x, factor, out):
    """Add ``factor`` times the sum of the program's terms at ``x`` (coordinate, lane) to ``out``."""
    addresses, factors, offsets, parameters = program
    if len(addresses) == 1:  # no slice to take, which a step of a single particle would notice
        field_at(addresses[0])(x, parameters, factor * factors[0], out)
        return
    for k in range(len(addresses)):
        term = field_at(addresses[k])
        term(x, parameters[offsets[k] : offsets[k + 1]], factor * factors[k], out)


def evaluate_points(program, points, x, block, out):
    """Write the field at ``points`` (particle, coordinate) to ``out`` (particle, row); x and block are scratch."""
    for first in range(0, points.shape[0], WIDTH):
        lanes = min(WIDTH, points.shape[0] - first)
        for coordinate in range(x.shape[0]):
            for lane in range(WIDTH):
                x[coordinate, lane] = points[first + min(lane, lanes - 1), coordinate]
        for row in range(block.shape[0]):
            for lane in range(WIDTH):
                block[row, lane] = 0.0
        add_field(program, x, 1.0, block)
        for lane in range(lanes):
            for row in range(out.shape[1]):
                out[first + lane, row] = block[row, lane]


@functools.cache
def _compiled() -> Any:
    text = source_text(evaluate_points)
    signature = f"'void({PROGRAM}, float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1])'"
    return compile_function("evaluate_points", signature, FAST_MATH, text, lambda: text)


def evaluate(terms: Iterable[Term], x: Array, rows: int) -> Array:
    """Evaluate a sum of block kernels.

    Parameters
    ----------
    terms
        The summands.
    x
        Points, shape (particle, coordinate).
    rows
        Values per point: 1 for a potential, dim for a gradient, dim^2 for a Hessian.

    Returns
    -------
    Array
        Values, shape (particle, rows).
    """
    points = np.require(x, np.float64, ("C", "W"))  # compiled code takes no read-only array
    out = np.empty((len(points), rows))
    if len(points):
        _compiled()(tuple(pack(terms)), points, np.zeros((points.shape[1], WIDTH)), np.zeros((rows, WIDTH)), out)
    return out
