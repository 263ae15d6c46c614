"""From a landscape, a noise and a temperature to the operator on a grid: the door where they are checked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sgdphys.fokker_planck.operator import Operator, assemble

if TYPE_CHECKING:
    from collections.abc import Callable

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array, Landscape, Noise
    from sgdphys.sgd import SGD

__all__ = ["discretise", "energy_function"]


def discretise(
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    temperature: float | None = None,
    sgd: SGD | None = None,
    grid: Grid,
) -> Operator:
    r"""Build the Fokker-Planck operator of a landscape, a noise and a temperature on a grid.

    With ``temperature=`` it is :math:`\nabla\cdot(p \nabla f + T\, \nabla\cdot(D p))`. With ``sgd=`` the temperature is
    ``sgd.effective_temperature``, the landscape gains (wd/2)\|x\|^2, and everything is 1/(1 - momentum) times as fast,
    because time is lr * step while the overdamped motion has the learning rate lr/(1 - momentum).

    Parameters
    ----------
    landscape
        Anything with ``dim`` and ``potential(x)``.
    noise
        Noise with a constant diagonal D; None means D = 1 and is allowed with ``temperature=`` only.
    temperature
        T, in x^2/loss; positive. Exactly one of ``temperature`` and ``sgd`` is given.
    sgd
        Settings of stochastic gradient descent that the temperature comes from.
    grid
        The cells; as many axes as the landscape has coordinates.

    Returns
    -------
    Operator
        The operator on the grid.

    Raises
    ------
    ValueError
        The temperature is not positive or changes in time, as may the landscape; the grid or the noise does not fit
        the landscape, D depends on x, is not diagonal or not positive, or the potential is not finite in some cell.
    """
    if not 1 <= landscape.dim == grid.dim:
        raise ValueError(f"the grid has {grid.dim} axes, the landscape {landscape.dim} coordinates; they must agree")
    if hasattr(landscape, "protocol"):
        raise ValueError("this landscape changes in time and the grid needs one that does not: give landscape.at(time)")
    effective_temperature = _temperature(temperature, sgd, noise)
    points = grid.points()
    potential = _finite(energy_function(landscape, sgd)(points), points)
    energies = tuple(effective_temperature * entry for entry in _diagonal(noise, points))
    return assemble(grid, potential, energies, 1.0 if sgd is None else sgd.effective_lr / sgd.lr)


def _temperature(temperature: float | None, sgd: SGD | None, noise: Noise | None) -> float:
    if (temperature is None) == (sgd is None):
        raise ValueError("give exactly one of temperature= and sgd=")
    if sgd is not None and not hasattr(sgd, "effective_temperature"):
        raise ValueError(f"sgd must be one SGD on a grid, got {type(sgd).__name__}; a schedule has no one temperature")
    if callable(temperature):
        raise ValueError("temperature must be a number on a grid, got a schedule; solve it piece by piece")
    if sgd is not None and noise is None:
        raise ValueError("sgd= needs the gradient covariance: give a noise, or temperature= for D = 1")
    value = sgd.effective_temperature if sgd is not None else temperature
    if value is None or not (math.isfinite(value) and value > 0):
        raise ValueError(f"temperature must be positive and finite on a grid, got {value}; use simulate without noise")
    return float(value)


def energy_function(landscape: Landscape, sgd: SGD | None) -> Callable[[Array], Array]:
    """Return the potential energy with the weight decay of some settings.

    Parameters
    ----------
    landscape
        Anything with ``potential(x)``.
    sgd
        Settings whose weight decay is added; None for none.

    Returns
    -------
    Callable
        f(x) + (wd/2)|x|^2 of points (cell, coordinate), in loss.

    Raises
    ------
    ValueError
        The landscape holds the weight decay already.
    """
    decay = 0.0 if sgd is None else sgd.weight_decay
    if decay and getattr(landscape, "origin", None) is not None:
        raise ValueError("a network's twin holds the weight decay already: give an SGD with weight_decay=0")
    return lambda points: np.asarray(landscape.potential(points)) + decay / 2 * (points**2).sum(axis=1)


def _finite(potential: Array, points: Array) -> Array:
    if potential.shape != points.shape[:1]:
        raise ValueError(f"potential(x) must have shape ({len(points)},) on this grid, got {potential.shape}")
    broken = np.flatnonzero(~np.isfinite(potential))
    if broken.size:
        where = ", ".join(f"{value:.6g}" for value in points[broken[0]])
        raise ValueError(
            f"the potential is {potential[broken[0]]} in {broken.size} cells, first at ({where}); move the walls"
        )
    return np.asarray(potential, dtype=np.float64)


def _diagonal(noise: Noise | None, points: Array) -> Array:
    dim = points.shape[1]
    if noise is None:
        return np.ones(dim)
    diffusion = np.asarray(noise.diffusion(points), dtype=np.float64)
    if diffusion.shape != (len(points), dim, dim):
        raise ValueError(f"diffusion(x) must have shape {(len(points), dim, dim)} on this grid, got {diffusion.shape}")
    if not np.array_equal(diffusion, np.broadcast_to(diffusion[0], diffusion.shape)):
        raise ValueError("the diffusion depends on x, the grid needs a constant one: use Isotropic or Diagonal")
    diagonal = np.diagonal(diffusion[0])
    if np.any(diffusion[0] != np.diag(diagonal)):
        raise ValueError("the diffusion is not diagonal, as the grid needs it: rotate the coordinates")
    if not np.all(diagonal > 0):
        raise ValueError(f"every diagonal entry of the diffusion must be positive on a grid, got {diagonal.tolist()}")
    return diagonal
