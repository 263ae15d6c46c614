"""Clouds of linear chains in their stationary state, and what such chains produce."""

from __future__ import annotations

import numpy as np
import xarray as xr
from linear_drifts import BROKEN_BALANCE, Chain

from sgdphys import schema


def cloud_of_chain(chain, n, steps, seed, every=1):
    """Return n stationary particles over a number of steps, all of them or every so many as frames."""
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(chain.V)
    x = rng.multivariate_normal(np.zeros(len(chain.S)), chain.S, size=n)
    frames = [x]
    for k in range(1, steps + 1):
        x = x @ chain.M.T + rng.normal(size=x.shape) @ root.T
        if k % every == 0:
            frames.append(x)
    numbers = np.arange(0, steps + 1, every)
    return xr.Dataset(
        {"position": (("time", "particle", "coordinate"), np.array(frames))},
        {"time": chain.dt * numbers, "step": ("time", numbers), schema.COORDINATE: list("xyzuvw"[: len(chain.S)])},
    )


def broken_balance(dt, temperature=0.1):
    """Return case C1, whose Hessian and noise do not commute."""
    return Chain(*BROKEN_BALANCE, temperature, dt)


def detailed_balance(dt, temperature=0.1):
    """Return a chain of the same Hessian with noise that commutes with it."""
    return Chain(BROKEN_BALANCE[0], np.diag([1.0, 0.1]), temperature, dt)


def entropy_per_step(M, S):
    """Return KL(forward || reversed) of a step of x <- M x + noise with stationary covariance S."""
    Mr = S @ M.T @ np.linalg.inv(S)
    Cf, Cr = S - M @ S @ M.T, S - Mr @ S @ Mr.T
    inverse = np.linalg.inv(Cr)
    return 0.5 * (np.trace(inverse @ Cf) - len(M) + np.trace(inverse @ (M - Mr) @ S @ (M - Mr).T))
