"""The time loop over blocks of particles, compiled once for each integrator step.

A block is advanced over a whole stretch of frames while it lies in the cache; normals, gradient, kick and observers
are called through function pointers, once per block and step (normals once per four steps).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.kernels.blocks import PROGRAM, NormalsKernel
from sgdphys.kernels.compile import compile_function
from sgdphys.kernels.divergence import count_lost
from sgdphys.kernels.forces import copy_rows
from sgdphys.kernels.normals import fill_normals
from sgdphys.kernels.philox import STREAMS
from sgdphys.kernels.settings import DT, TIME
from sgdphys.kernels.source import FAST_MATH, source_text

if TYPE_CHECKING:
    from sgdphys.kernels.pointers import normals_at, observer_at
    from sgdphys.kernels.steps import euler_maruyama_step as step_of

__all__ = ["NORMALS", "compiled_loop"]

NORMALS = NormalsKernel(fill_normals)  # apart, because it vectorises worse when it is inlined into the loop
KICK_STREAM = np.uint64(STREAMS["kick"])
FIELDS = f"Tuple(({PROGRAM}, {PROGRAM}, {PROGRAM}, {PROGRAM}))"
MATRIX = "float64[:, ::1]"
SIGNATURE = (
    "'void(float64[:, :, ::1], int64[::1], int64, uint64, int64, int64, int64, int64, uint64, uint64, int64, "
    f"int64[::1], int64[::1], float64[:, :, ::1], {FIELDS}, {PROGRAM}, {MATRIX}, float64, uint64[::1], int64[:, ::1], "
    f"int64[:, ::1], float64[::1], float64[::1], float64[::1], uint32[:, ::1], float32[:, :, ::1], {MATRIX}, {MATRIX}, "
    f"Tuple(({MATRIX}, int64[:, ::1])), float64[::1], uint64[::1])'"
)


def advance(
    blocks, lost, dim, particle, offset, particles, channels, ahead, fill, key, step, frames, rows, out, fields, kick,
    table, bound, observers, layout, looks, parameters, own, tables, words, normals, before, after, scratch, settings,
    place,
):  # fmt: skip
    """Advance ``blocks`` (block, row, lane) from ``step`` through the steps ``frames``.

    ``particle`` numbers the first lane in the random counters, ``offset`` in ``out``; ``particles`` is how many lanes
    are in use, ``fill`` where the kernel of the deviates starts, ``ahead`` whether the step also reads those of the
    next one. At ``frames[k]`` the state goes to ``out[rows[k]]`` (frame, particle, row) unless ``rows[k]`` is
    negative. ``table`` has the settings: one line, or one for each step from ``step`` on. ``layout`` has a line for
    each observer, see ``call_observer``; ``looks[observer, k]`` is the row of the observer's own time table at frame
    k, or negative. ``lost`` takes the number of lost numbers in each block at the end, coordinates beyond ``bound``
    among them. The last arrays are scratch: random bits, deviates of a power of two of steps (twice that with
    ``ahead``), two of (row, lane), those of the step, the settings of one step and its place.
    """
    width = blocks.shape[2]
    ring = normals.shape[0] - 1
    place[0] = key
    for block in range(blocks.shape[0]):
        lanes = min(width, particles - block * width)
        place[1] = particle + np.uint64(block * width)
        copy_rows(blocks[block], before)
        now = step
        filled = np.int64(-1)
        for k in range(len(settings)):
            settings[k] = table[0, k]
        for frame in range(len(frames)):
            while now < frames[frame]:
                filled = fill_deviates(fill, place, filled, now, ahead, channels, words, normals)
                set_settings(table, now, step, settings)
                place[2] = np.uint64(now)
                more = (scratch[0], scratch[1], normals[(now + ahead) & ring])
                step_of(before, after, dim, fields, kick, normals[now & ring], settings, place, more)
                now += 1
                before, after = after, before
                watch_step(observers, layout, block, (after, before), lanes, place, settings, parameters, own, tables)
            if rows[frame] >= 0:
                save_rows(before, lanes, out[rows[frame]], offset + block * width)
            place[2] = np.uint64(now)
            set_settings(table, now, step, settings)
            rows_now = looks[:, frame]
            watch_frame(
                observers, layout, block, (after, before), lanes, place, rows_now, settings, parameters, own, tables
            )
        copy_rows(before, blocks[block])
        lost[block] = count_lost(before, lanes, dim, bound)


def fill_deviates(fill, place, filled, now, ahead, channels, words, normals):
    """Make the deviates of this step, and of the next one for ``ahead``.

    ``normals`` holds one part of a power of two of steps, or with ``ahead`` two in turn; ``filled`` is the last part
    that is there, negative at the beginning.

    Returns
    -------
    int
        The last part that is there now.
    """
    ring = normals.shape[0] - 1
    span = normals.shape[0] >> ahead
    shift = 2
    while 1 << shift < span:
        shift += 1
    while filled < (now + ahead) >> shift:
        filled = filled + 1 if filled >= 0 else now >> shift
        part = normals[(filled << shift) & ring : ((filled << shift) & ring) + span]
        quad = np.uint64(filled << (shift - 2))
        normals_at(fill)(place[0], place[1], quad, KICK_STREAM, channels, words, part)
    return filled


def watch_step(observers, layout, block, pair, lanes, place, settings, parameters, own, tables):
    """Call the observers that look after each step."""
    for k in range(len(observers)):
        if layout[k, 0] != 0:
            call_observer(observers[k], layout[k], block, pair, lanes, place, -1, settings, parameters, own, tables)


def watch_frame(observers, layout, block, pair, lanes, place, rows, settings, parameters, own, tables):
    """Call the observers that look at this frame, for which ``rows`` are not negative."""
    for k in range(len(observers)):
        if rows[k] >= 0:
            call_observer(
                observers[k], layout[k], block, pair, lanes, place, rows[k], settings, parameters, own, tables
            )


def set_settings(table, now, step, settings):
    """Take the line of a scheduled step, or tell a constant one its time."""
    if table.shape[0] > 1:
        line = min(now - step, table.shape[0] - 1)
        for k in range(len(settings)):
            settings[k] = table[line, k]
    else:
        settings[TIME] = table[0, TIME] + settings[DT] * now


def save_rows(block, lanes, frame, offset):
    """Write the lanes in use to ``frame`` (particle, row) from particle ``offset`` on."""
    rows = frame.shape[1]
    flat = frame.reshape(frame.size)[offset * rows : (offset + lanes) * rows]
    if rows == 1:
        for lane in range(lanes):
            flat[lane] = block[0, lane]
    else:
        for lane in range(lanes):
            for row in range(rows):
                flat[lane * rows + row] = block[row, lane]


def call_observer(address, layout, block, pair, lanes, place, row, settings, parameters, own, tables):
    """Call an observer on its own rows of this block and its table of the block's unit.

    ``layout``: every step or not; its own rows and where they begin in ``own``; blocks per unit, rows and columns of
    a unit and where the units begin in ``tables``; where its ``parameters`` begin and how many they are.
    """
    _every, own_rows, own_offset, blocks_per_unit, rows, columns, offset, first, length = layout
    width = pair[0].shape[1]
    start = own_offset + block * own_rows * width
    mine = own[start : start + own_rows * width].reshape((own_rows, width))
    start = offset + (block // blocks_per_unit) * rows * columns
    unit = tables[start : start + rows * columns].reshape((rows, columns))
    observer_at(address)(pair[0], pair[1], lanes, place, row, settings, parameters[first : first + length], mine, unit)


@functools.cache
def compiled_loop(step: Callable[..., None]) -> Any:
    """Return the loop compiled with a step of :mod:`sgdphys.kernels.steps` or a user's of the same signature."""
    text = source_text(advance, {"step_of": step})
    return compile_function("advance", SIGNATURE, FAST_MATH, text, lambda: text)
