"""Landscapes of the user's own functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.checks import whole_number
from sgdphys.kernels import BlockTerm
from sgdphys.kernels.user_functions import (
    describe_failure,
    field_of,
    full_name,
    plain_function,
    refuse_wrong_index,
    source_hash,
)
from sgdphys.landscapes.base import BlockLandscape, as_points, finite_array

__all__ = ["Custom"]

Array = NDArray[np.float64]
Function = Callable[..., Any]
MOST_COORDINATES = 100_000
_STEP = 6e-6  # cube root of the rounding unit, the best step of a central difference


@dataclass(frozen=True, init=False)
class Custom(BlockLandscape):
    """A landscape of two functions, plain Python or numba's ``njit``; they are compiled once in each process.

    With the coordinates as separate arguments, ``potential(x, y)`` returns a number and ``gradient(x, y)`` a tuple (in
    one dimension a number). With one argument and ``dim`` above 1, ``potential(x)`` takes an array (coordinate,) and
    returns a number, ``gradient(x)`` returns an array (coordinate,). Functions that they call must be ``njit``
    functions. The Hessian is the central difference of the gradient, good to about 1e-9 of its size.

    Parameters
    ----------
    potential
        f in loss.
    gradient
        Its derivative in loss/x (not the force, which is the negative).
    dim
        Number of coordinates; the number of arguments if not given.
    check_at
        Points, shape (particle, coordinate), at which the gradient is compared with finite differences of the
        potential; four standard normal ones if not given.

    Raises
    ------
    ValueError
        The number of arguments does not fit, numba cannot compile a function, or the gradient is not that of the
        potential.
    """

    potential_function: Function
    gradient_function: Function
    coordinates: int
    separate: bool

    def __repr__(self) -> str:
        names = [getattr(f, "__name__", type(f).__name__) for f in (self.potential_function, self.gradient_function)]
        return f"Custom({', '.join(names)}, dim={self.coordinates})"

    def __init__(
        self, potential: Function, gradient: Function, dim: int | None = None, check_at: ArrayLike | None = None
    ) -> None:
        coordinates, separate = _signature(potential, gradient, dim)
        object.__setattr__(self, "potential_function", potential)
        object.__setattr__(self, "gradient_function", gradient)
        object.__setattr__(self, "coordinates", coordinates)
        object.__setattr__(self, "separate", separate)
        self._compile()
        drawn = np.random.default_rng(0).normal(size=(4, coordinates))
        self._check_gradient(drawn if check_at is None else finite_array("check_at", check_at, (None, coordinates)))

    def _compile(self) -> None:
        if not self.separate:
            for function in (self.potential_function, self.gradient_function):
                refuse_wrong_index(function, np.ones(self.dim))
        for function, term in zip((self.potential_function, self.gradient_function), self._terms(), strict=True):
            try:
                _ = term.kernel.address
            except Exception as error:
                raise ValueError(f"numba cannot compile {full_name(function)}: {describe_failure(error)}") from None

    def _check_gradient(self, points: Array) -> None:
        with np.errstate(all="ignore"):
            values, difference = self.gradient(points), _central_difference(self._column, points)[:, 0]
            tolerance = 1e-4 * (1 + np.abs(difference)) + 1e-9 * np.abs(self.potential(points))[:, np.newaxis]
            wrong = ~(np.abs(values - difference) <= tolerance)
        defined = np.all(np.isfinite(values) & np.isfinite(difference), axis=1)
        if not np.any(defined):
            raise ValueError("the functions are finite at no test point; give check_at= points where they are")
        if np.any(wrong[defined]):
            particle, i = np.argwhere(wrong & defined[:, np.newaxis])[0]
            raise ValueError(
                f"gradient[{i}] is {values[particle, i]:.6g} at {points[particle].round(4).tolist()}, but the finite "
                f"difference of the potential is {difference[particle, i]:.6g}; correct one of the two functions"
            )

    def _column(self, points: Array) -> Array:
        return self.potential(points)[:, np.newaxis, np.newaxis]

    def _terms(self) -> tuple[BlockTerm, BlockTerm]:
        potential = field_of(self.potential_function, self.coordinates, 1, self.separate)
        gradient = field_of(self.gradient_function, self.coordinates, self.coordinates, self.separate)
        return BlockTerm(potential), BlockTerm(gradient)

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.coordinates

    def potential_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the potential."""
        return self._terms()[:1]

    def gradient_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the gradient."""
        return self._terms()[1:]

    def hessian(self, x: Array) -> Array:
        """Return the symmetrised central difference of the gradient, shape (particle, coordinate, coordinate)."""
        points = as_points(x, self.dim)
        matrix = _central_difference(lambda moved: self.gradient(moved)[:, :, np.newaxis], points)
        return 0.5 * (matrix + matrix.transpose(0, 2, 1))

    def configuration(self) -> dict[str, Any]:
        """Return the class name, the qualified names of the functions and a hash of their source."""
        functions = (self.potential_function, self.gradient_function)
        names = {"potential": full_name(functions[0]), "gradient": full_name(functions[1])}
        return {"landscape": "Custom", **names, "dim": self.dim, "source_hash": source_hash(*functions)}


def _signature(potential: Function, gradient: Function, dim: int | None) -> tuple[int, bool]:
    """Return the number of coordinates and whether they are separate arguments."""
    for function in (potential, gradient):
        if not callable(function):
            raise ValueError(f"potential and gradient must be functions, got {type(function).__name__}")
    counts = [len(inspect.signature(plain_function(function)).parameters) for function in (potential, gradient)]
    if counts[0] != counts[1] or not counts[0]:
        raise ValueError(f"potential and gradient must take the same arguments, got {counts[0]} and {counts[1]}")
    coordinates = counts[0] if dim is None else whole_number("dim", dim)
    if coordinates > MOST_COORDINATES:
        raise ValueError(f"dim must be at most {MOST_COORDINATES}, got a number of {len(str(coordinates))} digits")
    if counts[0] != 1 and counts[0] != coordinates:
        raise ValueError(f"dim={dim} does not fit functions of {counts[0]} arguments")
    return coordinates, counts[0] == coordinates


def _central_difference(field: Callable[[Array], Array], points: Array) -> Array:
    """Return the derivative of ``field`` (particle, row, 1) by each coordinate, shape (particle, row, coordinate)."""
    columns = []
    for coordinate in range(points.shape[1]):
        step = np.zeros_like(points)
        step[:, coordinate] = _STEP * (1 + np.abs(points[:, coordinate]))
        difference = field(points + step) - field(points - step)
        columns.append(difference / (2 * step[:, coordinate, np.newaxis, np.newaxis]))
    return np.concatenate(columns, axis=2)
