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
from sgdphys.kernels.normals import fill_normals
from sgdphys.kernels.philox import STREAMS
from sgdphys.kernels.source import FAST_MATH, source_text

if TYPE_CHECKING:
    from sgdphys.kernels.pointers import normals_at, observer_at
    from sgdphys.kernels.steps import euler_maruyama_step as step_of

__all__ = ["NORMALS", "compiled_loop"]

NORMALS = NormalsKernel(fill_normals)  # apart, because it vectorises worse when it is inlined into the loop
KICK_STREAM = np.uint64(STREAMS["kick"])
SIGNATURE = (
    "'void(float64[:, :, ::1], int64[::1], int64, uint64, int64, int64, int64, uint64, uint64, int64, int64[::1], "
    f"int64[::1], float64[:, :, ::1], {PROGRAM}, {PROGRAM}, float64[::1], float64, uint64[::1], int64[:, ::1], "
    "int64[:, ::1], float64[::1], float64[::1], uint32[:, ::1], float32[:, :, ::1], float64[:, ::1], float64[:, ::1])'"
)


def advance(
    blocks, lost, dim, particle, offset, particles, channels, fill, key, step, frames, rows, out, gradient, kick,
    settings, bound, observers, layout, table, parameters, memory, words, normals, before, after,
):  # fmt: skip
    """Advance ``blocks`` (block, row, lane) from ``step`` through the steps ``frames``.

    ``particle`` numbers the first lane in the random counters, ``offset`` in ``out``; ``particles`` is how many lanes
    are in use, ``fill`` where ``NORMALS`` starts. At ``frames[k]`` the state goes to ``out[rows[k]]`` (frame,
    particle, row) unless ``rows[k]`` is negative. ``layout`` has a line for each observer: every step or not, blocks
    per memory unit, rows and columns of a unit, its offset in ``memory``, offset and length of its ``parameters``.
    ``table[observer, k]`` is the row of the observer's own time table at frame k, or negative. ``lost`` takes the
    number of lost numbers in each block at the end, coordinates beyond ``bound`` among them. The last four arrays are
    scratch: (4, some lanes), (4, channel, lane), and two of (row, lane).
    """
    width = blocks.shape[2]
    for block in range(blocks.shape[0]):
        first = particle + np.uint64(block * width)
        lanes = min(width, particles - block * width)
        copy_rows(blocks[block], before)
        now = step
        quad = np.int64(-1)
        for frame in range(len(frames)):
            while now < frames[frame]:
                if now >> 2 != quad:
                    quad = now >> 2
                    normals_at(fill)(key, first, np.uint64(quad), KICK_STREAM, channels, words, normals)
                step_of(before, after, dim, gradient, kick, normals[now & 3], settings)
                now += 1
                before, after = after, before
                for k in range(len(observers)):
                    if layout[k, 0] != 0:
                        place = (observers[k], layout[k], block)
                        observe(place, after, before, lanes, first, now, -1, key, parameters, memory)
            if rows[frame] >= 0:
                save_rows(before, lanes, out[rows[frame]], offset + block * width)
            for k in range(len(observers)):
                if table[k, frame] >= 0:
                    place = (observers[k], layout[k], block)
                    observe(place, after, before, lanes, first, now, table[k, frame], key, parameters, memory)
        copy_rows(before, blocks[block])
        lost[block] = count_lost(before, lanes, dim, bound)


def copy_rows(source, target):
    """Copy a block (row, lane)."""
    for row in range(source.shape[0]):
        for lane in range(source.shape[1]):
            target[row, lane] = source[row, lane]


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


def observe(place, before, after, lanes, particle, step, row, key, parameters, memory):
    """Call an observer on its unit of ``memory``; ``place`` holds its address, its layout and the block."""
    address, layout, block = place
    _every, blocks_per_unit, rows, columns, offset, first, length = layout
    start = offset + (block // blocks_per_unit) * rows * columns
    unit = memory[start : start + rows * columns].reshape((rows, columns))
    observer_at(address)(before, after, lanes, particle, step, row, key, parameters[first : first + length], unit)


@functools.cache
def compiled_loop(step: Callable[..., None]) -> Any:
    """Return the loop compiled with a step of :mod:`sgdphys.kernels.steps` or a user's of the same signature."""
    text = source_text(advance, {"step_of": step})
    return compile_function("advance", SIGNATURE, FAST_MATH, text, lambda: text)
