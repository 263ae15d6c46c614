"""Block kernels of losses whose prediction is a product of parameters: diagonal linear networks, matrix factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgdphys.kernels.finite_sums import gather_rows

if TYPE_CHECKING:
    from sgdphys.kernels.stack import STACK_LANES, stack_row

__all__ = [
    "diagonal_network_gradient", "diagonal_network_potential", "diagonal_network_sample", "factorisation_gradient",
    "factorisation_potential", "factorisation_sample",
]  # fmt: skip

FAST_MATH = ("contract", "nsz")  # lanes of a vector and of its remainder must add up in the same order


def diagonal_network_sample(x, parameters, indices, weights, work, out):
    """Add the gradients of half the squared residual of a . (u u - v v); work has features + 2 rows."""
    features = x.shape[0] // 2
    lanes = x.shape[1]
    gather_rows(parameters, indices, features + 1, work)
    residual = work[features + 1]
    for lane in range(lanes):
        residual[lane] = -work[features, lane]
    for row in range(features):
        for lane in range(lanes):
            u, v = x[row, lane], x[features + row, lane]
            residual[lane] += work[row, lane] * (u * u - v * v)
    for lane in range(lanes):
        residual[lane] *= 2.0 * weights[lane]
    for row in range(features):
        for lane in range(lanes):
            signal = residual[lane] * work[row, lane]
            out[row, lane] += signal * x[row, lane]
            out[features + row, lane] -= signal * x[features + row, lane]


def find_diagonal_residual(x, parameters, start, first, residual):
    """Write prediction minus target of the sample whose row starts at ``start``, for the lanes from ``first`` on."""
    features = x.shape[0] // 2
    for lane in range(residual.shape[0]):
        residual[lane] = -parameters[start + features]
    for row in range(features):
        entry = parameters[start + row]
        for lane in range(residual.shape[0]):
            u, v = x[row, np.uint64(first + lane)], x[features + row, np.uint64(first + lane)]
            residual[lane] += entry * (u * u - v * v)


def diagonal_network_gradient(x, parameters, factor, out):
    """Add ``factor`` times the mean gradient over all samples; parameters are the table of (a, y)."""
    features = x.shape[0] // 2
    samples = parameters.shape[0] // (features + 1)
    residual_row = stack_row()
    for first in range(0, x.shape[1], STACK_LANES):
        count = min(STACK_LANES, x.shape[1] - first)
        residual = residual_row[:count]
        for sample in range(samples):
            start = sample * (features + 1)
            find_diagonal_residual(x, parameters, start, first, residual)
            for row in range(features):
                weight = 2.0 * factor / samples * parameters[start + row]
                for lane in range(count):
                    out[row, np.uint64(first + lane)] += weight * residual[lane] * x[row, np.uint64(first + lane)]
                    out[features + row, np.uint64(first + lane)] -= (
                        weight * residual[lane] * x[features + row, np.uint64(first + lane)]
                    )


def diagonal_network_potential(x, parameters, factor, out):
    """Add ``factor`` times the mean of half the squared residual; parameters are the table of (a, y)."""
    features = x.shape[0] // 2
    samples = parameters.shape[0] // (features + 1)
    weight = 0.5 * factor / samples
    residual_row = stack_row()
    for first in range(0, x.shape[1], STACK_LANES):
        count = min(STACK_LANES, x.shape[1] - first)
        residual = residual_row[:count]
        for sample in range(samples):
            find_diagonal_residual(x, parameters, sample * (features + 1), first, residual)
            for lane in range(count):
                out[0, np.uint64(first + lane)] += weight * residual[lane] * residual[lane]


def factorisation_sample(x, parameters, indices, weights, work, out):
    """Add the gradients of half the squared residual of entries of U V^T; work has 4 rows.

    Parameters are the number of rows of the matrix, the rank, and the table of (row, column, value).
    """
    rank = np.uint64(parameters[1])
    columns = np.uint64(parameters[0]) * rank
    lanes = x.shape[1]
    gather_rows(parameters[2:], indices, 3, work)
    residual = work[3]
    for lane in range(lanes):
        residual[lane] = -work[2, lane]
    for k in range(rank):
        for lane in range(lanes):
            u, v = np.uint64(work[0, lane]) * rank + k, columns + np.uint64(work[1, lane]) * rank + k
            residual[lane] += x[u, lane] * x[v, lane]
    for lane in range(lanes):
        residual[lane] *= weights[lane]
    for k in range(rank):
        for lane in range(lanes):
            u, v = np.uint64(work[0, lane]) * rank + k, columns + np.uint64(work[1, lane]) * rank + k
            out[u, lane] += residual[lane] * x[v, lane]
            out[v, lane] += residual[lane] * x[u, lane]


def entry_places(parameters, sample):
    """Return the coordinates where the row of U and the row of V of a sample start."""
    rank = int(parameters[1])
    return int(parameters[2 + 3 * sample]) * rank, int(parameters[0] + parameters[3 + 3 * sample]) * rank


def find_entry_residual(x, parameters, sample, first, residual):
    """Write the entry of U V^T minus its target, for the lanes from ``first`` on."""
    u, v = entry_places(parameters, sample)
    for lane in range(residual.shape[0]):
        residual[lane] = -parameters[4 + 3 * sample]
    for k in range(int(parameters[1])):
        for lane in range(residual.shape[0]):
            residual[lane] += x[u + k, np.uint64(first + lane)] * x[v + k, np.uint64(first + lane)]


def factorisation_gradient(x, parameters, factor, out):
    """Add ``factor`` times the mean gradient over all entries."""
    samples = (parameters.shape[0] - 2) // 3
    weight = factor / samples
    residual_row = stack_row()
    for first in range(0, x.shape[1], STACK_LANES):
        count = min(STACK_LANES, x.shape[1] - first)
        residual = residual_row[:count]
        for sample in range(samples):
            find_entry_residual(x, parameters, sample, first, residual)
            u, v = entry_places(parameters, sample)
            for k in range(int(parameters[1])):
                for lane in range(count):
                    out[u + k, np.uint64(first + lane)] += weight * residual[lane] * x[v + k, np.uint64(first + lane)]
                    out[v + k, np.uint64(first + lane)] += weight * residual[lane] * x[u + k, np.uint64(first + lane)]


def factorisation_potential(x, parameters, factor, out):
    """Add ``factor`` times the mean of half the squared residual over all entries."""
    samples = (parameters.shape[0] - 2) // 3
    weight = 0.5 * factor / samples
    residual_row = stack_row()
    for first in range(0, x.shape[1], STACK_LANES):
        count = min(STACK_LANES, x.shape[1] - first)
        residual = residual_row[:count]
        for sample in range(samples):
            find_entry_residual(x, parameters, sample, first, residual)
            for lane in range(count):
                out[0, np.uint64(first + lane)] += weight * residual[lane] * residual[lane]
