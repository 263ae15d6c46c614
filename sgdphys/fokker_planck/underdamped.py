"""Motion with inertia on a grid: the Klein-Kramers equation of position and velocity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sgdphys import schema
from sgdphys.checks import finite_number
from sgdphys.fokker_planck.hops import joined_cells, wall_names
from sgdphys.fokker_planck.operator import Operator, bernoulli

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.fokker_planck.equations import Equation
    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array, Landscape

__all__ = ["Underdamped", "assemble_underdamped"]

_SCHEMES = ("central", "upwind")
_RESOLVED = 1.0  # change of H/(cT) from cell to cell up to which streaming is central
_DEEP = 20.0  # H/(cT) above the minimum up to which it is: rounding from there grows by the root of exp(H/(cT)) at most
_CLOSED = 1e-9  # of the range of H: largest change around a periodic axis that counts as none


@dataclass(frozen=True)
class Underdamped:
    r"""A landscape in which particles of mass 1 have a velocity: x and v are the coordinates of its grids.

    The density obeys the Klein-Kramers equation of :math:`dx = v\,dt,\; dv = -(\nabla f + \gamma v)\,dt + \sqrt{2
    \gamma T D}\,dW` with a noise D = c 1:

    .. math:: \partial_t p = -v \cdot \nabla_x p + \nabla_v \cdot [p\,(\nabla f + \gamma v) + \gamma T c\, \nabla_v p] .

    Its stationary state is :math:`e^{-H/(cT)}` with :math:`H = f + v^2/2`, which is the ``potential`` here, exact on
    any grid in both schemes. Give it to the verbs of :mod:`sgdphys.fokker_planck` in place of a landscape, with
    ``temperature=`` and a grid of all positions, then all velocities.

    Parameters
    ----------
    landscape
        f, of the positions.
    friction
        gamma, in 1/time at unit mass; positive.
    scheme
        ``"central"``: streaming of second order, with negative hopping rates, so that a density may fall below zero
        where the grid is too coarse (which is warned of). Where H/(cT) changes by more than 1 from cell to cell, or
        lies more than 20 above its minimum, it goes over to upwind: central streaming would carry rounding errors of
        the tails into the middle, where they grow as exp(H/(cT)).
        ``"upwind"``: always positive, of first order, as if positions diffused with \|v\| times half a cell.

    Raises
    ------
    ValueError
        The friction is not positive, the scheme unknown, or the landscape none of positions.

    References
    ----------
    Risken 1989, The Fokker-Planck Equation, chapter 10.
    """

    landscape: Landscape
    friction: float
    scheme: Literal["central", "upwind"] = "central"

    def __post_init__(self) -> None:
        if isinstance(self.landscape, Underdamped) or not hasattr(self.landscape, "potential"):
            raise ValueError(f"Underdamped needs a landscape of positions, got {self.landscape!r:.60}")
        finite_number("friction", self.friction, sign="positive")
        if self.scheme not in _SCHEMES:
            raise ValueError(f"scheme must be 'central' or 'upwind', got {self.scheme!r}")

    @property
    def dim(self) -> int:
        """Number of positions and velocities."""
        return 2 * int(self.landscape.dim)

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """Names of the positions, then ``v_`` and the same names."""
        names = getattr(self.landscape, "coordinate_names", schema.coordinate_names(self.landscape.dim))
        return (*names, *(f"v_{name}" for name in names))

    def potential(self, x: Array) -> Array:
        """Return the energy f + v^2/2 at points (point, positions then velocities), shape (point,), in loss."""
        places, velocities = np.split(np.asarray(x), 2, axis=1)
        return np.asarray(self.landscape.potential(places) + (velocities**2).sum(axis=1) / 2)

    def configuration(self) -> dict[str, Any]:
        """Return the arguments, ready for JSON."""
        inner = getattr(self.landscape, "configuration", lambda: {"landscape": type(self.landscape).__qualname__})()
        return {"landscape": "Underdamped", "of": inner, "friction": self.friction, "scheme": self.scheme}


def assemble_underdamped(grid: Grid, motion: Underdamped, equation: Equation, names: list[str]) -> Operator:
    r"""Build the operator of position and velocity.

    Friction and noise hop along the velocities by exponential fitting. Streaming is divergence-free in the stationary
    state: in the plane of x_i and v_i its flux there is the difference of :math:`cT e^{-H/(cT)}` between the corners of
    a face. At walls the stream is closed; through an absorbing wall of a position what moves outwards leaves. On a
    periodic axis the energies beyond the seam count, so that a tilted landscape drives a current.

    Parameters
    ----------
    grid
        Cells of all positions, then all velocities.
    motion
        Friction and scheme.
    equation
        Landscape, noise D = c 1 and temperature of the positions.
    names
        Names of the axes.

    Returns
    -------
    Operator
        With ``streams``: the stationary state has a current; it is known unless a tilt drives around a periodic axis.
    """
    diffusion = equation.constant_diffusion
    assert diffusion is not None
    energy = equation.temperature * float(diffusion[0, 0])
    points, count = grid.points(), grid.dim // 2
    level = _energies(equation, points) / energy
    parts = [_face_rates(grid, axis, motion, equation, energy, points, level) for axis in range(grid.dim)]
    known = level if all(_closes(grid, axis, equation, points, level) for axis in range(count)) else None
    outer, walls = _exits(grid, points, count)
    left, right, forward, backward, exponents, conductances, kinds = (
        np.concatenate(columns) for columns in zip(*parts, outer, strict=True)
    )
    hops, exits = np.eye(grid.dim, dtype=np.int64), tuple(wall_names(grid, names)[wall] for wall in walls)
    return Operator(
        grid, left, right, forward, backward, exponents, conductances, kinds, hops, known, None, exits, streams=True
    )


def _energies(equation: Equation, points: Array) -> Array:
    places, velocities = np.split(points, 2, axis=1)
    return np.asarray(equation.energy(places) + (velocities**2).sum(axis=1) / 2)


def _closes(grid: Grid, axis: int, equation: Equation, points: Array, level: Array) -> bool:
    """Return whether the energy is the same on both sides of a periodic axis' seam: no force drives around it."""
    if not grid.is_periodic(axis):
        return True
    low, high, _ = grid.axes[axis]
    around = points + (high - low) * np.eye(grid.dim)[axis]
    beyond = _energies(equation, around) - _energies(equation, points)
    return bool(np.abs(beyond).max() <= _CLOSED * max(1.0, float(np.ptp(level))) * equation.temperature)


def _face_rates(
    grid: Grid, axis: int, motion: Underdamped, equation: Equation, energy: float, points: Array, level: Array
) -> tuple[Any, ...]:
    """Return left, right, forward, backward, exponents, conductances and kinds of the faces of one axis."""
    hop = np.eye(grid.dim, dtype=np.int64)[axis]
    left, right = joined_cells(grid, hop)
    exponents, conductances = np.zeros(len(left)), np.zeros(len(left))
    if axis >= grid.dim // 2:
        exponents = (points[right, axis] ** 2 - points[left, axis] ** 2) / (2 * energy)
        conductances = np.full(len(left), motion.friction * energy / grid.spacing[axis] ** 2)
    levels = level[left], _energies(equation, points[left] + hop * np.array(grid.spacing)) / energy  # beyond the seam
    ahead, behind = _stream(grid, axis, motion, equation, energy, points[left], levels)
    forward = conductances * bernoulli(exponents) + ahead
    backward = conductances * bernoulli(-exponents) + behind
    return left, right, forward, backward, exponents, conductances, np.full(len(left), axis, dtype=np.int64)


def _stream(
    grid: Grid,
    axis: int,
    motion: Underdamped,
    equation: Equation,
    energy: float,
    start: Array,
    levels: tuple[Array, Array],
) -> tuple[Array, Array]:
    """Return the rates of streaming through faces, from their corners: to the right and to the left."""
    half = grid.dim // 2
    other, sign = (axis + half, -1.0) if axis < half else (axis - half, 1.0)
    middle = start.copy()
    middle[:, axis] += grid.spacing[axis] / 2
    corners = []
    for side in (-0.5, 0.5):
        corner = middle.copy()
        corner[:, other] += side * grid.spacing[other]
        inside = _open(grid, axis, corner[:, axis]) & _open(grid, other, corner[:, other])
        corners.append((_energies(equation, corner) / energy, inside))
    scale = sign * energy / (grid.spacing[axis] * grid.spacing[other])
    rates = []
    for level in levels:
        low, high = (np.where(inside, np.exp(level - height), 0.0) for height, inside in corners)
        rates.append(scale * (high - low))
    upwind = np.maximum(rates[0], 0.0), np.maximum(-rates[1], 0.0)
    if motion.scheme == "upwind":
        return upwind
    change = np.maximum(np.abs(corners[1][0] - corners[0][0]), np.abs(levels[1] - levels[0]))
    height = np.maximum(*levels) - min(level.min() for level in levels)
    share = np.clip(np.minimum(_RESOLVED + 1 - change, 2 - height / _DEEP), 0.0, 1.0)
    return share * rates[0] / 2 + (1 - share) * upwind[0], -share * rates[1] / 2 + (1 - share) * upwind[1]


def _open(grid: Grid, axis: int, values: Array) -> NDArray[np.bool_]:
    """Return which corners lie on no wall that closes the stream."""
    low, high, _ = grid.axes[axis]
    near = 1e-6 * grid.spacing[axis]
    closed = [side not in {"periodic", "absorbing"} for side in grid.sides[axis]]
    at_wall = (closed[0] & (np.abs(values - low) < near)) | (closed[1] & (np.abs(values - high) < near))
    return np.asarray(~at_wall)


def _exits(grid: Grid, points: Array, count: int) -> tuple[tuple[Any, ...], list[int]]:
    """Return the faces through absorbing walls of positions, like those of :func:`_face_rates`, and the walls."""
    cells = np.arange(grid.size).reshape(grid.shape)
    walls = [2 * axis + side for axis in range(count) for side in (0, 1) if grid.sides[axis][side] == "absorbing"]
    found = []
    for number, wall in enumerate(walls):
        axis, side = divmod(wall, 2)
        last = cells.take(-side, axis=axis).ravel()
        outward = (2 * side - 1) * points[last, count + axis]
        leaving, speed = last[outward > 0], outward[outward > 0] / grid.spacing[axis]
        many, one = np.zeros(len(leaving)), np.ones(len(leaving), dtype=np.int64)
        found.append((leaving, one * (grid.size + number), speed, many, many + np.inf, many, one * axis))
    if not found:
        nothing, none = np.empty(0), np.empty(0, dtype=np.int64)
        return (none, none, nothing, nothing, nothing, nothing, none), []
    return tuple(np.concatenate(column) for column in zip(*found, strict=True)), walls
