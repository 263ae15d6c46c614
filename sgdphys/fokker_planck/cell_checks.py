"""Whether potential, drift and diffusion have values on the cells that a grid can use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sgdphys.fokker_planck.equations import Equation
    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array

__all__ = ["check_cells"]

_SYMMETRIC = 1e-12  # largest difference of D_ij and D_ji, relative to the largest entry
_CLOSED = 1e-8  # largest difference of D at both ends of a periodic axis, likewise


def check_cells(equation: Equation, grid: Grid, axes: int) -> None:
    """Refuse what cannot be put on cells, at the time of the equation.

    Parameters
    ----------
    equation
        Landscape, noise and temperature.
    grid
        The cells.
    axes
        Number of axes that the equation is about: all, or half of them where the others are velocities.

    Raises
    ------
    ValueError
        The potential, or what else the equation needs, has the wrong shape or is not finite somewhere; or the diffusion
        is not symmetric, not positive in all directions, not Gaussian's, or not periodic where the grid is.
    """
    points = grid.points() if axes == grid.dim else _places(grid, axes)
    _check_potential(equation, points)
    if equation.noise is not None:
        _check_diffusion(equation, points)
        _check_ends(equation, grid, axes)
    _check_drift(equation, points)


def _places(grid: Grid, axes: int) -> Array:
    """Return the centres along the first axes alone, shape (place, coordinate)."""
    mesh = np.meshgrid(*grid.centres[:axes], indexing="ij")
    return np.stack([axis.ravel() for axis in mesh], axis=1)


def _check_potential(equation: Equation, points: Array) -> None:
    potential = np.asarray(equation.energy(points))
    if potential.shape != points.shape[:1]:
        raise ValueError(f"potential(x) must have shape ({len(points)},) on this grid, got {potential.shape}")
    broken = np.flatnonzero(~np.isfinite(potential))
    if broken.size:
        where = _written(points[broken[0]])
        raise ValueError(
            f"the potential is {potential[broken[0]]} in {broken.size} cells, first at ({where}); move the walls"
        )


def _check_drift(equation: Equation, points: Array) -> None:
    landscape: Any = equation.landscape
    if equation.needs_gradient:
        if not hasattr(landscape, "gradient"):
            raise ValueError(
                f"{type(landscape).__name__} needs gradient(x) for a diffusion that depends on x or mixes coordinates; "
                "give it one, or a constant diagonal diffusion"
            )
        _check_field("gradient", landscape.gradient(points), points)
    if equation.circulates:
        _check_field("circulation", landscape.circulation(points), points)


def _check_field(name: str, values: Any, points: Array) -> None:
    field = np.asarray(values)
    if field.shape != points.shape:
        raise ValueError(f"{name}(x) must have shape {points.shape} on this grid, got {field.shape}")
    broken = np.flatnonzero(~np.isfinite(field).all(axis=1))
    if broken.size:
        raise ValueError(
            f"the {name} is not finite in {broken.size} cells, first at ({_written(points[broken[0]])}); move the walls"
        )


def _check_diffusion(equation: Equation, points: Array) -> None:
    noise: Any = equation.noise
    places = points if equation.constant_diffusion is None or not hasattr(noise, "additive") else points[:1]
    diffusion, dim = equation.diffusion(places), points.shape[1]
    if diffusion.shape != (len(places), dim, dim):
        raise ValueError(f"diffusion(x) must have shape {(len(places), dim, dim)} on this grid, got {diffusion.shape}")
    if not np.all(np.isfinite(diffusion)):
        cell = np.flatnonzero(~np.isfinite(diffusion).all(axis=(1, 2)))[0]
        raise ValueError(f"the diffusion is not finite at ({_written(places[cell])}); move the walls")
    if not hasattr(noise, "additive") and not np.array_equal(diffusion, np.broadcast_to(diffusion[0], diffusion.shape)):
        raise ValueError("the diffusion depends on x: say so by additive = False in the noise's class")
    _check_symmetry(diffusion, places)
    smallest = np.linalg.eigvalsh(diffusion)[:, 0]
    worst = int(smallest.argmin())
    if smallest[worst] <= 1e-12 * np.abs(diffusion[worst]).max():
        raise ValueError(
            f"the diffusion must be positive in all directions on a grid, its smallest eigenvalue at "
            f"({_written(places[worst])}) is {smallest[worst]:.6g}: add a little isotropic noise, or leave "
            "out directions without noise"
        )


def _check_symmetry(diffusion: Array, places: Array) -> None:
    gap = np.abs(diffusion - diffusion.transpose(0, 2, 1)).max(axis=(1, 2))
    worst = int((gap - _SYMMETRIC * np.abs(diffusion).max(axis=(1, 2))).argmax())
    if gap[worst] > _SYMMETRIC * np.abs(diffusion[worst]).max():
        raise ValueError(
            f"the diffusion must be symmetric, at ({_written(places[worst])}) it differs from its transpose by "
            f"{gap[worst]:.6g}; give (D + D')/2"
        )


def _check_ends(equation: Equation, grid: Grid, axes: int) -> None:
    """Refuse a diffusion that jumps where a periodic axis closes."""
    for axis in filter(grid.is_periodic, range(axes)):
        face = [centres if other != axis else np.zeros(1) for other, centres in enumerate(grid.centres[:axes])]
        low = np.stack([part.ravel() for part in np.meshgrid(*face, indexing="ij")], axis=1)
        high = low.copy()
        low[:, axis], high[:, axis] = grid.axes[axis][:2]
        first, last = equation.diffusion(low), equation.diffusion(high)
        if np.abs(first - last).max() > _CLOSED * np.abs(first).max():
            worst = int(np.abs(first - last).max(axis=(1, 2)).argmax())
            raise ValueError(
                f"axis {axis} is periodic, but the diffusion is {first[worst].tolist()} at ({_written(low[worst])}) "
                f"and {last[worst].tolist()} at ({_written(high[worst])}); make it periodic, or the walls reflecting"
            )


def _written(point: Array) -> str:
    return ", ".join(f"{value:.6g}" for value in point)
