"""The symmetric double well."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels import BlockTerm, FieldKernel
from sgdphys.landscapes.base import BlockLandscape, as_points

__all__ = ["DoubleWell"]

Array = NDArray[np.float64]


def double_well_potential(x, parameters, factor, out):  # type: ignore[no-untyped-def]
    """Add ``factor * (quartic x^4 / 4 - quadratic x^2 / 2)``."""
    quartic = 0.25 * factor * parameters[0]
    quadratic = 0.5 * factor * parameters[1]
    for lane in range(x.shape[1]):
        square = x[0, lane] * x[0, lane]
        out[0, lane] += square * (quartic * square - quadratic)


def double_well_gradient(x, parameters, factor, out):  # type: ignore[no-untyped-def]
    """Add ``factor * (quartic x^3 - quadratic x)``."""
    quartic = factor * parameters[0]
    quadratic = factor * parameters[1]
    for lane in range(x.shape[1]):
        position = x[0, lane]
        out[0, lane] += position * (quartic * position * position - quadratic)


_POTENTIAL = FieldKernel(double_well_potential)
_GRADIENT = FieldKernel(double_well_gradient)


@dataclass(frozen=True)
class DoubleWell(BlockLandscape):
    r"""Two equal wells on a line.

    .. math:: f(x) = b\,(x/a)^4 - 2 b\,(x/a)^2, \qquad a = \mathrm{distance}/2

    with minima f = -b at x = -a and a (curvature 8 b/a^2), and the barrier f = 0 at x = 0 (curvature -4 b/a^2).
    The default is x^4/4 - x^2/2. A tilt is added by :class:`Tilted`.

    Parameters
    ----------
    barrier
        Height b of the barrier above the minima, in loss; positive.
    distance
        Distance 2a between the minima, in x; positive.

    Raises
    ------
    ValueError
        A value is not positive and finite.
    """

    barrier: float = 0.25
    distance: float = 2.0

    def __post_init__(self) -> None:
        for name in ("barrier", "distance"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be positive and finite, got {value}")

    @property
    def dim(self) -> int:
        """Number of coordinates: 1."""
        return 1

    @property
    def minima(self) -> Array:
        """The two minima."""
        return np.array([[-self.distance / 2], [self.distance / 2]])

    @property
    def saddles(self) -> Array:
        """The top of the barrier."""
        return np.zeros((1, 1))

    def _coefficients(self) -> Array:
        a = self.distance / 2
        return np.array([4 * self.barrier / a**4, 4 * self.barrier / a**2])

    def potential_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the potential."""
        return (BlockTerm(_POTENTIAL, self._coefficients()),)

    def gradient_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the gradient."""
        return (BlockTerm(_GRADIENT, self._coefficients()),)

    def hessian(self, x: Array) -> Array:
        """Return the second derivative at ``x`` (particle, 1), shape (particle, 1, 1)."""
        quartic, quadratic = self._coefficients()
        curvature: Array = 3 * quartic * as_points(x, 1) ** 2 - quadratic
        return curvature[:, :, np.newaxis]

    def configuration(self) -> dict[str, Any]:
        """Return the class name and the arguments."""
        return {"landscape": "DoubleWell", "barrier": float(self.barrier), "distance": float(self.distance)}
