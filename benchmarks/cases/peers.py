"""What one would use instead of the engine, for any drift: array libraries and solvers of stochastic equations."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from timing import Candidate

__all__ = ["Problem", "candidates", "engine"]

Run = Callable[[int, int], float]


@dataclass(frozen=True, eq=False)
class Problem:
    """dx = drift dt + sqrt(2 T) dW by Euler-Maruyama.

    ``drift(library, x)`` computes on ``x`` (coordinate, ...) with the functions of NumPy, torch or jax.numpy; it does
    not differ for float32 and float64.
    """

    start: tuple[float, ...]
    temperature: float
    dt: float
    drift: Callable[[Any, Any], Any]

    @property
    def amplitude(self) -> float:
        """Standard deviation of the noise of a step."""
        return float((2 * self.temperature * self.dt) ** 0.5)

    def cloud(self, particles: int, kind: str = "float64") -> Any:
        """Return the start of all particles, (coordinate, particle)."""
        return np.repeat(np.array(self.start, dtype=kind)[:, np.newaxis], particles, axis=1)


def engine(
    problem: Problem,
    landscape: Callable[[], Any],
    noise: Callable[[], Any] = lambda: None,
    block_size: int | None = None,
) -> Run:
    """Return the run by sgdphys."""
    made = functools.cache(lambda: (landscape(), noise()))

    def run(particles: int, steps: int) -> float:
        import sgdphys as sp

        cloud = sp.simulate(
            *made(),
            temperature=problem.temperature,
            dt=problem.dt,
            n_steps=steps,
            n_particles=particles,
            start=np.array(problem.start),
            save_at=1,
            progress=False,
            block_size=block_size,
        )
        return float((cloud["position"] ** 2).mean())

    return run


def numpy_loop(problem: Problem) -> Run:
    def run(particles: int, steps: int) -> float:
        generator = np.random.default_rng(0)
        x = problem.cloud(particles)
        for _ in range(steps):
            x += problem.drift(np, x) * problem.dt + problem.amplitude * generator.standard_normal(x.shape)
        return float((x**2).mean())

    return run


def torch_loop(problem: Problem, kind: str) -> Run:
    def run(particles: int, steps: int) -> float:
        import torch

        x = torch.from_numpy(problem.cloud(particles, kind))
        with torch.no_grad():
            for _ in range(steps):
                x = x + problem.drift(torch, x) * problem.dt + problem.amplitude * torch.randn_like(x)
        return float((x**2).mean())

    return run


def jax_scan(problem: Problem) -> Run:
    @functools.cache
    def compiled(steps: int) -> Callable[..., Any]:
        import jax

        def step(carry: Any, _: Any) -> Any:
            x, key = carry
            key, use = jax.random.split(key)
            noise = jax.random.normal(use, x.shape, x.dtype)
            return (x + problem.drift(jax.numpy, x) * problem.dt + problem.amplitude * noise, key), None

        return jax.jit(lambda x, key: jax.lax.scan(step, (x, key), None, length=steps)[0][0])

    def run(particles: int, steps: int) -> float:
        import jax

        return float((compiled(steps)(problem.cloud(particles, "float32"), jax.random.key(0)) ** 2).mean())

    return run


def torchsde_euler(problem: Problem) -> Run:
    def run(particles: int, steps: int) -> float:
        import torch
        import torchsde

        class Equation(torch.nn.Module):
            noise_type, sde_type = "diagonal", "ito"

            def f(self, t: Any, y: Any) -> Any:
                return problem.drift(torch, y.T).T

            def g(self, t: Any, y: Any) -> Any:
                return torch.full_like(y, (2 * problem.temperature) ** 0.5)

        times = torch.tensor([0.0, steps * problem.dt])
        start = torch.from_numpy(problem.cloud(particles, "float32").T.copy())
        with torch.no_grad():
            end = torchsde.sdeint(Equation(), start, times, method="euler", dt=problem.dt)[-1]
        return float((end**2).mean())

    return run


def diffrax_euler(problem: Problem) -> Run:
    @functools.cache
    def compiled(steps: int) -> Callable[..., Any]:
        import diffrax
        import jax
        import lineax

        def one(x: Any, key: Any) -> Any:
            path = diffrax.UnsafeBrownianPath(shape=x.shape, key=key)
            scale = (2 * problem.temperature) ** 0.5
            noise = lineax.DiagonalLinearOperator(jax.numpy.full(x.shape, scale))
            terms = diffrax.MultiTerm(
                diffrax.ODETerm(lambda _t, y, _args: problem.drift(jax.numpy, y)),
                diffrax.ControlTerm(lambda _t, _y, _args: noise, path),
            )
            time, dt = steps * problem.dt, problem.dt
            forward = diffrax.ForwardMode()
            return diffrax.diffeqsolve(
                terms, diffrax.Euler(), 0.0, time, dt, x, max_steps=steps + 2, adjoint=forward
            ).ys[0]

        return jax.jit(jax.vmap(one))

    def run(particles: int, steps: int) -> float:
        import jax

        start = problem.cloud(particles, "float32").T
        return float((compiled(steps)(start, jax.random.split(jax.random.key(0), particles)) ** 2).mean())

    return run


def candidates(problem: Problem, share: float = 0.25, slow: float = 0.0625) -> tuple[Candidate, ...]:
    """Return the array libraries at one share of the steps, and the solvers at another."""
    return (
        Candidate("numpy", numpy_loop(problem), (), share),
        Candidate("torch, eager, float32", torch_loop(problem, "float32"), ("torch",), share),
        Candidate("torch, eager, float64", torch_loop(problem, "float64"), ("torch",), share),
        Candidate("JAX scan, float32", jax_scan(problem), ("jax",), share),
        Candidate("torchsde, float32", torchsde_euler(problem), ("torchsde",), slow),
        Candidate("diffrax, float32", diffrax_euler(problem), ("diffrax", "jax"), slow),
    )
