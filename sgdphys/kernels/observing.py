"""Observers' kernels: ``observe(before, after, lanes, place, row, settings, parameters, own, table)``.

before, after
    State (row, lane) before and after the step; at an observer's own times ``after`` is the present state.
lanes
    How many lanes are in use.
place
    uint64: key, number of the first lane's particle, step. After each step that is the step just taken, whose end is
    at ``settings[TIME] + settings[DT]``; at an observer's own times the present step, at ``settings[TIME]``.
row
    Number of the observer's own time, or -1 after each step.
settings, parameters
    Numbers of this step (``kernels.settings``), and of the observer.
own
    The observer's memory of each particle, (row, lane).
table
    Its table (row, column) of a granule of 4096 particles, which every block of the granule updates in turn, or for
    exact counts of a thread's share. Sums of a granule run over groups of 64 lanes in a fixed order, so that they do
    not depend on the size of a block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgdphys.kernels.divergence import lane_is_lost
from sgdphys.kernels.philox import STREAMS, draw
from sgdphys.kernels.settings import AMPLITUDE, DT, TIME
from sgdphys.kernels.vector_math import exp

if TYPE_CHECKING:
    from sgdphys.kernels.pointers import field_at

__all__ = ["GRANULE", "GROUP", "first_passage", "moments"]

GRANULE = 4096  # particles whose sums are kept together, whatever the blocks and threads
GROUP = 64
BRIDGE_STREAM = np.uint64(STREAMS["bridge"])
NO_GROUP = np.uint64(0)
UNIT = 2.3283064365386963e-10  # 2^-32
SMALLEST_EXPONENT = -22.9  # chances below 2^-33 never happen, because the smallest draw is that


def moments(before, after, lanes, place, row, settings, parameters, own, table):
    """Merge the block's moments into ``table[row]``.

    They are count, mean, co-moments (d, d), third and fourth central sums (d). Groups of 64 lanes are merged by the
    pairwise formulas of Pebay 2008 (SAND2008-6212, eqs. 1.6-3.1), which do not cancel. Lanes beyond the bound are left
    out; ``parameters`` are d and that bound.
    The last 3 d + d^2 + 1 columns are scratch for a group.
    """
    dim = np.int64(parameters[0])
    size = 1 + 3 * dim + dim * dim
    total = table[row, :size]
    group = table[row, size : 2 * size]
    for first in range(0, lanes, GROUP):
        group_moments(after, first, min(first + GROUP, lanes), dim, parameters[1], group)
        merge_moments(dim, group, total)


def group_moments(x, first, last, dim, bound, out):
    """Write count, mean, co-moments, third and fourth central sums of lanes ``first`` to ``last`` to ``out``."""
    lost = 0
    for row in range(dim):
        for lane in range(first, last):
            lost += 0 if abs(x[row, lane]) < bound else 1
    if lost == 0:
        whole_group_moments(x, first, last, dim, out)
    else:
        partial_group_moments(x, first, last, dim, bound, out)


def whole_group_moments(x, first, last, dim, out):
    """Do so where every lane counts; the lane loops vectorise."""
    count = np.float64(last - first)
    third = 1 + dim + dim * dim
    out[0] = count
    for i in range(dim):
        total = 0.0
        for lane in range(first, last):
            total += x[i, lane]
        out[1 + i] = total / count
    for i in range(dim):
        mean = out[1 + i]
        cubes = 0.0
        fourths = 0.0
        for lane in range(first, last):
            u = x[i, lane] - mean
            cubes += u * u * u
            fourths += u * u * u * u
        out[third + i] = cubes
        out[third + dim + i] = fourths
        for j in range(i + 1):
            products = 0.0
            for lane in range(first, last):
                products += (x[i, lane] - mean) * (x[j, lane] - out[1 + j])
            out[1 + dim + i * dim + j] = products
            out[1 + dim + j * dim + i] = products


def partial_group_moments(x, first, last, dim, bound, out):
    """Do so without the lost lanes."""
    for k in range(len(out)):
        out[k] = 0.0
    for lane in range(first, last):
        if not lane_is_lost(x, dim, lane, bound):
            out[0] += 1.0
            for i in range(dim):
                out[1 + i] += x[i, lane]
    if out[0] == 0.0:
        return
    for i in range(dim):
        out[1 + i] /= out[0]
    third = 1 + dim + dim * dim
    for lane in range(first, last):
        if not lane_is_lost(x, dim, lane, bound):
            for i in range(dim):
                u = x[i, lane] - out[1 + i]
                for j in range(dim):
                    out[1 + dim + i * dim + j] += u * (x[j, lane] - out[1 + j])
                out[third + i] += u * u * u
                out[third + dim + i] += u * u * u * u


def merge_moments(dim, source, target):
    """Merge the moments ``source`` into ``target``."""
    a = target[0]
    b = source[0]
    if b == 0.0:
        return
    n = a + b
    second = 1 + dim
    third = second + dim * dim
    fourth = third + dim
    for i in range(dim):
        delta = source[1 + i] - target[1 + i]
        m2a = target[second + i * dim + i]
        m2b = source[second + i * dim + i]
        m3a = target[third + i]
        m3b = source[third + i]
        target[fourth + i] += (
            source[fourth + i]
            + delta**4 * a * b * (a * a - a * b + b * b) / (n * n * n)
            + 6.0 * delta * delta * (a * a * m2b + b * b * m2a) / (n * n)
            + 4.0 * delta * (a * m3b - b * m3a) / n
        )
        target[third + i] += m3b + delta**3 * a * b * (a - b) / (n * n) + 3.0 * delta * (a * m2b - b * m2a) / n
    for i in range(dim):
        for j in range(dim):
            product = (source[1 + i] - target[1 + i]) * (source[1 + j] - target[1 + j])
            target[second + i * dim + j] += source[second + i * dim + j] + product * a * b / n
    for i in range(dim):
        target[1 + i] += (source[1 + i] - target[1 + i]) * b / n
    target[0] = n


def first_passage(before, after, lanes, place, row, settings, parameters, own, table):
    """Note in ``own`` the time at which each lane first lies in the region; the table is scratch.

    Parameters: address of the region's indicator, the run's first step, then for the bridge 1 or 0, D of the
    coordinate across the boundary, its number and the boundary, then the region's own parameters. With the bridge, a
    step whose ends lie at the distances l0 and l1 outside has crossed with probability exp(-2 l0 l1 / (2 T D dt)); a
    lane that has been inside has its time already.
    """
    indicator = field_at(np.float64(parameters[0]).view(np.uint64))
    numbers = parameters[6:]
    width = after.shape[1]
    inside = table[0, :width].reshape((1, width))
    if place[2] == np.uint64(parameters[1]):
        note_inside(indicator, before, numbers, settings[TIME], inside, own)
    end = settings[TIME] + settings[DT]
    note_inside(indicator, after, numbers, end, inside, own)
    if parameters[2] != 0.0:
        variance = settings[AMPLITUDE] * settings[AMPLITUDE] * parameters[3]
        note_crossed(before, after, place, end, variance, np.int64(parameters[4]), parameters[5], own)


def note_crossed(before, after, place, time, variance, row, level, own):
    """Draw for each lane without a time whether the bridge of this step crossed the boundary; few are near enough."""
    scale = -2.0 / variance
    for lane in range(after.shape[1]):
        exponent = scale * (before[row, lane] - level) * (after[row, lane] - level)
        if exponent > SMALLEST_EXPONENT and np.isnan(own[0, lane]):
            step = place[2] + np.uint64(1)
            word, _w1, _w2, _w3 = draw(place[0], place[1] + np.uint64(lane), step, BRIDGE_STREAM, NO_GROUP)
            if (np.float64(word) + 0.5) * UNIT < exp(exponent):
                own[0, lane] = time


def note_inside(indicator, x, parameters, time, inside, own):
    """Write ``time`` to the first row of ``own`` for lanes that are inside and have no time yet."""
    for lane in range(x.shape[1]):
        inside[0, lane] = 0.0
    indicator(x, parameters, 1.0, inside)
    for lane in range(x.shape[1]):
        own[0, lane] = time if (inside[0, lane] > 0.5) & np.isnan(own[0, lane]) else own[0, lane]
