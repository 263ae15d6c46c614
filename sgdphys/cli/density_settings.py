"""What ``sgdphys density`` solves: landscape, noise, temperature and grid from its flags."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sgdphys.cli.starts import Start
    from sgdphys.fokker_planck import Grid
    from sgdphys.protocols import Landscape, Noise

__all__ = ["Settings", "boundaries", "settings_of"]

_CELLS = {1: (400, 20_000), 2: (120, 120)}  # fewest and most of each axis, for a default grid of so many axes
_SHARES = (1.0, 0.7, 0.5, 0.35)  # of 40 T, which the wall of a default grid lies above the bottom
_STEP = 300.0  # of T: change of f from cell to cell, beyond which rates of hopping come near underflow
_VELOCITIES = 6.5  # thermal velocities that a default grid with inertia holds


@dataclass(frozen=True)
class Settings:
    """What the verbs of ``sgdphys.fokker_planck`` are given, and where a run starts; velocities with inertia."""

    landscape: Landscape
    noise: Noise | None
    temperature: float
    grid: Grid
    start: Start
    velocities: tuple[float, ...]

    @property
    def line(self) -> str:
        """Temperature and grid in words."""
        axes = ", ".join(f"{low:.4g} to {high:.4g} in {cells} cells" for low, high, cells in self.grid.axes)
        return f"T = {self.temperature:g} x^2/loss; grid {axes}"

    @property
    def problem(self) -> dict[str, Any]:
        """Arguments that all verbs share."""
        shared = {"landscape": self.landscape, "noise": self.noise}
        return {**shared, "temperature": self.temperature, "grid": self.grid}

    @property
    def absorbs(self) -> bool:
        """Whether a wall absorbs."""
        return any(side == "absorbing" for sides in self.grid.sides for side in sides)

    @property
    def plain(self) -> bool:
        """Whether the loss is the potential for sure: D = 1, no circulation, no axis that closes on itself."""
        periodic = any(map(self.grid.is_periodic, range(self.grid.dim)))
        return self.noise is None and not hasattr(self.landscape, "circulation") and not periodic

    @property
    def start_point(self) -> Any:
        """The start as one number for each axis."""
        import numpy as np

        places = self.landscape.dim - len(self.velocities)
        return np.append(np.broadcast_to(np.asarray(self.start.value, dtype=float), places), self.velocities)

    @property
    def start_line(self) -> str:
        """The start in words."""
        velocity = ",".join(f"{value:.6g}" for value in self.velocities)
        return self.start.line + f", velocity {velocity}" * bool(self.velocities)


def boundaries(text: str) -> Any:
    """Return the boundaries of a grid from one word, or from a word or ``low:high`` for each axis.

    Parameters
    ----------
    text
        ``"periodic"`` or ``"absorbing:far,reflecting"``.

    Returns
    -------
    str or list
        As :class:`sgdphys.Grid` takes them.

    Raises
    ------
    argparse.ArgumentTypeError
        An axis has more than two sides.
    """
    axes = [tuple(side.strip() for side in part.split(":")) for part in text.split(",")]
    for sides in axes:
        if len(sides) > 2:
            raise argparse.ArgumentTypeError(f"{':'.join(sides)!r} is neither a word nor low:high")
    if len(axes) == 1 and len(axes[0]) == 1:
        return axes[0][0]
    return [sides if len(sides) == 2 else sides * 2 for sides in axes]


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return what the flags say, checked against each other.

    Parameters
    ----------
    arguments
        Of ``sgdphys density``.

    Returns
    -------
    Settings
        Landscape, noise, temperature, grid and start.

    Raises
    ------
    ValueError
        Flags are missing or exclude each other, or a value breaks its rule.
    FormulaError
        A formula cannot be read.
    """
    from sgdphys.cli.dynamics import noise_of
    from sgdphys.cli.landscapes import landscape_of
    from sgdphys.cli.starts import choose_start

    temperature = _temperature(arguments)
    landscape: Any = landscape_of(arguments)
    noise = noise_of(arguments, landscape.dim)
    given, velocities = arguments.start, (0.0,) * (landscape.dim * (arguments.friction is not None))
    if given is not None and velocities and len(given) == 2 * landscape.dim:
        given, velocities = given[: landscape.dim], tuple(given[landscape.dim :])
    if not all(map(math.isfinite, velocities)):
        raise ValueError(f"start must be finite, got {','.join(f'{value:g}' for value in arguments.start)}")
    start = choose_start(landscape, given)
    grid = _grid(arguments, landscape, noise, temperature, start)
    if arguments.target is not None:
        from sgdphys.cli.passages import start_outside

        start = start_outside(arguments, landscape, grid, start, velocities)
    if velocities:
        from sgdphys.fokker_planck import Underdamped

        landscape = Underdamped(landscape, arguments.friction, arguments.scheme or "central")
    return Settings(landscape, noise, temperature, grid, start, velocities)


def _temperature(arguments: argparse.Namespace) -> float:
    given = [value is not None for value in (arguments.lr, arguments.batch_size)]
    if any(given) if arguments.temperature is not None else not all(given):
        raise ValueError("give either --temperature, or both of --lr and --batch-size: T = lr / (2 batch_size)")
    if arguments.temperature is None:
        from sgdphys import SGD

        return SGD(lr=arguments.lr, batch_size=arguments.batch_size).temperature
    temperature = float(arguments.temperature)
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be positive and finite on a grid, got {temperature:g}")
    return temperature


def _grid(arguments: argparse.Namespace, landscape: Any, noise: Any, temperature: float, start: Start) -> Grid:
    from sgdphys import Grid

    sides = "far" if arguments.boundaries is None else arguments.boundaries
    if arguments.grid is not None:
        return Grid(arguments.grid, sides)
    if sides != "far":
        raise ValueError("--boundaries needs --grid low:high:cells, which says where the walls are")
    leaves = arguments.times is not None or arguments.target is not None
    axes = _default_axes(landscape, temperature * _scale(landscape, noise, start), start, hold_start=leaves)
    if arguments.friction is None:
        return Grid(axes)
    if landscape.dim > 1:
        raise ValueError(f"with --friction there are {2 * landscape.dim} axes: give --grid low:high:cells for each")
    fastest = _VELOCITIES * math.sqrt(temperature * _scale(landscape, noise, start))
    return Grid([(low, high, _CELLS[2][0]) for low, high, _ in axes] + [(-fastest, fastest, _CELLS[2][0])])


def _default_axes(landscape: Any, energy: float, start: Start, *, hold_start: bool) -> list[tuple[float, float, int]]:
    """Return the box of the Gibbs state; a smaller one where f would change by hundreds of T from cell to cell."""
    from sgdphys.sweeps import gibbs_grid

    if landscape.dim not in _CELLS:
        raise ValueError(
            f"no default grid has {landscape.dim} axes: give --grid low:high:cells for each, joined by commas; for "
            "three about 40 cells each are fast"
        )
    wanted: dict[str, Any] = {"start": start.value, "cells": _CELLS[landscape.dim], "hold_start": hold_start}
    grids = (gibbs_grid(landscape, share * energy, **wanted) for share in _SHARES)
    widest = None
    for grid in grids:
        if grid is not None and _largest_step(landscape, grid) <= _STEP * energy:
            return list(grid.axes)
        widest = grid if widest is None else widest
    if widest is None:
        raise ValueError("no grid was found on which this landscape rises on all sides; give --grid low:high:cells")
    return list(widest.axes)


def _largest_step(landscape: Any, grid: Grid) -> float:
    import numpy as np

    with np.errstate(all="ignore"):
        values = landscape.potential(grid.points()).reshape(grid.shape)
        return max(float(np.abs(np.diff(values, axis=axis)).max()) for axis in range(grid.dim))


def _scale(landscape: Any, noise: Any, start: Start) -> float:
    """Return the largest diffusion at the start, by which a default grid is wider; 1 where it is not positive."""
    if noise is None:
        return 1.0
    import numpy as np

    point = np.broadcast_to(np.atleast_1d(np.asarray(start.value, dtype=float)), (1, landscape.dim))
    largest = float(np.diagonal(noise.diffusion(point), axis1=1, axis2=2).max())
    return largest if math.isfinite(largest) and largest > 0 else 1.0
