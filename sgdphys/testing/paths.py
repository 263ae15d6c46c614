r"""Strong orders: paths of several time steps that share one Brownian motion.

The finest deviates are drawn; those of m steps in one follow from them. For increments :math:`\Delta W = \sqrt{h}\,
\xi` and their integrals :math:`Z = \int (W_s - W_0)\,ds = \tfrac12 h^{3/2} (\xi + \eta/\sqrt3)` these are

.. math:: \Delta W = \sum_i \Delta W_i, \qquad Z = \sum_i Z_i + h \sum_{j<i} \Delta W_j.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.testing.fits import OrderFit, fit_order
from sgdphys.testing.stepping import Stepper

__all__ = ["BrownianPaths", "strong_order", "taylor_path", "underdamped_deviates", "wiener_deviates"]

Array = NDArray[np.float64]
GROUPS = 16  # of paths, for the standard error of a fit


@dataclass(frozen=True)
class BrownianPaths:
    """Independent Brownian motions on a fine grid of times, one for each lane.

    Parameters
    ----------
    dt
        The finest time step.
    xi
        Deviates, shape (step, set, channel, lane): of increments, then of integrals; four sets for underdamped motion.
    """

    dt: float
    xi: Array

    @classmethod
    def drawn(cls, dt: float, steps: int, channels: int, lanes: int, sets: int = 2, seed: int = 0) -> BrownianPaths:
        """Draw paths, as float32 numbers."""
        normals = np.random.default_rng(seed).standard_normal((steps, sets, channels, lanes), dtype=np.float32)
        return cls(dt, normals.astype(np.float64))

    def end(self, steps: int) -> Array:
        """Return W after some of the finest steps, shape (channel, lane)."""
        return np.asarray(np.sqrt(self.dt) * self.xi[:steps, 0].sum(axis=0))

    def increments(self, together: int) -> tuple[Array, Array]:
        """Return increments and integrals of ``together`` steps in one, both (step, channel, lane)."""
        xi = self.xi[: len(self.xi) // together * together]
        xi = xi.reshape(-1, together, *xi.shape[1:])
        small = np.sqrt(self.dt) * xi[:, :, 0]
        inner = self.dt**1.5 / 2 * (xi[:, :, 0] + xi[:, :, 1] / np.sqrt(3))
        before = np.cumsum(small, axis=1) - small
        return small.sum(axis=1), (inner + self.dt * before).sum(axis=1)


Coarsening = Callable[[Stepper, BrownianPaths, int], Array]


def wiener_deviates(stepper: Stepper, paths: BrownianPaths, together: int) -> Array:
    """Return the deviates (step, set * channel, lane) of an overdamped scheme: increments, and then integrals."""
    dt = paths.dt * together
    increments, integrals = paths.increments(together)
    xi = increments / np.sqrt(dt)
    if stepper.sets == 1:
        return np.asarray(xi)
    return np.concatenate([xi, np.sqrt(3) * (2 * integrals / dt**1.5 - xi)], axis=1)


def underdamped_deviates(friction: float) -> Coarsening:
    """Return how the splittings of underdamped dynamics take their deviates from free motion under friction.

    The noise of positions and velocities over a time is that of free motion from rest; two halves of a finest step
    have two deviates each, the first of the velocity, the second of what is left of the position.

    Returns
    -------
    Coarsening
        For schemes of one, two or four deviates a step.
    """

    def deviates(stepper: Stepper, paths: BrownianPaths, together: int) -> Array:
        halves = paths.xi.reshape(-1, 2, *paths.xi.shape[2:])  # (half a finest step, deviate, channel, lane)
        parts = {1: 2, 2: 1, 4: 1}[stepper.sets]  # halves of a step in one part
        way, velocity = _free_motion(halves, friction, paths.dt / 2, together * parts)
        covariance = _free_covariance(friction, paths.dt / 2 * together * parts)
        first = velocity / np.sqrt(covariance[1, 1])
        slope = covariance[0, 1] / np.sqrt(covariance[1, 1])
        second = (way - slope * first) / np.sqrt(covariance[0, 0] - slope**2)
        sets = np.stack([first, second], axis=1) if stepper.sets == 4 else first[:, np.newaxis]
        return sets.reshape(len(first) * parts // 2, -1, sets.shape[-1])

    return deviates


def _free_motion(halves: Array, friction: float, dt: float, together: int) -> tuple[Array, Array]:
    """Return positions and velocities (part, channel, lane) after ``together`` halves from rest, T = 1."""
    covariance = _free_covariance(friction, dt)
    slope = covariance[0, 1] / np.sqrt(covariance[1, 1])
    own = np.sqrt(covariance[0, 0] - slope**2)
    decay, travel = np.exp(-friction * dt), -np.expm1(-friction * dt) / friction
    steps = halves.reshape(-1, together, *halves.shape[1:])
    way = velocity = np.zeros_like(steps[:, 0, 0])
    for k in range(together):
        first, second = steps[:, k, 0], steps[:, k, 1]
        way = way + travel * velocity + slope * first + own * second
        velocity = decay * velocity + np.sqrt(covariance[1, 1]) * first
    return way, velocity


def _free_covariance(friction: float, dt: float) -> Array:
    """Return the covariance of position and velocity after free motion from rest at T = 1."""
    u = friction * dt
    if u < 0.05:
        variance = dt**2 * u * (2 / 3 - u / 2 + 7 * u**2 / 30 - u**3 / 12)
    else:
        variance = (2 * u - 3 + 4 * np.exp(-u) - np.exp(-2 * u)) / friction**2
    joint = np.expm1(-u) ** 2 / friction
    return np.array([[variance, joint], [joint, -np.expm1(-2 * u)]])


def taylor_path(landscape: Any, root: Array, start: Array, paths: BrownianPaths, steps: int) -> Array:
    r"""Return the end of the Taylor scheme of strong order 1.5 with the finest steps, in NumPy.

    For :math:`dx = -g\,dt + K\,dW` with constant K and gradient g, its Hessian H,

    .. math:: x \leftarrow x - g\,h + K \Delta W - H (K Z - \tfrac12 h^2 g)
        - \tfrac14 h^2 \sum_c \partial_{K_c}^2 g,

    derivatives of g along a direction by central differences.

    Parameters
    ----------
    landscape
        Has ``gradient``.
    root
        K, shape (coordinate, channel).
    start
        Shape (coordinate, lane).
    paths, steps
        Brownian paths, and how many of their steps to take.

    Returns
    -------
    Array
        Positions, shape (coordinate, lane).

    References
    ----------
    Kloeden & Platen 1992, equation 10.4.1.
    """
    x, h = start.copy(), paths.dt
    increments, integrals = paths.increments(1)

    def gradient(points: Array) -> Array:
        return np.asarray(landscape.gradient(points.T)).T

    for now in range(steps):
        g = gradient(x)
        turn = root @ integrals[now] - h**2 / 2 * g
        bend = sum(gradient(x + d) - 2 * g + gradient(x - d) for d in 1e-3 * root.T[:, :, np.newaxis]) / 1e-6
        x = x - h * g + root @ increments[now] - (gradient(x + turn) - gradient(x - turn)) / 2 - h**2 / 4 * bend
    return x


def strong_order(
    of_dt: Callable[[float], Stepper],
    start: Array,
    exact: Array,
    paths: BrownianPaths,
    together: Sequence[int],
    steps: int,
    coarsening: Coarsening = wiener_deviates,
) -> OrderFit:
    """Fit the strong order: the root mean square over paths of the distance from the exact end of the same path.

    Parameters
    ----------
    of_dt
        Gives the stepper of a time step.
    start
        State at the start, shape (row, lane).
    exact
        Exact rows at the end, the first of the state, shape (some rows, lane).
    paths
        Shared Brownian paths; with ``ahead`` longer than the run by the largest step.
    together
        How many of their steps make one step of each level.
    steps
        How many of the finest steps the run takes.
    coarsening
        How the scheme takes its deviates from the paths.

    Returns
    -------
    OrderFit
        The order with its standard error.
    """
    errors = []
    for m in together:
        stepper = of_dt(paths.dt * m)
        deviates = coarsening(stepper, paths, m)[: steps // m + stepper.ahead]
        end = stepper.advance(start, deviates)[: len(exact)]
        squares = np.sum((end - exact) ** 2, axis=0).reshape(GROUPS, -1)
        errors.append(np.sqrt(squares.mean(axis=1)))
    return fit_order([paths.dt * m for m in together], np.array(errors))
