"""One particle in the double well: what the overhead of a block costs, 10^8 steps with ``--scale 10``."""

from __future__ import annotations

import contextlib
import functools
import math
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
from timing import Candidate, Case

from cases.double_well import WELL, landscape, openmm_brownian
from cases.peers import engine, jax_scan, numpy_loop, torch_loop


def unchecked(run: Callable[[int, int], float]) -> Callable[[int, int], float]:
    """Return a run whose moment nobody looks at: one particle has none."""

    def silent(particles: int, steps: int) -> float:
        return 0.0 * run(particles, steps) + math.nan

    return silent


def numba_loop(_particles: int, steps: int) -> float:
    """The loop one writes by hand, on one thread."""
    return float(_compiled_loop()(steps, WELL.dt, WELL.amplitude))


@functools.cache
def _compiled_loop() -> Callable[..., float]:
    import numba

    @numba.njit(fastmath=True)
    def loop(steps, dt, amplitude):
        y, total = -1.0, 0.0
        for _ in range(steps):
            y += -(y * y * y - y) * dt + amplitude * np.random.normal()  # noqa: NPY002 - what is measured
            total += y * y
        return total / steps

    return loop


def sgdphys_average(particles: int, steps: int) -> float:
    """The engine with 10,001 frames, whose average the check sees."""
    import sgdphys as sp

    times = np.linspace(0, steps * WELL.dt, 10_001)
    cloud = sp.simulate(
        landscape(), temperature=WELL.temperature, dt=WELL.dt, n_steps=steps, n_particles=particles, start=-1.0,
        save_at=times, progress=False,
    )  # fmt: skip
    return float((cloud["position"] ** 2).mean())


def jitcsde_steps(_particles: int, steps: int) -> float:
    """The compiled adaptive solver, with its steps bounded by dt."""
    equation = _jitcsde()
    equation.set_initial_value(np.array([-1.0]), 0.0)
    equation.set_integration_parameters(first_step=WELL.dt, min_step=WELL.dt, max_step=WELL.dt, atol=1e3, rtol=1e3)
    equation.integrate(steps * WELL.dt)
    return math.nan


@functools.cache
def _jitcsde() -> Any:
    from jitcsde import jitcsde, y

    equation = jitcsde([y(0) - y(0) ** 3], [(2 * WELL.temperature) ** 0.5], verbose=False)
    with tempfile.TemporaryDirectory() as empty, contextlib.chdir(empty):  # its build looks at the folder it is in
        equation.compile_C()
    return equation


CASE = Case(
    "one particle in the double well",
    particles=1,
    steps=10_000_000,
    candidates=(
        Candidate("sgdphys", unchecked(engine(WELL, landscape))),
        Candidate("sgdphys, block_size=1", unchecked(engine(WELL, landscape, block_size=1))),
        Candidate("numba + np.random.normal", numba_loop),
        Candidate("sgdphys, 10,001 frames", sgdphys_average),
        Candidate("numpy", unchecked(numpy_loop(WELL)), (), 0.002),
        Candidate("torch, eager, float32", unchecked(torch_loop(WELL, "float32")), ("torch",), 0.002),
        Candidate("JAX scan, float32", unchecked(jax_scan(WELL)), ("jax",), 0.02),
        Candidate("OpenMM Brownian, CPU", unchecked(openmm_brownian), ("openmm",), 0.005),
        Candidate("JiTCSDE", jitcsde_steps, ("jitcsde",), 0.002),
    ),
    moment=None,
    tolerance=0.05,
    least=4000,
)
