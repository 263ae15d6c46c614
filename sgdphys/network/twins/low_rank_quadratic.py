"""A parabola in many coordinates with few curvatures of its own, as the whole loss of a network near a minimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys import schema
from sgdphys.checks import finite_number
from sgdphys.kernels import BlockTerm, FieldKernel
from sgdphys.landscapes.base import BlockLandscape, as_points, finite_array
from sgdphys.landscapes.finite_sums import data_hash
from sgdphys.simulation.memory import refuse_above_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.kernels.stack import STACK_LANES, stack_row

    Array = NDArray[np.float64]

__all__ = ["LowRankQuadratic"]

FAST_MATH = ("contract", "nsz")  # lanes of a vector and of its remainder must add up in the same order


def low_rank_potential(x, parameters, factor, out):  # type: ignore[no-untyped-def]
    """Add ``factor * (c + a |x - m|^2 / 2 + sum s (u . x - b)^2 / 2)``; parameters: c, a, m, then s, b, u of each."""
    dim = x.shape[0]
    for lane in range(x.shape[1]):
        out[0, lane] += factor * parameters[0]
    for row in range(dim):
        centre, weight = parameters[2 + row], 0.5 * factor * parameters[1]
        for lane in range(x.shape[1]):
            out[0, lane] += weight * (x[row, lane] - centre) * (x[row, lane] - centre)
    along = stack_row()
    for first in range(0, x.shape[1], STACK_LANES):
        count = min(STACK_LANES, x.shape[1] - first)
        for start in range(2 + dim, parameters.shape[0], dim + 2):
            low_rank_projection(x, parameters, start, first, count, along)  # type: ignore[no-untyped-call]
            weight = 0.5 * factor * parameters[start]
            for lane in range(count):
                out[0, np.uint64(first + lane)] += weight * along[lane] * along[lane]


def low_rank_gradient(x, parameters, factor, out):  # type: ignore[no-untyped-def]
    """Add ``factor * (a (x - m) + sum s (u . x - b) u)``; parameters as of the potential."""
    dim = x.shape[0]
    rest = factor * parameters[1]
    for row in range(dim):
        centre = parameters[2 + row]
        for lane in range(x.shape[1]):
            out[row, lane] += rest * (x[row, lane] - centre)
    along = stack_row()
    for first in range(0, x.shape[1], STACK_LANES):
        count = min(STACK_LANES, x.shape[1] - first)
        for start in range(2 + dim, parameters.shape[0], dim + 2):
            low_rank_projection(x, parameters, start, first, count, along)  # type: ignore[no-untyped-call]
            for row in range(dim):
                weight = factor * parameters[start] * parameters[start + 2 + row]
                for lane in range(count):
                    out[row, np.uint64(first + lane)] += weight * along[lane]


def low_rank_projection(x, parameters, start, first, count, along):  # type: ignore[no-untyped-def]
    """Write u . x - b of one direction for lanes from ``first`` on to ``along``."""
    for lane in range(count):
        along[lane] = -parameters[start + 1]
    for row in range(x.shape[0]):
        entry = parameters[start + 2 + row]
        for lane in range(count):
            along[lane] += entry * x[row, np.uint64(first + lane)]


_POTENTIAL = FieldKernel(low_rank_potential)
_GRADIENT = FieldKernel(low_rank_gradient)


@dataclass(frozen=True, eq=False, repr=False)
class LowRankQuadratic(BlockLandscape):
    r"""A parabola with given curvatures along some directions and one curvature along all others.

    .. math:: f(x) = c + \tfrac{a}{2} |x - m|^2 + \tfrac12 \sum_k (h_k - a) (u_k \cdot (x - m))^2

    No matrix of all coordinates is formed: a gradient costs two products with the directions.

    Parameters
    ----------
    origin
        The minimum m, (coordinate,).
    directions
        Orthonormal u_k, (coordinate, mode).
    curvatures
        h_k, (mode,), in loss/x^2.
    rest
        a, in loss/x^2.
    constant
        c, in loss.

    Raises
    ------
    ValueError
        A shape does not fit, or a number is not finite.
    """

    origin: Array
    directions: Array
    curvatures: Array
    rest: float
    constant: float = 0.0

    def __post_init__(self) -> None:
        origin = finite_array("origin", self.origin, (None,))
        directions = finite_array("directions", self.directions, (len(origin), None))
        object.__setattr__(self, "origin", origin)
        object.__setattr__(self, "directions", directions)
        object.__setattr__(self, "curvatures", finite_array("curvatures", self.curvatures, (directions.shape[1],)))
        object.__setattr__(self, "rest", finite_number("rest", self.rest))
        object.__setattr__(self, "constant", finite_number("constant", self.constant))

    def __repr__(self) -> str:
        return f"LowRankQuadratic(dim={self.dim}, rank {len(self.curvatures)}, rest {self.rest:.3g})"

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.origin)

    @property
    def minima(self) -> Array:
        """The point m if all curvatures are positive."""
        return self.origin[np.newaxis][: int(min(self.rest, self.curvatures.min()) > 0)]

    def potential_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the potential."""
        return (BlockTerm(_POTENTIAL, self._parameters),)

    def gradient_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the gradient."""
        return (BlockTerm(_GRADIENT, self._parameters),)

    def hessian(self, x: Array) -> Array:
        """Return the dense Hessian for each point of ``x`` (particle, coordinate), read-only."""
        what = f"the dense Hessian of {self.dim} coordinates"
        refuse_above_memory(3 * 8 * self.dim**2, what, "use directions, curvatures and rest")
        matrix = self.directions * (self.curvatures - self.rest) @ self.directions.T + self.rest * np.eye(self.dim)
        return np.broadcast_to(matrix, (len(as_points(x, self.dim)), self.dim, self.dim))

    def variables(self) -> dict[str, tuple[tuple[str, ...], Array]]:
        """Return minimum, directions and curvatures by schema name."""
        return {
            "origin": ((schema.PARAMETER,), self.origin),
            "eigenvector": ((schema.PARAMETER, schema.MODE), self.directions),
            "eigenvalue": ((schema.MODE,), self.curvatures),
        }

    def configuration(self) -> dict[str, Any]:
        """Return the class, the numbers and a hash of the arrays, which are left to :meth:`variables`."""
        return {
            "landscape": f"{type(self).__module__}.{type(self).__qualname__}",
            "rest": self.rest,
            "constant": self.constant,
            "data_hash": data_hash(self._parameters, self.origin),
        }

    @property
    def _parameters(self) -> Array:
        heads = np.column_stack([self.curvatures - self.rest, self.origin @ self.directions, self.directions.T])
        return np.concatenate([[self.constant, self.rest], self.origin, heads.ravel()])
