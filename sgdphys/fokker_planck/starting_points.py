"""A starting point among cells, absorbing walls and targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sgdphys.fokker_planck.hops import wall_names
from sgdphys.fokker_planck.initial_densities import point_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.fokker_planck.targets import Target
    from sgdphys.protocols import Array

__all__ = ["StartWeights", "start_weights"]


class StartWeights(NamedTuple):
    """How a function that is known in cells and exits is interpolated at a point: weights that sum to 1."""

    cells: Array  # (cell,)
    exits: Array  # (exit,)

    def value(self, field: Array, boundary: Array | float = 0.0) -> float:
        """Return the value at the point of a function with values (cell,) in cells and (exit,) in exits."""
        used = self.cells > 0
        return float(self.cells[used] @ field[used] + np.sum(self.exits * boundary))


def start_weights(start: ArrayLike, operator: Operator, targets: list[Target], names: list[str]) -> StartWeights:
    """Return the weights of cells and exits at a starting point.

    Between centres they are linear; past the last centre before an absorbing wall or the edge of a half space they
    fall linearly to 0 on the edge, and the exit takes the rest. Cells inside a target count as the target.

    Parameters
    ----------
    start
        Scalar or (coordinate,), in x.
    operator
        With an exit for each absorbing wall, then for each target.
    targets
        Those targets.
    names
        Names of the axes.

    Returns
    -------
    StartWeights
        The weights.

    Raises
    ------
    ValueError
        The start is no point between the walls.
    """
    grid = operator.grid
    point_weights(start, grid)  # refuses what is no point between the walls
    point = np.broadcast_to(np.asarray(start, dtype=np.float64), (grid.dim,)).copy()
    first = len(operator.exits) - len(targets)
    exits = np.zeros(len(operator.exits))
    for number, target in enumerate(targets):
        if target.holds(point):
            exits[first + number] = 1.0
            return StartWeights(np.zeros(grid.size), exits)
    for exit_number, axis, level, last in _edges(operator, targets, wall_names(grid, names)):
        if abs(point[axis] - level) < abs(last - level) and (point[axis] - level) * (last - level) >= 0:
            share = (1 - exits.sum()) * abs(point[axis] - level) / abs(last - level)
            exits[exit_number] += 1 - exits.sum() - share
            point[axis] = last
    cells = (1 - exits.sum()) * point_weights(point, grid)
    for number, target in enumerate(targets):
        exits[first + number] += cells[target.inside].sum()
        cells[target.inside] = 0.0
    return StartWeights(cells, exits)


def _edges(operator: Operator, targets: list[Target], walls: list[str]) -> list[tuple[int, int, float, float]]:
    """Return exit, axis, place of the edge and of the last centre before it, for all straight edges."""
    grid, found = operator.grid, []
    for number, name in enumerate(operator.exits[: len(operator.exits) - len(targets)]):
        axis, side = divmod(walls.index(name), 2)
        found.append((number, axis, grid.axes[axis][side], float(grid.centres[axis][-side])))
    for number, target in enumerate(targets, len(operator.exits) - len(targets)):
        if target.edge is not None and not target.inside.all():
            found.append((number, target.edge.coordinate, target.edge.level, _last_centre(grid, target)))
    return found


def _last_centre(grid: Grid, target: Target) -> float:
    assert target.edge is not None
    outside = grid.points()[~target.inside, target.edge.coordinate]
    return float(outside[np.abs(outside - target.edge.level).argmin()])
