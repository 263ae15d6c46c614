"""Regions of ``sgdphys density``: read before anything is computed, and a start that lies outside the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.errors import FormulaError

if TYPE_CHECKING:
    import argparse

    from sgdphys.cli.starts import Start
    from sgdphys.fokker_planck import Grid
    from sgdphys.protocols import Array

__all__ = ["start_outside"]

_TRIED = 20  # cells from which a minimum is looked for


def start_outside(
    arguments: argparse.Namespace, landscape: Any, grid: Grid, start: Start, velocities: tuple[float, ...]
) -> Start:
    """Return where a path to the target starts: the chosen start, or the lowest minimum outside the target.

    Parameters
    ----------
    arguments
        With ``target``, ``source`` and ``start``.
    landscape
        Of the positions.
    grid
        Cells of the positions, and of the velocities with inertia.
    start
        As chosen without a look at the target; a given one is kept.
    velocities
        Of the start; empty without inertia.

    Returns
    -------
    Start
        The start.

    Raises
    ------
    ValueError
        A region holds no cell centre, source and target share one, or no minimum lies outside the target.
    FormulaError
        A region cannot be read.
    """
    target = _region(arguments.target, grid, "target", velocities)
    if arguments.source is not None:
        shared = _region(arguments.source, grid, "source", velocities).inside & target.inside
        if shared.any():
            raise ValueError(
                f"--source {arguments.source.strip()} shares cells with --target {arguments.target.strip()}: "
                "make them disjoint"
            )

    def inside(candidate: Start) -> bool:
        place = np.broadcast_to(np.asarray(candidate.value, dtype=np.float64), landscape.dim)
        return bool(target.holds(np.append(place, velocities)))

    if arguments.start is not None or not inside(start):
        return start
    for candidate in _minima(landscape, grid):
        if not inside(candidate):
            return candidate
    raise ValueError(
        f"{start.line} lies in the target {arguments.target.strip()}, and no minimum was found outside it: give --start"
    )


def _region(text: str, grid: Grid, name: str, velocities: tuple[float, ...]) -> Any:
    from sgdphys.fokker_planck.targets import read_target

    try:
        return read_target(text, grid, name)
    except FormulaError as error:
        hint = "; with --friction x is the position and y its velocity" * bool(velocities)
        raise FormulaError(f"{error}{hint}") from None


def _minima(landscape: Any, grid: Grid) -> list[Start]:
    """Return known minima, or those that descent reaches from the lowest cells, the lowest first."""
    from sgdphys.cli.starts import Start, minimum_near

    known = np.asarray(landscape.minima, dtype=np.float64).reshape(-1, landscape.dim)
    if len(known):
        order = np.argsort(landscape.potential(known), kind="stable")
        return [Start([float(value) for value in known[k]], "known minimum outside the target") for k in order]
    found = [minimum_near(landscape, point) for point in _lowest_cells(landscape, grid)]
    return [start for start in found if start is not None]


def _lowest_cells(landscape: Any, grid: Grid) -> Array:
    """Return cell centres (cell, coordinate) that lie lower than their neighbours along all axes, the lowest first."""
    axes = grid.centres[: landscape.dim]
    points = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
    with np.errstate(all="ignore"):
        values = np.asarray(landscape.potential(points)).reshape([len(axis) for axis in axes])
    lower = np.isfinite(values)
    for axis in range(values.ndim):
        before, after = (np.roll(values, shift, axis) for shift in (1, -1))
        lower &= (values <= before) & (values <= after)
    cells = np.flatnonzero(lower)
    return np.asarray(points[cells[np.argsort(values.ravel()[cells], kind="stable")[:_TRIED]]])
