"""What our landscapes share: the Python face of their block terms, unknown critical points, ``+`` and ``*``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys import schema
from sgdphys.checks import number_array
from sgdphys.kernels import evaluate
from sgdphys.protocols import Landscape, Term

if TYPE_CHECKING:
    from sgdphys.landscapes.algebra import Scaled, Sum

__all__ = ["BlockLandscape", "as_points", "finite_array"]

Array = NDArray[np.float64]


def as_points(x: ArrayLike, dim: int) -> Array:
    """Return points as a float64 array (particle, coordinate) that compiled code takes: contiguous and writable.

    Returns
    -------
    Array
        The points, shape (particle, ``dim``).

    Raises
    ------
    ValueError
        The shape is another one.
    """
    points = np.require(x, np.float64, ("C", "W"))
    if points.ndim != 2 or points.shape[1] != dim:
        raise ValueError(f"points must have the shape (particle, {dim}), got {points.shape}; use x.reshape(-1, {dim})")
    return points


def finite_array(name: str, values: ArrayLike, shape: tuple[int | None, ...]) -> Array:
    """Return a read-only float64 copy of the values.

    Parameters
    ----------
    name
        What messages call it.
    values
        Numbers.
    shape
        The shape they must have; None stands for any length.

    Returns
    -------
    Array
        The copy.

    Raises
    ------
    ValueError
        The shape is another one, or a value is not finite.
    """
    array = number_array(name, values)
    if array.ndim != len(shape) or any(need not in {None, have} for need, have in zip(shape, array.shape, strict=True)):
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise ValueError(f"{name} must have the shape ({wanted}), got {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} must be finite, got {array[~np.isfinite(array)][0]}")
    array.flags.writeable = False
    return array


class BlockLandscape(ABC):
    """A landscape that is a sum of block terms; :class:`sgdphys.protocols.Landscape` states units and signs."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Number of coordinates."""

    @abstractmethod
    def potential_terms(self) -> tuple[Term, ...]:
        """Return the block kernels whose sum is the potential, one row."""

    @abstractmethod
    def gradient_terms(self) -> tuple[Term, ...]:
        """Return the block kernels whose sum is the gradient."""

    @abstractmethod
    def hessian(self, x: Array) -> Array:
        """Return the second derivatives at ``x`` (particle, coordinate), shape (particle, coordinate, coordinate)."""

    @abstractmethod
    def configuration(self) -> dict[str, Any]:
        """Return the class name and the arguments, ready for JSON."""

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """Names of the coordinates."""
        return tuple(schema.coordinate_names(self.dim))

    @property
    def minima(self) -> Array:
        """Known minima, shape (minimum, coordinate); of length 0 where none are known."""
        return np.empty((0, self.dim))

    @property
    def saddles(self) -> Array:
        """Known saddles with one falling direction, shape (saddle, coordinate); of length 0 where none are known."""
        return np.empty((0, self.dim))

    def variables(self) -> dict[str, tuple[tuple[str, ...], Array]]:
        """Return the arrays, by schema name, that belong into a Dataset of this landscape; most have none."""
        return {}

    def potential(self, x: Array) -> Array:
        """Return f at ``x`` (particle, coordinate), shape (particle,), in loss."""
        return evaluate(self.potential_terms(), as_points(x, self.dim), 1)[:, 0]

    def gradient(self, x: Array) -> Array:
        """Return the derivative of f at ``x`` (particle, coordinate), same shape, in loss/x."""
        return evaluate(self.gradient_terms(), as_points(x, self.dim), self.dim)

    def __add__(self, other: object) -> Sum:
        from sgdphys.landscapes.algebra import Sum

        return Sum(self, other) if isinstance(other, Landscape) else NotImplemented

    def __mul__(self, factor: object) -> Scaled:
        from sgdphys.landscapes.algebra import Scaled

        return Scaled(self, float(factor)) if isinstance(factor, (int, float)) else NotImplemented

    __rmul__ = __mul__
