"""How checks fail, and the numerical derivative that they compare with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["central_difference", "require"]

Array = NDArray[np.float64]


def require(condition: object, message: str) -> None:
    """Raise AssertionError with the message unless the condition holds; NumPy's truth counts."""
    if not condition:
        raise AssertionError(message)


def central_difference(field: Callable[[Array], Array], points: Array, step: float = 6e-6) -> Array:
    """Return the derivative of ``field`` (particle, ...) by each coordinate, as the last axis; error about 1e-10."""
    moves = step * np.eye(points.shape[1])
    return np.stack([(field(points + move) - field(points - move)) / (2 * step) for move in moves], axis=-1)
