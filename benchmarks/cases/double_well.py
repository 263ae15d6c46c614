"""The double well x^4/4 - x^2/2 at temperature 0.1, dt = 0.01, Euler-Maruyama, from x = -1."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from timing import Candidate, Case, threads

from cases.normals import normals_alone
from cases.peers import Problem, candidates, engine

WELL = Problem((-1.0,), 0.1, 0.01, lambda _library, x: x - x * x * x)


def landscape() -> Any:
    """Return the well."""
    import sgdphys as sp

    return sp.landscapes.DoubleWell()


@functools.cache
def stationary_moment(_steps: int) -> float:
    """Return <x^2> of the Gibbs state, which each well alone has too; reached within a few units of time."""
    x = np.linspace(-4, 4, 20_001)
    weight = np.exp(-(x**4 / 4 - x**2 / 2) / WELL.temperature)
    return float((x**2 * weight).sum() / weight.sum())


def numba_loop(particles: int, steps: int) -> float:
    """The loop one writes by hand: prange over particles, np.random.normal inside."""
    x = np.full(particles, -1.0)
    compiled_loop()(x, steps, WELL.dt, WELL.amplitude)
    return float((x**2).mean())


@functools.cache
def compiled_loop() -> Callable[..., None]:
    """Return that loop."""
    import numba

    @numba.njit(parallel=True, fastmath=True)
    def loop(x, steps, dt, amplitude):
        for i in numba.prange(len(x)):
            y = x[i]
            for _ in range(steps):
                y += -(y * y * y - y) * dt + amplitude * np.random.normal()  # noqa: NPY002 - what is measured
            x[i] = y

    return loop


def deeptime_own(particles: int, steps: int) -> float:
    """deeptime's compiled triple well on a line; it takes no other potential without calling Python at each step."""
    import deeptime

    system = deeptime.data.triple_well_1d(h=0.001, n_steps=steps)
    system(np.full((particles, 1), 1.0), n_jobs=threads())
    return math.nan


def openmm_brownian(particles: int, steps: int) -> float:
    """One atom a particle, which moves along x in an external force."""
    import openmm

    context, integrator = _openmm(particles)
    context.setPositions(np.tile([-1.0, 0.0, 0.0], (particles, 1)) * openmm.unit.nanometer)
    integrator.step(steps)
    positions = context.getState(getPositions=True).getPositions(asNumpy=True)
    return float((np.asarray(positions)[:, 0] ** 2).mean())


@functools.cache
def _openmm(particles: int) -> tuple[Any, Any]:
    import openmm

    system = openmm.System()
    force = openmm.CustomExternalForce("x^4/4 - x^2/2")
    for k in range(particles):
        system.addParticle(1.0)
        force.addParticle(k)
    system.addForce(force)
    kelvin = WELL.temperature / 0.00831446261815324
    integrator = openmm.BrownianIntegrator(kelvin, 1.0, WELL.dt)
    return openmm.Context(system, integrator, openmm.Platform.getPlatformByName("CPU")), integrator


CASE = Case(
    "double well on a line, 65,536 particles",
    particles=65_536,
    steps=8000,
    candidates=(
        Candidate("sgdphys", engine(WELL, landscape)),
        Candidate("its normals alone", normals_alone(1, 1024)),
        Candidate("numba prange + np.random.normal", numba_loop, (), 0.125),
        *candidates(WELL),
        Candidate("deeptime, its own triple well", deeptime_own, ("deeptime",), 0.0625, 0.25),
        Candidate("OpenMM Brownian, CPU", openmm_brownian, ("openmm",), 0.0625, 0.25),
    ),
    moment=stationary_moment,
    tolerance=0.03,
    least=400,
)
