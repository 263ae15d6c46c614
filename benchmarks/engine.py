"""Nanoseconds per particle-step of the engine, of its normals alone, and of what one would use instead, in one run.

    python benchmarks/engine.py [--particles 65536] [--steps 4000] [--rounds 5]

The problem is the one-dimensional double well x^4/4 - x^2/2 at temperature 0.1, dt = 0.01, Euler-Maruyama in float64
(JAX and diffrax in float32, their default). Every candidate runs once in each round, so that a busy machine slows all
of them; the table gives the median over rounds and the median of the ratios to sgdphys taken round by round. Candidates
that are not installed are left out.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

TEMPERATURE, DT = 0.1, 0.01
AMPLITUDE = (2 * TEMPERATURE * DT) ** 0.5
Candidate = Callable[[int, int], float]  # (particles, steps) -> second moment, as a check


def sgdphys_engine(particles: int, steps: int) -> float:
    import sgdphys as sp

    well = _well()
    cloud = sp.simulate(
        well,
        temperature=TEMPERATURE,
        dt=DT,
        n_steps=steps,
        n_particles=particles,
        start=-1.0,
        save_at=1,
        progress=False,
    )
    return float((cloud["position"] ** 2).mean())


@functools.cache
def _well() -> object:
    import sgdphys as sp

    return sp.landscapes.DoubleWell()


def sgdphys_normals(particles: int, steps: int) -> float:
    """Only the normals of the same run: same blocks, same threads, same function."""
    width, threads = 1024, len(os.sched_getaffinity(0))
    compiled = _compiled_normals()
    blocks = -(-particles // width)
    bounds = np.linspace(0, blocks, 4 * threads + 1).astype(int)

    def task(first: int, last: int) -> None:
        words, out = np.empty((4, 256), np.uint32), np.empty((4, 1, width), np.float32)
        compiled(first, last, steps // 4, words, out)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(task, bounds[:-1], bounds[1:]))
    return float("nan")


@functools.cache
def _compiled_normals() -> Callable[..., None]:
    import numba

    from sgdphys.kernels.loop import NORMALS
    from sgdphys.kernels.pointers import normals_at

    fill = np.uint64(NORMALS.address)

    @numba.njit(nogil=True)
    def normals_of_blocks(first, last, quads, words, out):
        for block in range(first, last):
            for quad in range(quads):
                normals_at(fill)(
                    np.uint64(1), np.uint64(block * out.shape[2]), np.uint64(quad), np.uint64(1), 1, words, out
                )

    return normals_of_blocks


def numba_loop(particles: int, steps: int) -> float:
    """The loop one writes by hand: prange over particles, np.random.normal inside."""
    x = np.full(particles, -1.0)
    _numba_loop()(x, steps, DT, AMPLITUDE)
    return float((x**2).mean())


@functools.cache
def _numba_loop() -> Callable[..., None]:
    import numba

    @numba.njit(parallel=True, fastmath=True)
    def loop(x, steps, dt, amplitude):
        for i in numba.prange(len(x)):
            y = x[i]
            for _ in range(steps):
                y += -(y * y * y - y) * dt + amplitude * np.random.normal()  # noqa: NPY002 - what is measured
            x[i] = y

    return loop


def numpy_loop(particles: int, steps: int) -> float:
    generator = np.random.default_rng(0)
    x = np.full(particles, -1.0)
    for _ in range(steps):
        x += -(x * x * x - x) * DT + AMPLITUDE * generator.standard_normal(particles)
    return float((x**2).mean())


def torch_loop(particles: int, steps: int) -> float:
    import torch

    x = torch.full((particles,), -1.0, dtype=torch.float64)
    for _ in range(steps):
        x = x - (x * x * x - x) * DT + AMPLITUDE * torch.randn(particles, dtype=torch.float64)
    return float((x**2).mean())


def jax_scan(particles: int, steps: int) -> float:
    import jax

    return float((_jax_scan(steps)(jax.numpy.full(particles, -1.0), jax.random.key(0)) ** 2).mean())


@functools.cache
def _jax_scan(steps: int) -> Callable[..., object]:
    import jax

    def step(carry, _):
        x, key = carry
        key, use = jax.random.split(key)
        x = x - (x * x * x - x) * DT + AMPLITUDE * jax.random.normal(use, x.shape, x.dtype)
        return (x, key), None

    return jax.jit(lambda x, key: jax.lax.scan(step, (x, key), None, length=steps)[0][0])


def torchsde_euler(particles: int, steps: int) -> float:
    import torch
    import torchsde

    class Well(torch.nn.Module):
        noise_type, sde_type = "diagonal", "ito"

        def f(self, t, y):
            return y - y * y * y

        def g(self, t, y):
            return torch.full_like(y, (2 * TEMPERATURE) ** 0.5)

    with torch.no_grad():
        start = torch.full((particles, 1), -1.0, dtype=torch.float64)
        end = torchsde.sdeint(
            Well(), start, torch.tensor([0.0, steps * DT], dtype=torch.float64), method="euler", dt=DT
        )[-1]
    return float((end**2).mean())


def diffrax_euler(particles: int, steps: int) -> float:
    import jax

    return float(
        (_diffrax(steps)(jax.numpy.full(particles, -1.0), jax.random.split(jax.random.key(0), particles)) ** 2).mean()
    )


@functools.cache
def _diffrax(steps: int) -> Callable[..., object]:
    import diffrax
    import jax

    def one(x, key):
        path = diffrax.UnsafeBrownianPath(shape=(), key=key)
        terms = diffrax.MultiTerm(
            diffrax.ODETerm(lambda t, y, args: y - y * y * y),
            diffrax.ControlTerm(lambda t, y, args: (2 * TEMPERATURE) ** 0.5, path),
        )
        return diffrax.diffeqsolve(
            terms, diffrax.Euler(), 0.0, steps * DT, DT, x, max_steps=steps + 1, adjoint=diffrax.ForwardMode()
        ).ys[0]

    return jax.jit(jax.vmap(one))


# name, what it needs, share of the steps it runs (the slow ones run fewer)
CANDIDATES: tuple[tuple[str, Candidate, tuple[str, ...], float], ...] = (
    ("sgdphys", sgdphys_engine, (), 1.0),
    ("its normals alone", sgdphys_normals, (), 1.0),
    ("numba prange + np.random.normal", numba_loop, (), 0.25),
    ("numpy", numpy_loop, (), 0.25),
    ("torch, eager", torch_loop, ("torch",), 0.25),
    ("JAX scan", jax_scan, ("jax",), 0.25),
    ("torchsde", torchsde_euler, ("torchsde",), 0.05),
    ("diffrax", diffrax_euler, ("diffrax", "jax"), 0.05),
)


def measure(particles: int, steps: int, rounds: int) -> dict[str, list[float]]:
    """Return the nanoseconds per particle-step of each candidate in each round; one warm-up comes first."""
    present = [entry for entry in CANDIDATES if all(importlib.util.find_spec(name) for name in entry[2])]
    times: dict[str, list[float]] = {name: [] for name, *_ in present}
    for turn in range(rounds + 1):
        for name, candidate, _needs, share in present:
            own_steps = max(4, int(steps * share) // 4 * 4)
            started = time.perf_counter()
            candidate(particles, own_steps)
            if turn:
                times[name].append((time.perf_counter() - started) / (particles * own_steps) * 1e9)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--particles", type=int, default=65_536)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    times = measure(arguments.particles, arguments.steps, arguments.rounds)
    own = times["sgdphys"]
    print(f"{'':34s} ns per particle-step   ratio to sgdphys (median of rounds; lowest, highest)")
    for name, values in times.items():
        ratios = [value / base for value, base in zip(values, own, strict=True)]
        spread = f"{statistics.median(ratios):8.2f} ({min(ratios):.2f}, {max(ratios):.2f})"
        print(f"{name:34s} {statistics.median(values):20.2f}   {spread}")


if __name__ == "__main__":
    main()
