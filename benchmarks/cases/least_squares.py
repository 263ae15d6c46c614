"""Real minibatch SGD on least squares, 1000 samples of 20 features, drawn with replacement, lr = 0.01."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from timing import Candidate, Case

SAMPLES, DIM, LR = 1000, 20, 0.01


@functools.cache
def data() -> tuple[Any, Any]:
    """Return inputs and targets; the model is wrong by a residual of unit variance."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(SAMPLES, DIM))
    return inputs, inputs @ generator.normal(size=DIM) + generator.normal(size=SAMPLES)


@functools.cache
def _landscape() -> Any:
    import sgdphys as sp

    return sp.landscapes.LeastSquares(*data())


def sgdphys_engine(batch_size: int, particles: int, steps: int) -> float:
    import sgdphys as sp

    sgd = sp.SGD(lr=LR, batch_size=batch_size)
    cloud = sp.simulate(
        _landscape(),
        sgd=sgd,
        n_steps=steps,
        n_particles=particles,
        start=np.zeros(DIM),
        save_at=1,
        progress=False,
    )
    return float((cloud["position"] ** 2).mean())


def numba_loop(batch_size: int, particles: int, steps: int) -> float:
    """The loop one writes by hand."""
    x = np.zeros((particles, DIM))
    _compiled_loop()(x, *data(), steps, LR, batch_size)
    return float((x**2).mean())


@functools.cache
def _compiled_loop() -> Callable[..., None]:
    import numba

    @numba.njit(parallel=True, fastmath=True)
    def loop(x, inputs, targets, steps, lr, batch_size):
        samples, dim = inputs.shape
        for i in numba.prange(len(x)):
            y, gradient = x[i].copy(), np.empty(dim)
            for _ in range(steps):
                gradient[:] = 0.0
                for _ in range(batch_size):
                    k = np.random.randint(samples)  # noqa: NPY002 - what is measured
                    residual = -targets[k]
                    for j in range(dim):
                        residual += inputs[k, j] * y[j]
                    for j in range(dim):
                        gradient[j] += residual * inputs[k, j]
                for j in range(dim):
                    y[j] -= lr / batch_size * gradient[j]
            x[i] = y

    return loop


def numpy_loop(batch_size: int, particles: int, steps: int) -> float:
    inputs, targets = data()
    generator = np.random.default_rng(0)
    x = np.zeros((particles, DIM))
    for _ in range(steps):
        drawn = generator.integers(SAMPLES, size=(particles, batch_size))
        rows = inputs[drawn]
        residuals = np.matmul(rows, x[:, :, np.newaxis])[:, :, 0] - targets[drawn]
        x -= LR / batch_size * np.matmul(residuals[:, np.newaxis], rows)[:, 0]
    return float((x**2).mean())


def torch_loop(batch_size: int, particles: int, steps: int) -> float:
    import torch

    inputs, targets = (torch.from_numpy(part.astype(np.float32)) for part in data())
    x = torch.zeros((particles, DIM))
    with torch.no_grad():
        for _ in range(steps):
            drawn = torch.randint(SAMPLES, (particles, batch_size))
            rows = inputs[drawn]
            residuals = torch.bmm(rows, x[:, :, None])[:, :, 0] - targets[drawn]
            x = x - LR / batch_size * torch.bmm(residuals[:, None], rows)[:, 0]
    return float((x**2).mean())


def jax_scan(batch_size: int, particles: int, steps: int) -> float:
    import jax

    return float((_jax_scan(batch_size, particles, steps)(jax.random.key(0)) ** 2).mean())


@functools.cache
def _jax_scan(batch_size: int, particles: int, steps: int) -> Callable[..., Any]:
    import jax

    inputs, targets = (jax.numpy.asarray(part, dtype="float32") for part in data())

    def step(carry: Any, _: Any) -> Any:
        x, key = carry
        key, use = jax.random.split(key)
        drawn = jax.random.randint(use, (particles, batch_size), 0, SAMPLES)
        rows = inputs[drawn]
        residuals = jax.numpy.einsum("pbd,pd->pb", rows, x) - targets[drawn]
        return (x - LR / batch_size * jax.numpy.einsum("pb,pbd->pd", residuals, rows), key), None

    start = jax.numpy.zeros((particles, DIM))
    return jax.jit(lambda key: jax.lax.scan(step, (start, key), None, length=steps)[0][0])


def _case(batch_size: int, particles: int, steps: int) -> Case:
    runs = [
        functools.partial(run, batch_size) for run in (sgdphys_engine, numba_loop, numpy_loop, torch_loop, jax_scan)
    ]
    return Case(
        f"minibatches of {batch_size} on least squares, {particles:,} particles",
        particles=particles,
        steps=steps,
        candidates=(
            Candidate("sgdphys", runs[0]),
            Candidate("numba prange + np.random.randint", runs[1]),
            Candidate("numpy", runs[2], (), 0.25, 0.25),
            Candidate("torch, eager, float32", runs[3], ("torch",), 0.25, 0.25),
            Candidate("JAX scan, float32", runs[4], ("jax",), 0.25, 0.25),
        ),
        moment=None,
        tolerance=0.03,
        least=600,
    )


CASES = (_case(1, 8192, 2400), _case(32, 2048, 1200))
