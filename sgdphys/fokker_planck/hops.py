"""Which cells the hops of a grid join, and where they leave through its walls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array

__all__ = ["Exits", "bridges", "exits_of", "joined_cells", "wall_names"]


@dataclass(frozen=True)
class Exits:
    """Hops out of the grid through absorbing walls.

    Parameters
    ----------
    cell
        Where they start, shape (exit,).
    wall
        Number of the wall, 2 * axis for the low side and one more for the high side, shape (exit,).
    share
        Part of the hop's length that lies inside, shape (exit,).
    """

    cell: NDArray[np.int64]
    wall: NDArray[np.int64]
    share: Array


def wall_names(grid: Grid, names: list[str]) -> list[str]:
    """Return the names of all walls in the order of their numbers: ``"x low"``, ``"x high"``, ..."""
    return [f"{names[axis]} {side}" for axis in range(grid.dim) for side in ("low", "high")]


def joined_cells(grid: Grid, hop: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the cells that a hop starts from and those it ends in, shape (face,) each; periodic axes wrap.

    Parameters
    ----------
    grid
        The cells.
    hop
        Number of cells along each axis, shape (coordinate,).

    Returns
    -------
    tuple
        Numbers of cells; hops through other walls are left out.
    """
    cells = np.arange(grid.size).reshape(grid.shape)
    inside: list[slice] = []
    for axis, (steps, count) in enumerate(zip(hop, grid.shape, strict=True)):
        periodic = grid.is_periodic(axis)
        inside.append(slice(None) if periodic else slice(max(0, -steps), count - max(0, steps)))
    ends = np.roll(cells, tuple(-hop), axis=tuple(range(grid.dim)))
    return cells[tuple(inside)].ravel(), ends[tuple(inside)].ravel()


def exits_of(grid: Grid, hop: NDArray[np.int64]) -> Exits:
    """Return where a hop and its reverse leave the grid through an absorbing wall, the first wall that they meet.

    Parameters
    ----------
    grid
        The cells.
    hop
        Number of cells along each axis, shape (coordinate,).

    Returns
    -------
    Exits
        Both directions; none where no wall absorbs.
    """
    if all("absorbing" not in sides for sides in grid.sides):
        nothing = np.empty(0, dtype=np.int64)
        return Exits(nothing, nothing, np.empty(0))
    parts = [_one_way(grid, direction) for direction in (hop, -hop)]
    return Exits(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _one_way(grid: Grid, hop: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    places = np.stack(np.unravel_index(np.arange(grid.size), grid.shape))
    shares = np.full((grid.dim, grid.size), np.inf)
    for axis, (steps, count) in enumerate(zip(hop, grid.shape, strict=True)):
        if steps and not grid.is_periodic(axis):
            distance = places[axis] + 0.5 if steps < 0 else count - 0.5 - places[axis]
            shares[axis] = distance / abs(steps)
    first = shares.argmin(axis=0)
    share = shares[first, np.arange(grid.size)]
    high = (hop[first] > 0).astype(np.int64)
    absorbing = np.array([[side == "absorbing" for side in sides] for sides in grid.sides])
    leaving = np.flatnonzero((share < 1) & absorbing[first, high])
    return leaving, 2 * first[leaving] + high[leaving], share[leaving]


def bridges(
    grid: Grid, left: NDArray[np.int64], right: NDArray[np.int64], leaving: NDArray[np.int64]
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return the faces that join cells from which walls keep all hops to what is left of the grid.

    In corners a hop along no axis may lead through a wall both ways; what is cut off so is a few cells.

    Parameters
    ----------
    grid
        The cells.
    left, right
        Cells on both sides of every face, shape (face,).
    leaving
        Cells with a way out of the grid, which need no other.

    Returns
    -------
    list
        For each axis the cells on both sides of the faces to add, between neighbours along it.
    """
    graph = sparse.csr_array((np.ones(len(left)), (left, right)), shape=(grid.size, grid.size))
    count, island = connected_components(graph, directed=False)
    if count == 1:
        return []
    settled = np.zeros(count, dtype=bool)
    settled[island[leaving]] = True
    settled[np.bincount(island).argmax()] = True
    found = []
    for hop in np.eye(grid.dim, dtype=np.int64):
        near, far = joined_cells(grid, hop)
        cut = (island[near] != island[far]) & ~(settled[island[near]] & settled[island[far]])
        found.append((near[cut], far[cut]))
    return found
