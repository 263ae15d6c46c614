"""The Mueller-Brown surface times 0.05 at temperature 0.5, dt = 0.0005, from its deepest minimum.

The exponentials set a floor: the engine's normals for two coordinates, and four exponentials by its own polynomial.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from timing import Candidate, Case

from cases.normals import in_blocks, normals_alone
from cases.peers import Problem, candidates, engine
from sgdphys.kernels.vector_math import exp

SCALE = 0.05
HEIGHTS = (-200.0, -100.0, -170.0, 15.0)
A, B, C = (-1.0, -1.0, -6.5, 0.7), (0.0, 0.0, 11.0, 0.6), (-10.0, -10.0, -6.5, 0.7)
X, Y = (1.0, 0.0, -0.5, -1.0), (0.0, 0.5, 1.5, 1.0)
WIDTH = 1024


def drift(library: Any, x: Any) -> Any:
    """Return minus the gradient at x (coordinate, ...)."""
    along, across = 0.0, 0.0
    for height, a, b, c, u, v in zip(HEIGHTS, A, B, C, X, Y, strict=True):
        dx, dy = x[0] - u, x[1] - v
        value = SCALE * height * library.exp(a * dx * dx + b * dx * dy + c * dy * dy)
        along = along - value * (2 * a * dx + b * dy)
        across = across - value * (b * dx + 2 * c * dy)
    return library.stack([along, across])


SURFACE = Problem((-0.5582236346330243, 1.4417258418046686), 0.5, 0.0005, drift)


def _landscape() -> Any:
    import sgdphys as sp

    return sp.landscapes.MuellerBrown() * SCALE


def numba_loop(particles: int, steps: int) -> float:
    """The loop one writes by hand."""
    x = SURFACE.cloud(particles).T.copy()
    _compiled_loop()(x, steps, SURFACE.dt, SURFACE.amplitude)
    return float((x**2).mean())


@functools.cache
def _compiled_loop() -> Callable[..., None]:
    import numba

    heights, a, b, c, u, v = (np.array(numbers) for numbers in (HEIGHTS, A, B, C, X, Y))

    @numba.njit(parallel=True, fastmath=True)
    def loop(x, steps, dt, amplitude):
        for i in numba.prange(len(x)):
            p, q = x[i, 0], x[i, 1]
            for _ in range(steps):
                along, across = 0.0, 0.0
                for k in range(4):
                    dx, dy = p - u[k], q - v[k]
                    value = SCALE * heights[k] * np.exp(a[k] * dx * dx + b[k] * dx * dy + c[k] * dy * dy)
                    along -= value * (2 * a[k] * dx + b[k] * dy)
                    across -= value * (b[k] * dx + 2 * c[k] * dy)
                p += along * dt + amplitude * np.random.normal()  # noqa: NPY002 - what is measured
                q += across * dt + amplitude * np.random.normal()  # noqa: NPY002
            x[i, 0], x[i, 1] = p, q

    return loop


def floor(particles: int, steps: int) -> float:
    """Normals and exponentials alone, on blocks and threads as in the engine."""
    normals_alone(2, WIDTH)(particles, steps)

    def task(first: int, last: int, steps: int) -> None:
        _compiled_exponentials()((last - first) * steps, np.linspace(-3, 0, WIDTH), np.empty(WIDTH))

    in_blocks(task, particles, steps, WIDTH)
    return math.nan


@functools.cache
def _compiled_exponentials() -> Callable[..., None]:
    from sgdphys.kernels.compile import compile_function
    from sgdphys.kernels.source import FAST_MATH, source_text

    text = source_text(exponentials)
    return compile_function("exponentials", "'void(int64, float64[::1], float64[::1])'", FAST_MATH, text, lambda: text)


def exponentials(repeats, x, out):
    """Four exponentials a lane."""
    for repeat in range(repeats):
        shift = -1e-9 * repeat
        for lane in range(len(out)):
            near, far = x[lane] + shift, x[lane] - shift
            out[lane] = exp(near) + exp(2.0 * near) + exp(far) + exp(2.0 * far)


CASE = Case(
    "Mueller-Brown surface, 65,536 particles",
    particles=65_536,
    steps=3200,
    candidates=(
        Candidate("sgdphys", engine(SURFACE, _landscape)),
        Candidate("numba prange + np.random.normal, np.exp", numba_loop, (), 0.125),
        Candidate("normals and four exponentials alone", floor),
        *candidates(SURFACE, 0.125),
    ),
    moment=None,
    tolerance=0.03,
    least=200,
)
