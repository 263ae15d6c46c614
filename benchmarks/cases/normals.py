"""The engine's normal deviates alone, on as many threads as the engine: the least that a step can take."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from timing import threads

__all__ = ["in_blocks", "normals_alone"]

Task = Callable[[int, int, int], None]  # first and last block, steps


def in_blocks(task: Task, particles: int, steps: int, width: int) -> None:
    """Run a task over blocks on all threads, in parts as the engine cuts them."""
    bounds = np.linspace(0, -(-particles // width), 4 * threads() + 1).astype(int)
    with ThreadPoolExecutor(threads()) as pool:
        list(pool.map(task, bounds[:-1], bounds[1:], [steps] * (4 * threads())))


def normals_alone(channels: int, width: int) -> Callable[[int, int], float]:
    """Return the run: the same blocks and function as in the engine, and nothing else."""

    def task(first: int, last: int, steps: int) -> None:
        words, out = np.empty((4, 256), np.uint32), np.empty((4, channels, width), np.float32)
        _compiled()(first, last, steps // 4, words, out)

    def run(particles: int, steps: int) -> float:
        in_blocks(task, particles, steps, width)
        return math.nan

    return run


@functools.cache
def _compiled() -> Callable[..., None]:
    import numba

    from sgdphys.kernels.loop import NORMALS
    from sgdphys.kernels.pointers import normals_at

    fill = np.uint64(NORMALS.address)

    @numba.njit(nogil=True)
    def normals_of_blocks(first, last, quads, words, out):
        for block in range(first, last):
            for quad in range(quads):
                particle = np.uint64(block * out.shape[2])
                channels = out.shape[1]
                normals_at(fill)(np.uint64(1), particle, np.uint64(quad), np.uint64(1), channels, words, out)

    return normals_of_blocks
