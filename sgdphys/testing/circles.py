r"""Weak orders without chance: expectations on circles, by quadrature over the deviates of each step.

On periodic landscapes (period 2 pi) the expectation :math:`u(x) = E\,\phi(x_n)` of n steps from x is a trigonometric
polynomial to rounding. One step turns its values on a grid into :math:`\sum_j w_j\,u(\mathrm{step}(x, \xi_j))` with
Gauss-Hermite nodes in place of the deviates, which is a matrix P; n steps are its power. The exact expectation is
:math:`e^{L t}\phi` with the generator L of the equation, differentiated on the same grid. For underdamped dynamics the
velocity joins by Hermite polynomials.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from sgdphys.noises.base import READINGS
from sgdphys.testing.axes import Axis, gauss_nodes
from sgdphys.testing.fits import OrderFit, fit_order
from sgdphys.testing.stepping import Stepper

__all__ = ["exact_expectation", "expectation", "stationary_order", "weak_order"]

Array = NDArray[np.float64]
CHUNK = 2**18  # images that are expanded at once
LONG = 60.0  # relaxation times
NODES = {1: 10, 2: 7, 3: 5, 4: 4}  # of each deviate, by the number of deviates


def _product(parts: Sequence[Array]) -> Array:
    """Return all combinations of the points of several axes, shape (axis, combination)."""
    return np.stack([part.ravel() for part in np.meshgrid(*parts, indexing="ij")])


def _quadrature(stepper: Stepper) -> tuple[Array, Array]:
    """Return deviates (set * channel, node) of one step and their weights; n nodes are exact to degree 2n - 1."""
    number = stepper.dynamics.noise.channels(stepper.dynamics.dim) * stepper.sets
    points, weights = gauss_nodes(NODES[number])
    return _product([points] * number), np.prod(_product([weights] * number), axis=0)


def _transition(stepper: Stepper, axes: Sequence[Axis]) -> Array:
    """Return P on values at grid points; with ``ahead`` on (pending deviate, grid point)."""
    grid = _product([axis.points for axis in axes])
    transform = functools.reduce(_kron, [axis.transform for axis in axes])
    deviates, weights = _quadrature(stepper)
    if stepper.ahead:
        return _pending(stepper, axes[0], grid, deviates, weights)
    rows = []
    for some in np.array_split(np.arange(grid.shape[1]), -(-grid.shape[1] * len(weights) // CHUNK)):
        images = _images(stepper, grid[:, some], deviates[np.newaxis])
        rows.append(_mean_functions(axes, images, weights))
    return np.asarray(np.concatenate(rows) @ transform)


def _pending(stepper: Stepper, axis: Axis, grid: Array, deviates: Array, weights: Array) -> Array:
    """Return P where a step reads its deviates and those of the next one, for one axis."""
    n, points = len(weights), grid.shape[1]
    pairs = np.stack([np.repeat(deviates, n, axis=1), np.tile(deviates, n)])
    values = axis.functions(_images(stepper, grid, pairs)[0].reshape(points, n, n)) @ axis.transform
    matrix = weights[:, np.newaxis] * values.transpose(1, 0, 2, 3)  # pending, point, following, point
    return np.asarray(matrix.reshape(n * points, n * points))


def _images(stepper: Stepper, grid: Array, deviates: Array) -> Array:
    """Return where a step takes each point (row, point) with each of the deviates (step, set * channel, node)."""
    nodes = deviates.shape[2]
    start = np.repeat(grid, nodes, axis=1)
    images = stepper.advance(start, np.tile(deviates, grid.shape[1]))
    return images.reshape(len(grid), grid.shape[1], nodes)


def _mean_functions(axes: Sequence[Axis], images: Array, weights: Array) -> Array:
    """Return the weighted means of all products of the axes' functions at images (axis, point, node)."""
    values = [axis.functions(image) for axis, image in zip(axes, images, strict=True)]
    first = np.swapaxes(values[0] * weights[:, np.newaxis], 1, 2)
    if len(axes) == 1:
        return np.asarray(first.sum(axis=2))
    return np.asarray(first @ values[1]).reshape(images.shape[1], -1)


def expectation(stepper: Stepper, axes: Sequence[Axis], values: Array, steps: int) -> Array:
    """Return E phi after some steps, for each starting point of the grid.

    Parameters
    ----------
    stepper
        The scheme.
    axes
        One for each row of the state.
    values
        phi on the grid, shape (point,).
    steps
        How many steps.

    Returns
    -------
    Array
        Shape (point,).
    """
    matrix = _transition(stepper, axes)
    pending = len(matrix) // len(values)
    after = np.linalg.matrix_power(matrix, steps) @ np.tile(values, pending)
    if pending == 1:
        return np.asarray(after)
    return np.asarray(_quadrature(stepper)[1] @ after.reshape(pending, -1))


def generator(
    landscape: Any, noise: Any, temperature: float, axes: Sequence[Axis], friction: float | None = None
) -> Array:
    """Return the generator of the equation on the grid, from gradient, D and the reading of the noise alone."""
    dim = landscape.dim
    grid = _product([axis.points for axis in axes])
    derivatives = _derivatives(axes)
    gradient, diffusion = landscape.gradient(grid[:dim].T), temperature * noise.diffusion(grid[:dim].T)
    if friction is not None:
        return _kramers(derivatives, grid[1], gradient[:, 0], diffusion[:, 0, 0], friction)
    reading = READINGS[getattr(noise, "interpretation", "ito")]
    total = np.zeros((grid.shape[1], grid.shape[1]))
    for i in range(dim):
        divergence = sum(derivatives[j] @ diffusion[:, i, j] for j in range(dim))
        drift = reading * divergence - gradient[:, i]
        total += drift[:, np.newaxis] * derivatives[i]
        for j in range(dim):
            total += diffusion[:, i, j, np.newaxis] * (derivatives[i] @ derivatives[j])
    return total


def _kramers(derivatives: Sequence[Array], v: Array, gradient: Array, energy: Array, friction: float) -> Array:
    """Return v d/dx - (f' + gamma v) d/dv + gamma T D d2/dv2."""
    along, across = derivatives
    drift = -(gradient + friction * v)
    kick = friction * energy[:, np.newaxis] * (across @ across)
    return np.asarray(v[:, np.newaxis] * along + drift[:, np.newaxis] * across + kick)


def _kron(a: Array, b: Array) -> Array:
    return np.asarray(np.kron(a, b))


def _derivatives(axes: Sequence[Axis]) -> list[Array]:
    ones = [np.eye(len(axis.points)) for axis in axes]
    return [
        functools.reduce(_kron, [axis.derivative if k == i else ones[k] for k, axis in enumerate(axes)])
        for i in range(len(axes))
    ]


def exact_expectation(
    landscape: Any,
    noise: Any,
    temperature: float,
    axes: Sequence[Axis],
    observable: Callable[..., Array],
    time: float,
    friction: float | None = None,
) -> Array:
    """Return E phi of the equation itself after a time, for each starting point of the grid.

    Parameters
    ----------
    landscape, noise, temperature
        The equation dx = -grad f dt + sqrt(2 T D) dW, or with ``friction`` that of underdamped motion.
    axes
        The grid, an axis for each row of the state.
    observable
        phi of the rows of the state.
    time
        After which it is observed.
    friction
        gamma, for one coordinate and its velocity.

    Returns
    -------
    Array
        Shape (point,).
    """
    matrix = generator(landscape, noise, temperature, axes, friction)
    return np.asarray(linalg.expm(time * matrix) @ _on_grid(observable, axes))


def _on_grid(observable: Callable[..., Array], axes: Sequence[Axis]) -> Array:
    return observable(*_product([axis.points for axis in axes]))


def weak_order(
    of_dt: Callable[[float], Stepper],
    axes: Sequence[Axis],
    observable: Callable[..., Array],
    dts: Sequence[float],
    exact: Array,
) -> OrderFit:
    """Fit the weak order over unit time: the largest error of E phi over all starting points.

    Parameters
    ----------
    of_dt
        Gives the stepper of a time step.
    axes
        The grid, an axis for each row of the state.
    observable
        phi of the rows of the state.
    dts
        Time steps 1/n.
    exact
        E phi of the equation, shape (point,).

    Returns
    -------
    OrderFit
        The order; no chance is involved.
    """
    values, inner = _on_grid(observable, axes), _inner(axes)
    errors = [np.abs(expectation(of_dt(dt), axes, values, round(1 / dt)) - exact)[inner].max() for dt in dts]
    return fit_order(dts, np.array(errors)[:, np.newaxis])


def stationary_order(
    of_dt: Callable[[float], Stepper],
    axes: Sequence[Axis],
    observable: Callable[..., Array],
    dts: Sequence[float],
    exact: Array,
) -> OrderFit:
    """Fit the order of the stationary mean of phi; arguments as in :func:`weak_order`."""
    values = _on_grid(observable, axes)
    errors = [abs(np.mean(expectation(of_dt(dt), axes, values, round(LONG / dt))) - exact.mean()) for dt in dts]
    return fit_order(dts, np.array(errors)[:, np.newaxis])


def _inner(axes: Sequence[Axis]) -> NDArray[np.bool_]:
    """Return which grid points have no extreme velocity."""
    grid = _product([axis.points for axis in axes])
    scale = [np.inf if np.ptp(axis.points) > 5 and axis.points[0] == 0 else axis.points.max() / 2 for axis in axes]
    return np.asarray(np.all(np.abs(grid) <= np.array(scale)[:, np.newaxis], axis=0))
