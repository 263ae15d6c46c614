"""Axes of product grids: points, the functions that pass through values there, and their derivatives."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Axis", "circle", "gauss_nodes", "velocities"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Axis:
    """One axis of a product grid: its points and the functions that pass through values there.

    Parameters
    ----------
    points
        Shape (point,).
    functions
        Values of all functions at any points: (point,) -> (point, function).
    slopes
        Their derivatives at the points of the axis, (point, function).
    transform
        Turns values at the points into coefficients, (function, point).
    """

    points: Array
    functions: Callable[[Array], Array]
    slopes: Array
    transform: Array

    @property
    def derivative(self) -> Array:
        """The matrix that turns values at the points into derivatives there."""
        return np.asarray(self.slopes @ self.transform)


def circle(size: int) -> Axis:
    """Return an axis of an odd number of points round a circle, with the functions 1, cos x, sin x, cos 2x, ..."""
    points = 2 * np.pi * np.arange(size) / size
    waves = np.arange(1, size // 2 + 1)

    def functions(x: Array) -> Array:
        phases = np.multiply.outer(x, waves)
        pairs = np.stack([np.cos(phases), np.sin(phases)], axis=-1)
        return np.concatenate([np.ones((*x.shape, 1)), pairs.reshape(*x.shape, -1)], axis=-1)

    values = functions(points)
    slopes = np.zeros_like(values)
    slopes[:, 1::2], slopes[:, 2::2] = -waves * values[:, 2::2], waves * values[:, 1::2]
    norms = np.where(np.arange(size) == 0, 1.0, 2.0)[:, np.newaxis]
    return Axis(points, functions, slopes, norms * values.T / size)


def velocities(size: int, temperature: float) -> Axis:
    """Return an axis of velocities, with Hermite polynomials of v / sqrt T."""
    nodes, weights = gauss_nodes(size)
    degrees = np.arange(size)
    norms = np.sqrt(np.cumprod(np.maximum(degrees, 1.0)))

    def functions(v: Array) -> Array:
        return np.asarray(np.polynomial.hermite_e.hermevander(v / np.sqrt(temperature), size - 1) / norms)

    points = np.sqrt(temperature) * nodes
    at_points = functions(points)
    slopes = np.zeros_like(at_points)
    slopes[:, 1:] = at_points[:, :-1] * np.sqrt(degrees[1:] / temperature)
    return Axis(points, functions, slopes, (weights[:, np.newaxis] * at_points).T)


@functools.cache
def gauss_nodes(size: int) -> tuple[Array, Array]:
    """Return nodes and weights of the standard normal law."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(size)
    return nodes, weights / weights.sum()
