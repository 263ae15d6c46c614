"""Regions that absorb: which cells they hold, and where the hops into them end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.fokker_planck.operator import Operator, bernoulli
from sgdphys.formula import parse_region

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.formula import HalfSpace
    from sgdphys.protocols import Array

    Region = str | Callable[[Array], ArrayLike]

__all__ = ["Target", "alive", "read_target", "with_targets"]

_NEAREST_GATE = 1e-6  # of a hop: a centre on the target's edge is as good as inside


@dataclass(frozen=True)
class Target:
    """A region on a grid.

    Parameters
    ----------
    name
        What exits call it.
    inside
        Which cell centres it holds, shape (cell,).
    edge
        The half space that it is, if it is one.
    contains
        The region as a function of points (point, coordinate).
    """

    name: str
    inside: NDArray[np.bool_]
    edge: HalfSpace | None
    contains: Callable[[Array], ArrayLike]

    def holds(self, point: Array) -> bool:
        """Return whether a point (coordinate,) lies inside or on the edge of a half space."""
        on_the_edge = self.edge is not None and bool(point[self.edge.coordinate] == self.edge.level)
        return on_the_edge or bool(_answers(self.contains, point[None])[0])


def read_target(target: Region, grid: Grid, name: str = "target") -> Target:
    """Return a region given as text or as a function, on a grid.

    Parameters
    ----------
    target
        Region such as ``"x > 1"``, or a callable of points (point, coordinate) that tells for each whether it is
        inside.
    grid
        The cells.
    name
        What messages and exits call it.

    Returns
    -------
    Target
        The region.

    Raises
    ------
    ValueError
        It holds no cell centre, or all.
    """
    contains, edge = target, None
    if isinstance(target, str):
        region = parse_region(target, grid.dim)
        contains, edge = region.contains, region.half_space
    if not callable(contains):
        raise ValueError(f"{name} must be text such as 'x > 1' or a function of points, got {target!r:.60}")
    inside = _answers(contains, grid.points())
    if not inside.any():
        raise ValueError(f"the {name} holds no cell centre: move it inside the walls or refine the grid")
    return Target(name, inside, edge, contains)


def _answers(target: Callable[[Array], ArrayLike], points: Array) -> NDArray[np.bool_]:
    answers = np.asarray(target(points), dtype=bool).ravel()
    if answers.shape != (len(points),):
        raise ValueError(f"target must answer for each of {len(points)} points, got {answers.size} answers")
    return answers


def with_targets(operator: Operator, targets: list[Target]) -> Operator:
    """Return the operator with an exit for each target: hops into its cells end there, its cells are cut off.

    A half space absorbs exactly at its edge, wherever that lies between two centres; the edge of another region runs
    through the first centres inside. With inertia regions end at faces, and only what moves into them is absorbed.

    Parameters
    ----------
    operator
        Operator on a grid.
    targets
        Regions without common cells.

    Returns
    -------
    Operator
        With more exits.

    Raises
    ------
    ValueError
        Two targets share a cell, or nothing is left outside.
    """
    for target in targets:
        operator = _with_target(operator, target)
    if not np.any(alive(operator)):
        raise ValueError("the target holds every cell centre but not the start: refine the grid")
    return operator


def alive(operator: Operator) -> NDArray[np.bool_]:
    """Return which cells have a face, shape (cell,): those in no target."""
    found = np.zeros(operator.size, dtype=bool)
    found[operator.left] = found[operator.right] = True
    return found[: operator.grid.size]


def _with_target(operator: Operator, target: Target) -> Operator:
    inside = np.zeros(operator.size, dtype=bool)
    inside[: operator.grid.size] = target.inside
    if len(operator.exits) and not np.all(alive(operator)[target.inside]):
        raise ValueError(f"the {target.name} shares cells with another target: make them disjoint")
    leaving, entering = inside[operator.left], inside[operator.right]
    free = ~leaving & ~entering
    gates = np.flatnonzero(leaving != entering)
    gates = gates[
        np.where(inside[operator.left[gates]], operator.right[gates], operator.left[gates]) < operator.grid.size
    ]
    cells = np.where(inside[operator.left[gates]], operator.right[gates], operator.left[gates])
    rates = _gate_rates(operator, gates, cells, target.edge)
    state = operator.size
    joined = {
        "left": (operator.left, cells), "right": (operator.right, np.full(len(cells), state)),
        "forward": (operator.forward, rates), "backward": (operator.backward, np.zeros(len(cells))),
        "exponents": (operator.exponents, np.full(len(cells), np.inf)),
        "conductances": (operator.conductances, operator.conductances[gates]),
        "kinds": (operator.kinds, operator.kinds[gates]),
    }  # fmt: skip
    columns = {name: np.concatenate([old[free], new]) for name, (old, new) in joined.items()}
    changed: Any = {**columns, "exits": (*operator.exits, target.name)}
    return replace(operator, **changed)


def _gate_rates(
    operator: Operator, faces: NDArray[np.int64], cells: NDArray[np.int64], edge: HalfSpace | None
) -> Array:
    outward = operator.left[faces] == cells
    if operator.streams:
        return _streaming_out(operator, faces, outward)
    if edge is None or operator.equation is None:
        return np.where(outward, operator.forward[faces], operator.backward[faces])
    start = operator.grid.points()[cells]
    sign = np.where(outward, 1.0, -1.0)[:, np.newaxis]
    step = sign * operator.hops[operator.kinds[faces]] * np.array(operator.grid.spacing)
    along, origin = step[:, edge.coordinate], start[:, edge.coordinate]
    low, high, _ = operator.grid.axes[edge.coordinate]
    around = (origin + along < low) | (origin + along > high)  # on a ring the region's other edge is the seam
    share = (np.where(around, np.where(along > 0, high, low), edge.level) - origin) / along
    share = np.clip(share, _NEAREST_GATE, 1.0)
    exponents = operator.equation.exponents(start, start + share[:, np.newaxis] * step)
    return np.asarray(operator.conductances[faces] / share * bernoulli(exponents))


def _streaming_out(operator: Operator, faces: NDArray[np.int64], outward: NDArray[np.bool_]) -> Array:
    """Return the rates into a region with inertia: diffusion, and the whole stream where it leads inwards."""
    level, left, right = operator.reduced_potential, operator.left[faces], operator.right[faces]
    assert level is not None
    exponents, conductances = operator.exponents[faces], operator.conductances[faces]
    ahead, behind = conductances * bernoulli(exponents), conductances * bernoulli(-exponents)
    # either scheme: forward - backward p_right/p_left is the stationary flux over p_left
    ratio = np.exp(level[left] - level[right])
    stream = operator.forward[faces] - ahead - (operator.backward[faces] - behind) * ratio
    leaving = np.where(outward, stream, -stream / ratio)
    return np.asarray(np.where(outward, ahead, behind) + np.maximum(leaving, 0.0))
