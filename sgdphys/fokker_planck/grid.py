"""Regular grids of cells and what happens at their walls."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sgdphys.protocols import Array

    Boundary = str | tuple[str, str]

__all__ = ["BOUNDARIES", "Grid"]

BOUNDARIES = ("far", "reflecting", "periodic", "absorbing")


@dataclass(frozen=True)
class Grid:
    """A box cut into equal cells; every value on it belongs to the centre of a cell.

    Axis i has the centres ``low + (k + 1/2) spacing`` for k = 0 ... cells - 1 and walls at ``low`` and ``high``.

    Parameters
    ----------
    axes
        One ``(low, high, cells)`` for each coordinate: the two walls, in x, and the number of cells between them.
    boundaries
        ``"far"``, a reflecting wall that is meant to lie where there is no probability, so that some there is warned
        of; ``"reflecting"``, one that is meant; ``"absorbing"`` (what reaches the wall is gone); or ``"periodic"``
        (``high`` is ``low`` again). One word for all walls, or a list with, for each axis, a word or a pair (low side,
        high side).

    Raises
    ------
    ValueError
        There is no axis, a wall is not finite, the walls are not in order, there are fewer than two cells, or a
        boundary is unknown or periodic on one side only.
    """

    axes: Sequence[tuple[float, float, int]]
    boundaries: Boundary | Sequence[Boundary] = "far"

    def __post_init__(self) -> None:
        given: object = self.axes
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise ValueError(f"a grid needs a list of axes (low, high, cells), got {self.axes!r:.60}")
        axes = tuple(_checked_axis(number, axis) for number, axis in enumerate(self.axes))
        if not axes:
            raise ValueError("a grid needs at least one axis (low, high, cells), got none")
        object.__setattr__(self, "axes", axes)
        object.__setattr__(self, "boundaries", _checked_boundaries(self.boundaries, len(axes)))

    @property
    def sides(self) -> tuple[tuple[str, str], ...]:
        """What happens at the low and the high wall of each axis."""
        return self.boundaries  # type: ignore[return-value]

    def is_periodic(self, axis: int) -> bool:
        """Return whether an axis closes on itself."""
        return self.sides[axis][0] == "periodic"

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of cells along each axis."""
        return tuple(cells for _, _, cells in self.axes)

    @property
    def size(self) -> int:
        """Number of cells."""
        return math.prod(self.shape)

    @property
    def spacing(self) -> tuple[float, ...]:
        """Width of a cell along each axis, in x."""
        return tuple((high - low) / cells for low, high, cells in self.axes)

    @property
    def cell_volume(self) -> float:
        """Volume of a cell, in x^dim."""
        return math.prod(self.spacing)

    @property
    def centres(self) -> list[Array]:
        """Cell centres along each axis, in x."""
        cells = [np.arange(count, dtype=np.float64) + 0.5 for count in self.shape]
        return [axis[0] + cell * width for axis, cell, width in zip(self.axes, cells, self.spacing, strict=True)]

    @property
    def edges(self) -> list[Array]:
        """Cell faces along each axis, walls included, in x."""
        return [np.linspace(low, high, cells + 1) for low, high, cells in self.axes]

    def points(self) -> Array:
        """Return all cell centres, shape (cell, coordinate), in x; the last coordinate runs fastest."""
        return np.stack([axis.ravel() for axis in np.meshgrid(*self.centres, indexing="ij")], axis=1)


def _checked_axis(number: int, axis: tuple[float, float, int]) -> tuple[float, float, int]:
    if np.ndim(axis) != 1 or len(axis) != 3:
        raise ValueError(f"axis {number} of a grid must be (low, high, cells), got {axis!r}")
    low, high, cells = axis
    if not all(isinstance(entry, (int, float, np.integer, np.floating)) for entry in axis):
        raise ValueError(f"axis {number} of a grid must be three numbers (low, high, cells), got {axis!r:.60}")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"axis {number} of a grid needs finite walls low < high, got low={low}, high={high}")
    if not math.isfinite(cells) or int(cells) != cells or cells < 2:
        raise ValueError(f"axis {number} of a grid needs a whole number of cells, 2 or more, got {cells}")
    return float(low), float(high), int(cells)


def _checked_boundaries(boundaries: object, dim: int) -> tuple[tuple[str, str], ...]:
    if not isinstance(boundaries, (str, list, tuple)):
        raise ValueError(f"boundaries must be of {', '.join(BOUNDARIES)}, or a list of them, got {boundaries!r:.60}")
    each = [boundaries] * dim if isinstance(boundaries, str) else list(boundaries)
    if len(each) != dim:
        raise ValueError(f"boundaries must be one word or one entry for each of {dim} axes, got {len(each)} entries")
    pairs: tuple[Any, ...] = tuple(tuple(side) if isinstance(side, (list, tuple)) else (side, side) for side in each)
    for axis, pair in enumerate(pairs):
        if len(pair) != 2 or any(side not in BOUNDARIES for side in pair):
            raise ValueError(f"boundaries of axis {axis} must be of {', '.join(BOUNDARIES)}, got {pair}")
        if (pair[0] == "periodic") != (pair[1] == "periodic"):
            raise ValueError(f"axis {axis} must be periodic on both sides or on none, got {pair}")
    return pairs
