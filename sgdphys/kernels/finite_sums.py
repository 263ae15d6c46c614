"""Block kernels of losses that are a mean over samples: the gathers and the linear models.

The data of a finite sum are a flat table, one row a sample: its inputs, then its target. A sample kernel first gathers
the row of each lane into its work, in tiles of four rows by four numbers, and then computes on contiguous lanes; a
table by columns would be slower, the more so where a column leaves the first-level cache. Fields go over all
samples and keep what they need between two passes over the coordinates in a row on the stack.

``loss_of(prediction, target)`` and ``slope_of``, its derivative by the prediction, are bound when a kernel is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgdphys.kernels.linear_algebra import accumulate_product
from sgdphys.kernels.vector_math import exp, log

if TYPE_CHECKING:
    from sgdphys.kernels.row_tiles import TILE_SIDE, turn_tile
    from sgdphys.kernels.stack import STACK_LANES, stack_row

    def loss_of(prediction, target): ...  # the stand-in for what a kernel is bound to

    def slope_of(prediction, target): ...


__all__ = [
    "gather_rows", "least_squares_gradient", "least_squares_potential", "linear_model_gradient",
    "linear_model_potential", "linear_model_sample", "logistic_loss", "logistic_slope", "phase_loss", "phase_slope",
    "squared_loss", "squared_slope",
]  # fmt: skip

FAST_MATH = ("contract", "nsz")  # lanes of a vector and of its remainder must add up in the same order


def squared_loss(prediction, target):
    """Return half the squared residual."""
    return 0.5 * (prediction - target) * (prediction - target)


def squared_slope(prediction, target):
    """Return the residual."""
    return prediction - target


def logistic_loss(prediction, target):
    """Return minus the log probability of the label 0 or 1 at these log odds, log(1 + exp(p)) - y p."""
    size = prediction if prediction > 0.0 else -prediction
    return 0.5 * (size + prediction) + log(1.0 + exp(-size)) - target * prediction


def logistic_slope(prediction, target):
    """Return the probability of the label 1 minus the label."""
    return 1.0 / (1.0 + exp(-prediction)) - target


def phase_loss(prediction, target):
    """Return (p^2 - y)^2 / 4."""
    excess = prediction * prediction - target
    return 0.25 * excess * excess


def phase_slope(prediction, target):
    """Return (p^2 - y) p."""
    return (prediction * prediction - target) * prediction


def gather_rows(table, indices, length, work):
    """Copy row ``indices[lane]`` of the flat ``table``, ``length`` numbers, to the column ``work[:length, lane]``."""
    lanes = indices.shape[0]
    tiled = lanes - lanes % TILE_SIDE if length >= TILE_SIDE else 0
    for column in range(0, length if tiled else 0, TILE_SIDE):
        top = min(column, length - TILE_SIDE)  # the last tile may overlap the one before
        for lane in range(0, tiled, TILE_SIDE):
            first, second = indices[np.uint64(lane)], indices[np.uint64(lane + 1)]
            third, fourth = indices[np.uint64(lane + 2)], indices[np.uint64(lane + 3)]
            starts = first * length + top, second * length + top, third * length + top, fourth * length + top
            turn_tile(table, starts, work, (top, lane))
    for column in range(length):
        for lane in range(tiled, lanes):
            work[column, lane] = table[np.uint64(indices[lane] * length + column)]


def linear_model_sample(x, parameters, indices, weights, work, out):
    """Add the gradients ``slope_of(a . x, y) a``; parameters are the table of (a, y); work has dim + 2 rows."""
    dim = x.shape[0]
    lanes = x.shape[1]
    gather_rows(parameters, indices, dim + 1, work)
    slopes = work[dim + 1]
    for lane in range(lanes):
        slopes[lane] = 0.0
    whole = dim - dim % 4
    for row in range(0, whole, 4):
        for lane in range(lanes):
            first = work[row, lane] * x[row, lane] + work[row + 1, lane] * x[row + 1, lane]
            second = work[row + 2, lane] * x[row + 2, lane] + work[row + 3, lane] * x[row + 3, lane]
            slopes[lane] += first + second
    for row in range(whole, dim):
        for lane in range(lanes):
            slopes[lane] += work[row, lane] * x[row, lane]
    for lane in range(lanes):
        slopes[lane] = weights[lane] * slope_of(slopes[lane], work[dim, lane])
    for row in range(dim):
        for lane in range(lanes):
            out[row, lane] += slopes[lane] * work[row, lane]


def predict(x, parameters, start, first, count, predictions):
    """Write a . x of the sample whose row starts at ``start``, for ``count`` lanes from ``first`` on."""
    for lane in range(count):
        predictions[lane] = 0.0
    for row in range(x.shape[0]):
        weight = parameters[start + row]
        for lane in range(count):
            predictions[lane] += weight * x[row, np.uint64(first + lane)]


def linear_model_gradient(x, parameters, factor, out):
    """Add ``factor`` times the mean over samples of ``slope_of(a . x, y) a``; parameters are the table of (a, y)."""
    dim = x.shape[0]
    samples = parameters.shape[0] // (dim + 1)
    weight = factor / samples
    slopes = stack_row()
    for first in range(0, x.shape[1], STACK_LANES):
        count = min(STACK_LANES, x.shape[1] - first)
        for sample in range(samples):
            start = sample * (dim + 1)
            predict(x, parameters, start, first, count, slopes)
            target = parameters[start + dim]
            for lane in range(count):
                slopes[lane] = weight * slope_of(slopes[lane], target)
            for row in range(dim):
                entry = parameters[start + row]
                for lane in range(count):
                    out[row, np.uint64(first + lane)] += entry * slopes[lane]


def linear_model_potential(x, parameters, factor, out):
    """Add ``factor`` times the mean over samples of ``loss_of(a . x, y)``; parameters are the table of (a, y)."""
    dim = x.shape[0]
    samples = parameters.shape[0] // (dim + 1)
    weight = factor / samples
    predictions = stack_row()
    for first in range(0, x.shape[1], STACK_LANES):
        count = min(STACK_LANES, x.shape[1] - first)
        for sample in range(samples):
            start = sample * (dim + 1)
            predict(x, parameters, start, first, count, predictions)
            target = parameters[start + dim]
            for lane in range(count):
                out[0, np.uint64(first + lane)] += weight * loss_of(predictions[lane], target)


def least_squares_gradient(x, parameters, factor, out):
    """Add ``factor * H (x - c)``; parameters are H row by row, then H c."""
    dim = x.shape[0]
    accumulate_product(parameters[: dim * dim], x, factor, out)
    for row in range(dim):
        shift = factor * parameters[dim * dim + row]
        for lane in range(x.shape[1]):
            out[row, lane] -= shift


def least_squares_potential(x, parameters, factor, out):
    """Add ``factor * (constant + (x - c)^T H (x - c) / 2)``; parameters are the constant, c, and H row by row."""
    dim = x.shape[0]
    constant = factor * parameters[0]
    for lane in range(x.shape[1]):
        out[0, lane] += constant
    for row in range(dim):
        for column in range(row + 1):
            weight = factor * parameters[1 + dim + row * dim + column] * (0.5 if row == column else 1.0)
            left, right = parameters[1 + row], parameters[1 + column]
            for lane in range(x.shape[1]):
                out[0, lane] += weight * (x[row, lane] - left) * (x[column, lane] - right)
