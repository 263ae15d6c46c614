"""Multilinear interpolation between equally spaced knots, constant beyond them: values and divergences of D(x).

Parameters of all kernels: the number of rows of the table (1 for D = d 1, dim for a diagonal, dim^2 row by row), for
each axis its first knot, the inverse spacing and the number of knots, then the table: for each row an array of the
knots, last axis fastest. Weights are not negative and sum up to one, so that a D that is positive semi-definite at
the knots is so in between.
"""

from __future__ import annotations

import numpy as np

from sgdphys.kernels.splines import clamped

__all__ = [
    "multilinear_divergence_1", "multilinear_divergence_2", "multilinear_divergence_3", "multilinear_values_1",
    "multilinear_values_2", "multilinear_values_3",
]  # fmt: skip


def knot_weights(t, beyond):
    """Return the weights of the two knots of a cell; NaN at NaN."""
    t += 0.0 * beyond
    return 1.0 - t, t


def knot_slopes(beyond, inverse):
    """Return the weights of the two knots in the derivative, 0 beyond the knots."""
    slope = (inverse if beyond == 0.0 else 0.0) + 0.0 * beyond
    return -slope, slope


def along(position, parameters, axis, derived):
    """Return cell and weights along an axis, those of the derivative where ``derived`` is this axis."""
    cell, t, beyond = clamped(position, parameters, axis)
    if derived == axis:
        return cell, knot_slopes(beyond, parameters[2 + 3 * axis])
    return cell, knot_weights(t, beyond)


def edge(a, table, place):
    """Return the weighted sum of two knots in a row."""
    return a[0] * table[place] + a[1] * table[place + 1]


def face(a, b, table, place, stride):
    """Return the weighted sum of 2 x 2 knots."""
    return a[0] * edge(b, table, place) + a[1] * edge(b, table, place + stride)


def add_entry_1(x, parameters, entry, derived, factor, out):
    """Add an entry of the table of one coordinate, or its derivative, to one row."""
    first = 4 + entry * np.int64(parameters[3])
    for lane in range(x.shape[1]):
        i, a = along(x[0, lane], parameters, 0, derived)
        out[lane] += factor * edge(a, parameters, first + i)


def add_entry_2(x, parameters, entry, derived, factor, out):
    """Add an entry of the table of two coordinates, or its derivative by one of them, to one row."""
    stride = np.int64(parameters[6])
    first = 7 + entry * np.int64(parameters[3]) * stride
    for lane in range(x.shape[1]):
        i, a = along(x[0, lane], parameters, 0, derived)
        j, b = along(x[1, lane], parameters, 1, derived)
        out[lane] += factor * face(a, b, parameters, first + i * stride + j, stride)


def add_entry_3(x, parameters, entry, derived, factor, out):
    """Add an entry of the table of three coordinates, or its derivative by one of them, to one row."""
    second = np.int64(parameters[9])
    stride = np.int64(parameters[6]) * second
    first = 10 + entry * np.int64(parameters[3]) * stride
    for lane in range(x.shape[1]):
        i, a = along(x[0, lane], parameters, 0, derived)
        j, b = along(x[1, lane], parameters, 1, derived)
        k, c = along(x[2, lane], parameters, 2, derived)
        place = first + i * stride + j * second + k
        low = face(b, c, parameters, place, second)
        out[lane] += factor * (a[0] * low + a[1] * face(b, c, parameters, place + stride, second))


def entry_of(rows, dim, i, j):
    """Return the row of the table that holds D_ij, or -1 where that is zero."""
    if rows == dim * dim:
        return i * dim + j
    if i != j:
        return -1
    return 0 if rows == 1 else i


def multilinear_values_1(x, parameters, factor, out):
    """Add ``factor`` times each row of the table of one coordinate."""
    for row in range(out.shape[0]):
        add_entry_1(x, parameters, row, -1, factor, out[row])


def multilinear_values_2(x, parameters, factor, out):
    """Add ``factor`` times each row of the table of two coordinates."""
    for row in range(out.shape[0]):
        add_entry_2(x, parameters, row, -1, factor, out[row])


def multilinear_values_3(x, parameters, factor, out):
    """Add ``factor`` times each row of the table of three coordinates."""
    for row in range(out.shape[0]):
        add_entry_3(x, parameters, row, -1, factor, out[row])


def multilinear_divergence_1(x, parameters, factor, out):
    """Add ``factor`` times the derivative of the table of one coordinate."""
    add_entry_1(x, parameters, 0, 0, factor, out[0])


def multilinear_divergence_2(x, parameters, factor, out):
    """Add ``factor`` times the divergence of the matrix of two coordinates."""
    for i in range(2):
        for j in range(2):
            entry = entry_of(np.int64(parameters[0]), 2, i, j)
            if entry >= 0:
                add_entry_2(x, parameters, entry, j, factor, out[i])


def multilinear_divergence_3(x, parameters, factor, out):
    """Add ``factor`` times the divergence of the matrix of three coordinates."""
    for i in range(3):
        for j in range(3):
            entry = entry_of(np.int64(parameters[0]), 3, i, j)
            if entry >= 0:
                add_entry_3(x, parameters, entry, j, factor, out[i])
