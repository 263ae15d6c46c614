"""Correlations between a particle's state at an origin in time and later.

Both kernels keep the states at the origins in ``own``, (origin * coordinates, lane), NaN for lost lanes. Their
``parameters`` are d, the bound beyond which a lane is lost, the number m of coordinates looked at, m numbers of these,
the number n of the observer's times, n + 1 places where the tasks of a time begin, and the tasks: pairs of an origin
and the table row that takes the lag, or -1 where the state at the origin is to be noted.
"""

from __future__ import annotations

import numpy as np

from sgdphys.kernels.counting import is_kept

__all__ = ["squared_displacements", "time_correlation"]


def squared_displacements(before, after, lanes, place, row, settings, parameters, own, table):
    """Update count, mean and sum of squared deviations of |x - x0|^2 and of its m parts, columns 0, 1, 2, 1, 2, ..."""
    width = np.int64(parameters[2])
    first = 4 + width + np.int64(parameters[3 + width]) + 1
    for task in range(np.int64(parameters[4 + width + row]), np.int64(parameters[5 + width + row])):
        origin = width * np.int64(parameters[first + 2 * task])
        line = np.int64(parameters[first + 2 * task + 1])
        if line < 0:
            note_origin(after, parameters, width, origin, own)
        else:
            for lane in range(lanes):
                if is_kept(after, lane, parameters) and not np.isnan(own[origin, lane]):
                    add_displacement(after, lane, parameters, width, origin, own, table, line)


def note_origin(x, parameters, width, origin, own):
    """Keep the state of all lanes, NaN for the lost."""
    for lane in range(x.shape[1]):
        kept = is_kept(x, lane, parameters)
        for k in range(width):
            own[origin + k, lane] = x[np.int64(parameters[3 + k]), lane] if kept else np.nan


def add_displacement(x, lane, parameters, width, origin, own, table, line):
    """Update mean and squared deviations (Welford 1962, Technometrics 4, 419)."""
    table[line, 0] += 1.0
    total = 0.0
    for k in range(width):
        change = x[np.int64(parameters[3 + k]), lane] - own[origin + k, lane]
        total += change * change
        add_sample(change * change, table, line, 3 + 2 * k)
    add_sample(total, table, line, 1)


def add_sample(value, table, line, column):
    """Update the mean and the sum of squared deviations in two columns; the first column has the count."""
    delta = value - table[line, column]
    table[line, column] += delta / table[line, 0]
    table[line, column + 1] += delta * (value - table[line, column])


def time_correlation(before, after, lanes, place, row, settings, parameters, own, table):
    """Update count, means at the origin and now, co-moments, and squares of their symmetric and antisymmetric parts."""
    width = np.int64(parameters[2])
    first = 4 + width + np.int64(parameters[3 + width]) + 1
    for task in range(np.int64(parameters[4 + width + row]), np.int64(parameters[5 + width + row])):
        origin = width * np.int64(parameters[first + 2 * task])
        line = np.int64(parameters[first + 2 * task + 1])
        if line < 0:
            note_origin(after, parameters, width, origin, own)
        else:
            for lane in range(lanes):
                if is_kept(after, lane, parameters) and not np.isnan(own[origin, lane]):
                    add_pair(after, lane, parameters, width, origin, own, table, line)


def add_pair(x, lane, parameters, width, origin, own, table, line):
    """Update with one lane.

    The n-th lane adds q = (a - mean of n - 1 earlier a)(b - mean of n b), which is the exact change of the co-moment
    and, from the second lane on, an unbiased sample of the covariance; squares of such samples tell its error.
    """
    table[line, 0] += 1.0
    count = table[line, 0]
    product = 1 + 2 * width
    square = product + width * width
    for i in range(width):
        mean = 1 + width + i
        table[line, mean] += (x[np.int64(parameters[3 + i]), lane] - table[line, mean]) / count
    for i in range(width):
        for j in range(i + 1):
            p = moment_sample(x, lane, parameters, width, origin, own, table, line, i, j)
            q = moment_sample(x, lane, parameters, width, origin, own, table, line, j, i)
            table[line, product + i * width + j] += p
            table[line, square + j * width + i] += 0.25 * (p + q) * (p + q)
            if i != j:
                table[line, product + j * width + i] += q
                table[line, square + i * width + j] += 0.25 * (p - q) * (p - q)
    for i in range(width):
        table[line, 1 + i] += (own[origin + i, lane] - table[line, 1 + i]) / count


def moment_sample(x, lane, parameters, width, origin, own, table, line, i, j):
    """Return the deviation of coordinate i at the origin, times that of coordinate j now."""
    early = own[origin + i, lane] - table[line, 1 + i]
    return early * (x[np.int64(parameters[3 + j]), lane] - table[line, 1 + width + j])
