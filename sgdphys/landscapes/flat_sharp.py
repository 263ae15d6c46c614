"""Two minima of chosen depth and curvature: the model of flat and sharp solutions of a learning problem."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels import BlockTerm, FieldKernel
from sgdphys.landscapes.base import BlockLandscape, as_points, finite_array

__all__ = ["FlatSharp"]

Array = NDArray[np.float64]


def flat_sharp_potential(x, parameters, factor, out):  # type: ignore[no-untyped-def]
    """Add ``factor`` times the smooth minimum of two parabolas."""
    a = parameters[0]
    b = parameters[1]
    depth_a = parameters[2]
    depth_b = parameters[3]
    half_a = 0.5 * parameters[4]
    half_b = 0.5 * parameters[5]
    width = parameters[6]
    inverse = 1.0 / width
    for lane in range(x.shape[1]):
        u = half_a * (x[0, lane] - a) * (x[0, lane] - a) - depth_a
        v = half_b * (x[0, lane] - b) * (x[0, lane] - b) - depth_b
        z = (u - v) * inverse
        inside = z if z < 1.0 else 1.0
        inside = inside if inside > -1.0 else -1.0
        square = inside * inside
        magnitude = (5.0 + square * (15.0 + square * (square - 5.0))) * 0.0625 + abs(z - inside)
        out[0, lane] += factor * 0.5 * (u + v - width * magnitude)


def flat_sharp_gradient(x, parameters, factor, out):  # type: ignore[no-untyped-def]
    """Add ``factor`` times the derivative of the smooth minimum of two parabolas."""
    a = parameters[0]
    b = parameters[1]
    offset = parameters[3] - parameters[2]
    curvature_a = parameters[4]
    curvature_b = parameters[5]
    inverse = 1.0 / parameters[6]
    for lane in range(x.shape[1]):
        slope_a = curvature_a * (x[0, lane] - a)
        slope_b = curvature_b * (x[0, lane] - b)
        z = (0.5 * (slope_a * (x[0, lane] - a) - slope_b * (x[0, lane] - b)) + offset) * inverse
        inside = z if z < 1.0 else 1.0
        inside = inside if inside > -1.0 else -1.0
        square = inside * inside
        weight = inside * (15.0 + square * (3.0 * square - 10.0)) * 0.125
        out[0, lane] += factor * 0.5 * (slope_a + slope_b - weight * (slope_a - slope_b))


_POTENTIAL = FieldKernel(flat_sharp_potential)
_GRADIENT = FieldKernel(flat_sharp_gradient)


@dataclass(frozen=True)
class FlatSharp(BlockLandscape):
    r"""Two parabolas joined by a smooth minimum; positions, depths and curvatures of the minima are exact.

    .. math::

        u = \tfrac12 k_1 (x-a_1)^2 - d_1, \quad v = \tfrac12 k_2 (x-a_2)^2 - d_2, \quad
        f = \tfrac12 \left(u + v - w\,\varphi\left(\tfrac{u-v}{w}\right)\right)

    with phi(z) = |z| for |z| >= 1 and (5 + 15 z^2 - 5 z^4 + z^6)/16 within, three times continuously differentiable.
    So f is the lower parabola wherever they differ by more than the smoothing w, above all around both minima; where
    they cross, f is 5w/32 below. Far away the flatter parabola confines: the sharp well is a dent in a wide basin.

    Parameters
    ----------
    positions
        Positions of the flat and the sharp minimum, in x; different.
    depths
        Depths d of the two: f is -d there, in loss.
    curvatures
        Curvatures k of the two, in loss/x^2; positive.
    smoothing
        Width w in loss of the region around the crossing where the parabolas are joined; half of the largest that
        leaves both minima untouched if not given.

    Raises
    ------
    ValueError
        A value breaks its rule, one well swallows the other's minimum, or the smoothing is too large.
    """

    positions: tuple[float, float] = (-1.0, 1.0)
    depths: tuple[float, float] = (0.0, 0.0)
    curvatures: tuple[float, float] = (0.5, 8.0)
    smoothing: float | None = None
    _width: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("positions", "depths", "curvatures"):
            object.__setattr__(self, name, tuple(finite_array(name, getattr(self, name), (2,)).tolist()))
        if self.positions[0] == self.positions[1]:
            raise ValueError(f"positions must differ, got {self.positions}")
        if min(self.curvatures) <= 0:
            raise ValueError(f"curvatures must be positive, got {self.curvatures}")
        room = self._room()
        if room <= 0:
            raise ValueError(f"depths {self.depths} leave one minimum inside the other well; move the positions apart")
        object.__setattr__(self, "_width", 0.5 * room if self.smoothing is None else float(self.smoothing))
        self._check_width(room)

    def _room(self) -> float:
        """Return by how much, at the worse of the two minima, the other parabola lies above."""
        lift = self.depths[0] - self.depths[1]
        half_square = 0.5 * (self.positions[1] - self.positions[0]) ** 2
        return min(self.curvatures[1] * half_square + lift, self.curvatures[0] * half_square - lift)

    def _check_width(self, room: float) -> None:
        width = self._width
        if not (math.isfinite(width) and 0 < width <= room):
            raise ValueError(f"smoothing must be positive and at most {room:g}, got {width}")
        signs = np.sign(self._slope(np.linspace(*self.positions, 4001)[1:-1]))
        if np.count_nonzero(np.diff(signs[signs != 0])) != 1:
            raise ValueError(f"smoothing {width:g} makes more than one barrier; use at most {0.5 * room:g}")

    def _parts(self, x: Array) -> tuple[Array, Array, Array]:
        """Return the two slopes and the difference of the parabolas in units of the smoothing, cut to [-1, 1]."""
        slope_a, slope_b = (k * (x - a) for k, a in zip(self.curvatures, self.positions, strict=True))
        difference = 0.5 * (slope_a**2 / self.curvatures[0] - slope_b**2 / self.curvatures[1])
        return slope_a, slope_b, np.clip((difference + self.depths[1] - self.depths[0]) / self._width, -1, 1)

    def _slope(self, x: Array) -> Array:
        slope_a, slope_b, z = self._parts(x)
        weight = z * (15 - 10 * z**2 + 3 * z**4) / 8
        return 0.5 * (slope_a + slope_b - weight * (slope_a - slope_b))

    @property
    def dim(self) -> int:
        """Number of coordinates: 1."""
        return 1

    @property
    def minima(self) -> Array:
        """The flat and the sharp minimum, in this order."""
        return np.array(self.positions)[:, np.newaxis]

    @functools.cached_property
    def saddles(self) -> Array:
        """The top of the barrier, found by bisection to the last bit."""
        below, above = self.positions
        for _ in range(200):
            middle = 0.5 * (below + above)
            uphill = (self._slope(np.array([middle]))[0] > 0) == (self.positions[1] > self.positions[0])
            below, above = (middle, above) if uphill else (below, middle)
        return np.array([[0.5 * (below + above)]])

    def _parameters(self) -> Array:
        return np.array([*self.positions, *self.depths, *self.curvatures, self._width])

    def potential_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the potential."""
        return (BlockTerm(_POTENTIAL, self._parameters()),)

    def gradient_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the gradient."""
        return (BlockTerm(_GRADIENT, self._parameters()),)

    def hessian(self, x: Array) -> Array:
        """Return the second derivative at ``x`` (particle, 1), shape (particle, 1, 1)."""
        slope_a, slope_b, z = self._parts(as_points(x, 1))
        weight = z * (15 - 10 * z**2 + 3 * z**4) / 8
        bend = 15 * (1 - z**2) ** 2 / 8 * (slope_a - slope_b) ** 2 / self._width
        curvature_a, curvature_b = self.curvatures
        return (0.5 * (curvature_a + curvature_b - weight * (curvature_a - curvature_b) - bend))[:, :, np.newaxis]

    def configuration(self) -> dict[str, Any]:
        """Return the class name and the arguments."""
        lists = {name: list(getattr(self, name)) for name in ("positions", "depths", "curvatures")}
        return {"landscape": "FlatSharp", **lists, "smoothing": self._width}
