"""Chains of one particle in plain NumPy with the engine's own normals, and what all integrators' tests share."""

from __future__ import annotations

import naive
import numpy as np
from asserts import assert_same_bits

import sgdphys as sp
from sgdphys.kernels.philox import key_of

READINGS = {"ito": 0.0, "stratonovich": 0.5, "hanggi-klimontovich": 1.0}


def naive_path(step, start, *, channels, temperature, dt, steps, seed, particle=0):
    """Return the path (steps + 1, coordinate) of ``step(x, normals, next normals, T, next T)``."""
    key = key_of(seed)
    heat = temperature if callable(temperature) else lambda time: temperature
    path = [np.array(start, dtype=float)]
    for k in range(steps):
        now, following = (naive.normals(key, particle, k + more, channels) for more in (0, 1))
        path.append(step(path[-1], now, following, heat(k * dt), heat((k + 1) * dt)))
    return np.array(path)


def assert_paths_equal(integrator, landscape, noise, step, start, *, temperature, dt, channels, steps=9, seed=3):
    """The engine's paths are those of the plain step, for the first and the last particle of a block of lanes."""
    cloud = sp.simulate(
        landscape, noise, temperature=temperature, dt=dt, n_steps=steps, n_particles=70, start=start, save_at=steps + 1,
        integrator=integrator, seed=seed,
    )  # fmt: skip
    for particle in (0, 69):
        path = naive_path(
            step, start, channels=channels, temperature=temperature, dt=dt, steps=steps, seed=seed, particle=particle
        )
        np.testing.assert_allclose(cloud["position"].values[:, particle], path, rtol=1e-5, atol=1e-5)


def assert_blocks_do_not_matter(integrator, landscape, noise=None, temperature=0.1):
    """Threads, width of blocks and cuts of the run leave every bit as it is."""

    def run(**options):
        return sp.simulate(
            landscape, noise, temperature=temperature, dt=0.05, n_particles=700, start=0.3, integrator=integrator,
            seed=5, **options,
        )["position"]  # fmt: skip

    whole = run(n_steps=13, threads=1, block_size=64, save_at=14)
    assert_same_bits(whole.values, run(n_steps=13, threads=2, block_size=256, save_at=14).values)
    assert_same_bits(whole.values[[13]], run(n_steps=13, threads=2, block_size=128, save_at=1).values)


def second_moment(integrator, landscape, noise=None, *, temperature, dt, steps, n, start=0.0, seed=0):
    """Return the mean square of all coordinates at the end, and its standard error."""
    cloud = sp.simulate(
        landscape, noise, temperature=temperature, dt=dt, n_steps=steps, n_particles=n, start=start, save_at=1,
        integrator=integrator, seed=seed,
    )  # fmt: skip
    squares = cloud["position"].values[0] ** 2
    return squares.mean(axis=0), squares.std(axis=0) / np.sqrt(n)


class Coupled(sp.noises.BlockNoise):
    """A diagonal noise whose D_ii depends on other coordinates too; for refusals only."""

    additive = False
    diagonal = True

    def channels(self, dim):
        return dim


class Dense(Coupled):
    """A noise that is neither constant nor diagonal; for refusals only."""

    diagonal = False
