"""The check of a landscape: derivatives, critical points, kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels import evaluate
from sgdphys.protocols import Curved, Landscape
from sgdphys.testing.requirements import central_difference, require

__all__ = [
    "check_circulation", "check_critical_points", "check_gradient", "check_hessian", "check_kernels",
    "check_landscape",
]  # fmt: skip

Array = NDArray[np.float64]


def check_landscape(landscape: Any, points: Array) -> None:
    """Check that a landscape keeps what ``protocols.Landscape`` promises.

    Its gradient is the derivative of its potential, its Hessian (where it has one) that of the gradient, and
    symmetric; its ``minima`` and ``saddles`` (where it names some) are such; the kernels that the engine runs give the
    same values as the Python face, added to what is there. Of a landscape with a circulating part (``circulation``) all
    this holds for its ``base``; its own gradient is that of the base minus the circulation, its potential the base's,
    and its Hessian the derivative of its gradient.

    Parameters
    ----------
    landscape
        Any landscape.
    points
        Where to look, shape (particle, coordinate); some ten points where it curves.

    Raises
    ------
    AssertionError
        A property does not hold.
    """
    require(isinstance(landscape, Landscape), f"{landscape!r:.60} lacks members of sgdphys.protocols.Landscape")
    require(
        points.ndim == 2 and points.shape[1] == landscape.dim,
        f"points must have shape (particle, {landscape.dim}), got {points.shape}",
    )
    check_gradient(landscape, points)
    check_kernels(landscape, points)
    if isinstance(landscape, Curved):
        check_hessian(landscape, points)
        if hasattr(landscape, "minima") and hasattr(landscape, "saddles"):
            check_critical_points(landscape)


def check_circulation(landscape: Any, points: Array) -> None:
    """Check that the gradient is that of the base minus the circulation, and the potential that of the base."""
    expected = landscape.base.gradient(points) - landscape.circulation(points)
    scale, error = np.max(np.abs(expected)), np.max(np.abs(landscape.gradient(points) - expected))
    require(error <= 1e-12 * scale, f"the gradient is not that of the base minus the circulation, by {error:.3g}")
    values = landscape.base.potential(points)
    error = np.max(np.abs(landscape.potential(points) - values))
    require(error <= 1e-12 * np.max(np.abs(values)), f"the potential is not that of the base, it is {error:.3g} off")


def check_gradient(landscape: Any, points: Array, relative: float = 1e-6) -> None:
    """Check that the gradient is the derivative of the potential; its negative (a force) is far off."""
    if hasattr(landscape, "circulation"):
        check_circulation(landscape, points)
        landscape = landscape.base
    gradient = landscape.gradient(points)
    require(gradient.shape == points.shape, f"the gradient has shape {gradient.shape}, the points {points.shape}")
    scale = np.max(np.abs(gradient))
    difference = central_difference(landscape.potential, points)
    error, other = np.max(np.abs(gradient - difference)), np.max(np.abs(-gradient - difference))
    sign = "; its negative is: return the gradient, not the force" if other < relative * scale else ""
    require(
        error < relative * scale,
        f"the gradient is not the derivative of the potential, it is {error:.3g} off at a scale of {scale:.3g}{sign}",
    )
    require(other > scale, "the points tell nothing of the gradient's sign, take others")


def check_hessian(landscape: Any, points: Array, relative: float = 1e-6) -> None:
    """Check that the Hessian is the derivative of the gradient, and symmetric where nothing circulates."""
    hessian = landscape.hessian(points)
    shape = (*points.shape, points.shape[1])
    require(hessian.shape == shape, f"the Hessian must have shape {shape}, got {hessian.shape}")
    scale = np.max(np.abs(hessian)) + np.max(np.abs(landscape.gradient(points)))
    error = np.max(np.abs(hessian - central_difference(landscape.gradient, points)))
    require(error < relative * scale, f"the Hessian is not the derivative of the gradient, it is {error:.3g} off")
    if hasattr(landscape, "circulation"):
        return
    skew = np.max(np.abs(hessian - hessian.transpose(0, 2, 1)))
    require(skew <= 1e-12 * scale, f"the Hessian is not symmetric, by {skew:.3g}")


def check_critical_points(landscape: Any) -> None:
    """Check that minima and saddles have no gradient; minima curve up in all directions, saddles in all but one."""
    landscape = landscape.base if hasattr(landscape, "circulation") else landscape
    for name, falling in (("minima", 0), ("saddles", 1)):
        points = getattr(landscape, name)
        require(
            points.ndim == 2 and points.shape[1] == landscape.dim,
            f"{name} must have shape (point, {landscape.dim}), got {points.shape}",
        )
        if len(points):
            slope = np.max(np.abs(landscape.gradient(points)))
            require(slope < 1e-10, f"{name} must have no gradient, it is {slope:.3g}")
            eigenvalues = np.linalg.eigvalsh(landscape.hessian(points))
            require(np.all(eigenvalues != 0), f"{name} must have no flat direction")
            counts = np.count_nonzero(eigenvalues < 0, axis=1)
            require(np.all(counts == falling), f"{name} must curve down in {falling} directions, they do in {counts}")


def check_kernels(landscape: Any, points: Array) -> None:
    """Check that the kernels of potential and gradient agree with the Python face, and add ``factor`` times that."""
    for name, terms, values in (
        ("potential", landscape.potential_terms(), landscape.potential(points)[:, np.newaxis]),
        ("gradient", landscape.gradient_terms(), landscape.gradient(points)),
    ):
        own = evaluate(terms, points, values.shape[1])
        scale = np.max(np.abs(values)) + 1e-300
        error = np.max(np.abs(own - values))
        require(error <= 1e-12 * scale, f"{name}_terms() differ from {name}() by {error:.3g}")
        twice = evaluate([*terms, *(term.scaled(-0.5) for term in terms)], points, values.shape[1])
        error = np.max(np.abs(twice - values / 2))
        require(error <= 1e-12 * scale, f"kernels of {name}_terms() must add factor times the {name} to out")
