"""Densities to compute, each with a reference known far better than any candidate computes it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["PROBLEMS", "TEMPERATURE", "Problem", "spectral_difference"]

TEMPERATURE = 0.1
CENTRE, WIDTH = -1.0, 0.2  # of the Gaussian start along every coordinate
HARMONIC_CENTRE = 0.5


@dataclass(frozen=True)
class Problem:
    """The density at one time of dp/dt = div(p grad f) + T laplacian(D p) on the box (-wall, wall)^dim.

    ``gradient`` holds grad f as formulas in x and y, ``diffusion`` D as one in x; ``time`` is infinite for the
    stationary density; ``least`` is the smallest number of cells along an axis. ``reference`` gives the density at
    points (cell, coordinate).
    """

    title: str
    dim: int
    wall: float
    time: float
    potential: str
    gradient: tuple[str, ...]
    reference: Callable[[np.ndarray], np.ndarray]
    diffusion: str = "1"
    least: int = 16

    def spacing(self, cells: int) -> float:
        """Return the width of a cell."""
        return 2 * self.wall / cells

    def points(self, cells: int) -> np.ndarray:
        """Return the cell centres (cell, coordinate), the last coordinate fastest."""
        axis = (np.arange(cells) + 0.5) * self.spacing(cells) - self.wall
        return np.stack([one.ravel() for one in np.meshgrid(*[axis] * self.dim, indexing="ij")], axis=1)

    def start(self, points: np.ndarray) -> np.ndarray:
        """Return the initial density at points, up to a factor."""
        centre = np.array([CENTRE, HARMONIC_CENTRE][: self.dim])
        return np.exp(-((points - centre) ** 2).sum(axis=1) / (2 * WIDTH**2))

    def start_on(self, cells: int) -> np.ndarray:
        """Return the initial density on the cells, normalised on them, shape (cell,)."""
        values = self.start(self.points(cells))
        return values / (values.sum() * self.spacing(cells) ** self.dim)

    def value(self, formula: str, points: np.ndarray) -> np.ndarray:
        """Return one of the formulas of this file at points."""
        names = dict(zip("xy", points.T, strict=False))
        return np.broadcast_to(eval(formula, {"log": np.log}, names), len(points)).astype(float)

    def error(self, density: Any, cells: int) -> float:
        """Return the total variation between a density on the cells and the reference at their centres."""
        difference = np.asarray(density).ravel() - self.reference(self.points(cells))
        return 0.5 * self.spacing(cells) ** self.dim * float(np.abs(difference).sum())


@functools.cache
def _coefficients(time: float, gradient: str, diffusion: str, wall: float, nodes: int) -> np.ndarray:
    """Fourier coefficients of the density on a line: collocation in space, the exponential of the matrix in time."""
    from scipy.linalg import expm

    x = -wall + 2 * wall * np.arange(nodes) / nodes
    waves = np.where(np.arange(nodes) == nodes // 2, 0, np.fft.fftfreq(nodes, 1 / nodes)) * np.pi / wall
    derivative = np.fft.ifft(1j * waves[:, None] * np.fft.fft(np.eye(nodes), axis=0), axis=0).real
    drift, spread = (np.broadcast_to(eval(one, {"x": x}), nodes) for one in (gradient, diffusion))
    density = np.exp(-((x - CENTRE) ** 2) / (2 * WIDTH**2)) / math.sqrt(2 * math.pi * WIDTH**2)
    operator = derivative @ (np.diag(drift) + TEMPERATURE * derivative @ np.diag(spread))
    return np.fft.fft(expm(time * operator) @ density) / nodes


def _on_a_line(
    x: np.ndarray, time: float, gradient: str, diffusion: str = "1", wall: float = 3.0, nodes: int = 288
) -> np.ndarray:
    distinct, place = np.unique(x, return_inverse=True)
    waves = np.fft.fftfreq(nodes, 1 / nodes) * np.pi / wall
    coefficients = _coefficients(time, gradient, diffusion, wall, nodes)
    return np.asarray((np.exp(1j * np.outer(distinct + wall, waves)) @ coefficients).real[place])


def spectral_difference() -> float:
    """Return the largest change of the references when their nodes and walls change: their own error."""
    x = np.linspace(-2.5, 2.5, 401)
    found = []
    for time in (1.0, 10.0):
        found.append(_on_a_line(x, time, WELL) - _on_a_line(x, time, WELL, "1", 3.2, 352))
    found.append(_on_a_line(x, 1.0, WELL, SPREAD, 5.0, 320) - _on_a_line(x, 1.0, WELL, SPREAD, 5.5, 384))
    return float(np.abs(found).max())


def _ornstein_uhlenbeck(y: np.ndarray, time: float) -> np.ndarray:
    mean = HARMONIC_CENTRE * math.exp(-time)
    variance = TEMPERATURE + (WIDTH**2 - TEMPERATURE) * math.exp(-2 * time)
    return np.exp(-((y - mean) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)


def _gibbs(points: np.ndarray) -> np.ndarray:
    from scipy.integrate import quad

    norm = quad(lambda x: math.exp(-(x**4 / 4 - x**2 / 2) / TEMPERATURE), -4, 4, epsabs=1e-14, limit=200)[0]
    x = points[:, 0]
    return np.exp(-(x**4 / 4 - x**2 / 2) / TEMPERATURE) / norm


WELL, SPREAD = "x**3 - x", "1 + x**2"
POTENTIAL = "x**4/4 - x**2/2"

PROBLEMS = {
    "line": Problem(
        "double well on a line, t = 1", 1, 2.5, 1.0, POTENTIAL, (WELL,), lambda q: _on_a_line(q[:, 0], 1.0, WELL)
    ),
    "longer": Problem(
        "double well on a line, t = 10", 1, 2.5, 10.0, POTENTIAL, (WELL,), lambda q: _on_a_line(q[:, 0], 10.0, WELL)
    ),
    "stationary": Problem(
        "double well on a line, stationary, at least 200 cells", 1, 2.5, math.inf, POTENTIAL, (WELL,), _gibbs, least=200
    ),
    "spread": Problem(
        "double well on a line with D = 1 + x^2, Ito, t = 1", 1, 4.0, 1.0, POTENTIAL, (WELL,),
        lambda q: _on_a_line(q[:, 0], 1.0, WELL, SPREAD, 5.0, 320), SPREAD,
    ),
    "plane": Problem(
        "double well times a parabola in the plane, t = 1", 2, 2.5, 1.0, f"{POTENTIAL} + y**2/2", (WELL, "y"),
        lambda q: _on_a_line(q[:, 0], 1.0, WELL) * _ornstein_uhlenbeck(q[:, 1], 1.0),
    ),
}  # fmt: skip
