"""Ten coupled coordinates, sum (x_i^2 - 1)^2 / 4 + sum (x_{i+1} - x_i)^2 / 4, at temperature 0.1, dt = 0.01."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from timing import Candidate, Case

from cases.normals import normals_alone
from cases.peers import Problem, candidates, engine

DIM, COUPLING = 10, 0.5


def drift(library: Any, x: Any) -> Any:
    """Return minus the gradient at x (coordinate, ...)."""
    bond = COUPLING * (x[1:] - x[:-1])
    zero = library.zeros_like(x[:1])
    return x - x * x * x + library.concatenate([bond, zero]) - library.concatenate([zero, bond])


CHAIN = Problem((-1.0,) * DIM, 0.1, 0.01, drift)


def _landscape() -> Any:
    import sgdphys as sp

    wells = [f"(x{i}**2 - 1)**2 / 4" for i in range(DIM)]
    bonds = [f"{COUPLING / 2} * (x{i + 1} - x{i})**2" for i in range(DIM - 1)]
    return sp.landscapes.Expression(" + ".join([*wells, *bonds]))


def numba_loop(particles: int, steps: int) -> float:
    """The loop one writes by hand."""
    x = CHAIN.cloud(particles).T.copy()
    _compiled_loop()(x, steps, CHAIN.dt, CHAIN.amplitude)
    return float((x**2).mean())


@functools.cache
def _compiled_loop() -> Callable[..., None]:
    import numba

    @numba.njit(parallel=True, fastmath=True)
    def loop(x, steps, dt, amplitude):
        dim = x.shape[1]
        for i in numba.prange(len(x)):
            y = x[i].copy()
            for _ in range(steps):
                left = 0.0
                for j in range(dim):
                    right = COUPLING * (y[j + 1] - y[j]) if j + 1 < dim else 0.0
                    force = y[j] - y[j] * y[j] * y[j] + right - left
                    y[j] += force * dt + amplitude * np.random.normal()  # noqa: NPY002 - what is measured
                    left = right
            x[i] = y

    return loop


CASE = Case(
    "ten coupled quartics, 16,384 particles",
    particles=16_384,
    steps=1600,
    candidates=(
        Candidate("sgdphys", engine(CHAIN, _landscape)),
        Candidate("numba prange + np.random.normal", numba_loop, (), 0.25),
        Candidate("its normals alone", normals_alone(DIM, 256)),
        *candidates(CHAIN, 0.25, 0.25),
    ),
    moment=None,
    tolerance=0.03,
    least=400,
)
