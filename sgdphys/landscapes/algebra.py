"""Sums, multiples and tilts of landscapes: their block terms put together, nothing compiled anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sgdphys.checks import finite_number
from sgdphys.kernels import BlockTerm, FieldKernel, Kernel
from sgdphys.landscapes.base import BlockLandscape, as_points, finite_array
from sgdphys.landscapes.circulating_parts import CirculationOfParts
from sgdphys.protocols import Curved, Landscape, Term

__all__ = ["Linear", "Scaled", "Sum", "Tilted"]

Array = NDArray[np.float64]


def linear_potential(x, parameters, factor, out):  # type: ignore[no-untyped-def]
    """Add ``factor * slope . x``."""
    for coordinate in range(x.shape[0]):
        slope = factor * parameters[coordinate]
        for lane in range(x.shape[1]):
            out[0, lane] += slope * x[coordinate, lane]


def linear_gradient(x, parameters, factor, out):  # type: ignore[no-untyped-def]
    """Add ``factor * slope``."""
    for coordinate in range(x.shape[0]):
        slope = factor * parameters[coordinate]
        for lane in range(x.shape[1]):
            out[coordinate, lane] += slope


_LINEAR_POTENTIAL = FieldKernel(linear_potential)
_LINEAR_GRADIENT = FieldKernel(linear_gradient)


@dataclass(frozen=True, eq=False)
class Linear(BlockLandscape):
    """The ramp f(x) = slope . x.

    Parameters
    ----------
    slope
        Gradient, shape (coordinate,), in loss/x; a number serves in one dimension.

    Raises
    ------
    ValueError
        The slope is not a finite vector.
    """

    slope: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "slope", finite_array("slope", np.atleast_1d(self.slope), (None,)))

    def __repr__(self) -> str:
        return f"Linear({_short(self.slope)})"

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.slope)

    def potential_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the potential."""
        return (BlockTerm(_LINEAR_POTENTIAL, self.slope),)

    def gradient_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the gradient."""
        return (BlockTerm(_LINEAR_GRADIENT, self.slope),)

    def hessian(self, x: Array) -> Array:
        """Return zeros, shape (particle, coordinate, coordinate)."""
        return np.zeros((len(as_points(x, self.dim)), self.dim, self.dim))

    def configuration(self) -> dict[str, Any]:
        """Return the class name and the slope."""
        return {"landscape": "Linear", "slope": self.slope.tolist()}


class _Combination(CirculationOfParts, BlockLandscape):
    """A weighted sum of landscapes; the first gives the dimension and the names of the coordinates."""

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.weighted[0][0].dim

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """Names of the coordinates."""
        return tuple(getattr(self.weighted[0][0], "coordinate_names", super().coordinate_names))

    def potential_terms(self) -> tuple[Term, ...]:
        """Return the block terms of all parts."""
        return tuple(_scaled(term, factor) for part, factor in self.weighted for term in part.potential_terms())

    def gradient_terms(self) -> tuple[Term, ...]:
        """Return the block terms of all parts."""
        return tuple(_scaled(term, factor) for part, factor in self.weighted for term in part.gradient_terms())

    def hessian(self, x: Array) -> Array:
        """Return the sum of the second derivatives, shape (particle, coordinate, coordinate)."""
        points = as_points(x, self.dim)
        total = np.zeros((len(points), self.dim, self.dim))
        for part, factor in self.weighted:
            total += factor * _curved(part).hessian(points)
        return total

    def variables(self) -> dict[str, tuple[tuple[str, ...], Array]]:
        """Return the arrays of all parts that belong into a Dataset; of equal names the first."""
        merged: dict[str, tuple[tuple[str, ...], Array]] = {}
        for part, _ in reversed(self.weighted):
            merged |= getattr(part, "variables", dict)()
        return merged


def _short(slope: Array) -> str:
    return str(slope.tolist()) if len(slope) <= 9 else f"slope of {len(slope)} coordinates"


def _scaled(term: Term, factor: float) -> Term:
    return term if factor == 1 else BlockTerm(cast(Kernel, term.kernel), term.parameters, factor * term.factor)


def _curved(part: Landscape) -> Curved:
    if not isinstance(part, Curved):
        raise ValueError(f"{type(part).__name__} has no hessian(x), so that its sums and multiples have none")
    return part


def _described(part: Landscape) -> Any:
    configuration = getattr(part, "configuration", None)
    return configuration() if configuration else {"landscape": f"{type(part).__module__}.{type(part).__qualname__}"}


def _check_landscape(part: object) -> None:
    if not isinstance(part, Landscape):
        raise ValueError(f"a landscape has dim, potential, gradient and their block terms, got {type(part).__name__}")
    if hasattr(part, "protocol"):
        raise ValueError(
            "a landscape with a protocol is no part of others; use Driven(base, drive, protocol) outermost"
        )


@dataclass(frozen=True, init=False, eq=False)
class Sum(_Combination):
    """The sum of landscapes of equal dimension.

    Parameters
    ----------
    *parts
        Landscapes.

    Raises
    ------
    ValueError
        There is no part, something is no landscape, or the dimensions differ.
    """

    parts: tuple[Landscape, ...]

    def __init__(self, *parts: Landscape) -> None:
        if not parts:
            raise ValueError("a sum needs at least one landscape")
        for part in parts:
            _check_landscape(part)
        if len({part.dim for part in parts}) > 1:
            raise ValueError(f"landscapes of a sum must have one dimension, got {[part.dim for part in parts]}")
        object.__setattr__(self, "parts", parts)

    @property
    def weighted(self) -> tuple[tuple[Landscape, float], ...]:
        """The parts, each with factor 1."""
        return tuple((part, 1.0) for part in self.parts)

    def configuration(self) -> dict[str, Any]:
        """Return the class name and the configurations of the parts."""
        return {"landscape": "Sum", "parts": [_described(part) for part in self.parts]}


@dataclass(frozen=True, eq=False)
class Scaled(_Combination):
    """A landscape times a number.

    Parameters
    ----------
    of
        The landscape.
    factor
        The number; finite. Critical points are known where it is positive.

    Raises
    ------
    ValueError
        The factor is not finite, or ``of`` is no landscape.
    """

    of: Landscape
    factor: float

    def __post_init__(self) -> None:
        _check_landscape(self.of)
        object.__setattr__(self, "factor", finite_number("factor", self.factor))

    @property
    def weighted(self) -> tuple[tuple[Landscape, float], ...]:
        """The landscape and its factor."""
        return ((self.of, float(self.factor)),)

    @property
    def minima(self) -> Array:
        """Minima of the landscape if the factor is positive."""
        return getattr(self.of, "minima", super().minima) if self.factor > 0 else super().minima

    @property
    def saddles(self) -> Array:
        """Saddles of the landscape if the factor is positive."""
        return getattr(self.of, "saddles", super().saddles) if self.factor > 0 else super().saddles

    def configuration(self) -> dict[str, Any]:
        """Return the class name, the factor and the configuration of the landscape."""
        return {"landscape": "Scaled", "of": _described(self.of), "factor": float(self.factor)}


@dataclass(frozen=True, eq=False)
class Tilted(_Combination):
    """A landscape with a ramp added: f(x) + slope . x. A constant force F is the slope -F.

    Parameters
    ----------
    of
        The landscape.
    slope
        Gradient of the ramp, shape (coordinate,), in loss/x; a number serves in one dimension.

    Raises
    ------
    ValueError
        The slope does not fit the dimension, or ``of`` is no landscape.
    """

    of: Landscape
    slope: Array

    def __post_init__(self) -> None:
        _check_landscape(self.of)
        object.__setattr__(self, "slope", finite_array("slope", np.atleast_1d(self.slope), (self.of.dim,)))

    def __repr__(self) -> str:
        return f"Tilted({self.of!r}, {_short(self.slope)})"

    @property
    def weighted(self) -> tuple[tuple[Landscape, float], ...]:
        """The landscape and the ramp."""
        return ((self.of, 1.0), (Linear(self.slope), 1.0))

    def configuration(self) -> dict[str, Any]:
        """Return the class name, the slope and the configuration of the landscape."""
        return {"landscape": "Tilted", "of": _described(self.of), "slope": self.slope.tolist()}
