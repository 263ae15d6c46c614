"""Time axes: how many steps, and which of them are saved."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["last_step", "saved_steps"]

Steps = NDArray[np.int64]


def last_step(first: int, dt: float, t1: float | None, n_steps: int | None) -> int:
    """Return the absolute number of the last step.

    Parameters
    ----------
    first
        Absolute step at which the run begins.
    dt
        Time step, in x^2/loss; the learning rate for SGD.
    t1
        Absolute end time, a multiple of dt.
    n_steps
        Number of further steps; give this or ``t1``.

    Returns
    -------
    int
        The absolute last step.

    Raises
    ------
    ValueError
        Both or none were given, t1 is no multiple of dt or lies before the beginning, or a number is not positive.
    """
    if (t1 is None) == (n_steps is None):
        raise ValueError("give exactly one of t1= (end time) and n_steps= (number of steps)")
    if n_steps is not None:
        if isinstance(n_steps, bool) or int(n_steps) != n_steps or n_steps < 1:
            raise ValueError(f"n_steps must be a positive integer, got {n_steps}")
        return first + int(n_steps)
    assert t1 is not None
    if not np.isfinite(t1):
        raise ValueError(f"t1 must be finite, got {t1}")
    ratio = t1 / dt
    last = round(ratio)
    if abs(ratio - last) > 1e-9 * max(1.0, abs(ratio)):
        below, above = np.floor(ratio) * dt, np.ceil(ratio) * dt
        raise ValueError(
            f"t1 must be a multiple of the time step {dt:g}, got {t1:g}; the nearest are {below:.12g} and {above:.12g}"
        )
    if last <= first:
        raise ValueError(f"t1 must lie after the beginning of the run at time {first * dt:g}, got {t1:g}")
    return last


def saved_steps(save_at: int | ArrayLike, first: int, last: int, dt: float, name: str = "save_at") -> Steps:
    """Return the absolute steps that are saved, increasing and without repetition.

    Parameters
    ----------
    save_at
        Number of equally spaced frames including both ends (1: the end only, 0: none), or times, which are snapped to
        the nearest step.
    first, last
        Absolute first and last step.
    dt
        Time step.
    name
        What the messages call the argument.

    Returns
    -------
    Steps
        The steps, int64.

    Raises
    ------
    ValueError
        The number is negative or not whole, or a time is not finite or lies outside the run.
    """
    if np.ndim(save_at) == 0:
        count = float(np.asarray(save_at, dtype=np.float64))
        if count < 0 or count != int(count):
            raise ValueError(f"{name} must be a whole number of frames or an array of times, got {save_at}")
        if count <= 1:
            return np.array([last] * int(count), dtype=np.int64)
        return np.unique(np.round(np.linspace(first, last, int(count))).astype(np.int64))
    times = np.asarray(save_at, dtype=np.float64)
    if times.ndim != 1 or not np.all(np.isfinite(times)):
        raise ValueError(f"{name} must be a one-dimensional array of finite times, got shape {times.shape}")
    steps = np.unique(np.round(times / dt).astype(np.int64))
    if len(steps) and (steps[0] < first or steps[-1] > last):
        raise ValueError(
            f"{name} must lie between {first * dt:g} and {last * dt:g}, got {times.min():g} to {times.max():g}"
        )
    return steps
