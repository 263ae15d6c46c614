"""A quadratic of 1000 coordinates with noise of rank 20, where a step is two matrix products: against those of BLAS."""

from __future__ import annotations

import functools
import math
import statistics
from typing import Any

import numpy as np
from timing import Candidate, Case, ratios

DIM, RANK, LR, PARTICLES, STEPS = 1000, 20, 0.1, 2048, 16
FLOPS = 2 * DIM * (DIM + RANK)  # of a particle-step


@functools.cache
def matrices() -> tuple[Any, Any]:
    """Return the Hessian, with eigenvalues from 0.1 to 1, and the factor of the noise."""
    generator = np.random.default_rng(0)
    basis, _ = np.linalg.qr(generator.normal(size=(DIM, DIM)))
    return (basis * np.linspace(0.1, 1, DIM)) @ basis.T, generator.normal(size=(DIM, RANK))


@functools.cache
def moment(steps: int) -> float:
    """Return the exact mean square coordinate from 1 after some steps."""
    hessian, factor = matrices()
    mean, kicks, total = np.ones(DIM), LR * factor, 0.0
    for _ in range(steps):
        total += float((kicks**2).sum())
        mean, kicks = mean - LR * hessian @ mean, kicks - LR * hessian @ kicks
    return float((mean**2).sum() + total) / DIM


@functools.cache
def _landscape() -> Any:
    import sgdphys as sp

    hessian, factor = matrices()
    return sp.landscapes.Quadratic(hessian), sp.noises.LowRank(factor)


def sgdphys_engine(particles: int, steps: int) -> float:
    import sgdphys as sp

    cloud = sp.simulate(
        *_landscape(),
        sgd=sp.SGD(lr=LR, batch_size=1),
        n_steps=steps,
        n_particles=particles,
        start=np.ones(DIM),
        save_at=1,
        progress=False,
    )
    return float((cloud["position"] ** 2).mean())


def blas_alone(particles: int, steps: int) -> float:
    """The same products by BLAS on all threads, and nothing else."""
    hessian, factor = matrices()
    x, normals, out = np.ones((DIM, particles)), np.ones((RANK, particles)), np.empty((DIM, particles))
    for _ in range(steps):
        np.dot(hessian, x, out=out)
        np.dot(factor, normals, out=out)
    return math.nan


def numpy_loop(particles: int, steps: int) -> float:
    hessian, factor = matrices()
    generator = np.random.default_rng(0)
    x = np.ones((DIM, particles))
    for _ in range(steps):
        x = x - LR * (hessian @ x) + LR * (factor @ generator.standard_normal((RANK, particles)))
    return float((x**2).mean())


def torch_loop(particles: int, steps: int) -> float:
    import torch

    hessian, factor = (torch.from_numpy(matrix) for matrix in matrices())
    x = torch.ones((DIM, particles), dtype=torch.float64)
    with torch.no_grad():
        for _ in range(steps):
            noise = torch.randn((RANK, particles), dtype=torch.float64)
            x = torch.addmm(x, hessian, x, alpha=-LR).addmm_(factor, noise, alpha=LR)
    return float((x**2).mean())


def note(times: dict[str, list[float]]) -> str:
    """Return the rates in words."""
    ours, blas = (statistics.median(times[name]) for name in ("sgdphys", "BLAS products alone"))
    share = 1 / statistics.median(ratios(times, "sgdphys", "BLAS products alone"))
    return f"{FLOPS / ours:.0f} GFlop/s of {FLOPS / blas:.0f} by the products alone: {100 * share:.0f} %."


CASE = Case(
    "quadratic of 1000 coordinates, noise of rank 20, 2048 particles, float64",
    particles=PARTICLES,
    steps=STEPS,
    candidates=(
        Candidate("sgdphys", sgdphys_engine),
        Candidate("BLAS products alone", blas_alone),
        Candidate("numpy", numpy_loop),
        Candidate("torch, eager", torch_loop, ("torch",)),
    ),
    moment=moment,
    tolerance=0.02,
    note=note,
)
