"""Mean times of first passage on a grid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys.fokker_planck.density_datasets import configuration_text
from sgdphys.fokker_planck.discretisation import discretise, energy_function
from sgdphys.fokker_planck.elimination import chain_of, eliminate, elimination_work
from sgdphys.fokker_planck.initial_densities import point_weights
from sgdphys.fokker_planck.operator import bernoulli, factorise
from sgdphys.formula import parse_region

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.formula import HalfSpace
    from sgdphys.protocols import Array, Landscape, Noise
    from sgdphys.sgd import SGD

    Region = str | Callable[[Array], ArrayLike]

__all__ = ["mean_first_passage_time"]

_NEAREST_GATE = 1e-6  # of a cell: a centre on the target's edge is as good as inside
_ELIMINATION_WORK = 4e9  # multiplications: several seconds
_EXACT, _TOLERABLE = 1e-9, 1e-3  # relative rounding error of a factorisation: no need for better, no longer a result


def mean_first_passage_time(
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    temperature: float | None = None,
    sgd: SGD | None = None,
    grid: Grid,
    start: ArrayLike,
    target: Region,
) -> xr.DataArray:
    r"""Return the mean time until a particle first enters a region, between reflecting walls.

    It solves :math:`L^{\mathsf T} \tau = -1` outside the region with :math:`\tau = 0` on it. A target such as
    ``"x > 1"`` absorbs exactly at its edge, wherever the edge lies in a cell, and the error is of second order in the
    spacing. The edge of any other region counts as running through the nearest cell centres inside, up to one spacing
    away. Towards a straight edge the time is interpolated to 0 on it.

    Times of any length keep a small relative error on a line and wherever elimination without subtraction fits (band^2
    times cells below 4e9, such as 250 x 250). Larger grids are factorised, which rounding allows as long as 1e-16 times
    the time times the fastest hopping rate is small; beyond a thousandth the answer is refused.

    Parameters
    ----------
    landscape, noise, temperature, sgd, grid
        As in :func:`sgdphys.fokker_planck.evolve`.
    start
        Scalar or (coordinate,), in x; between centres the time is interpolated linearly. In the target, or on the edge
        of a half space, it is 0.
    target
        Region as text, or a callable of points (cell, coordinate) that returns for each whether it is inside.

    Returns
    -------
    xr.DataArray
        The time, zero-dimensional, in x^2/loss; the attribute ``standard_error`` is 0, for nothing was sampled.

    Raises
    ------
    ValueError
        The start lies outside the walls, the target holds no cell centre or all of them, the time is too long for a
        number, or rounding spoils it.
    """
    operator = discretise(landscape, noise, temperature=temperature, sgd=sgd, grid=grid)
    point_weights(start, grid)  # refuses what is no point between the walls
    point = np.broadcast_to(np.asarray(start, dtype=np.float64), (grid.dim,)).copy()
    contains, edge = _read_target(target, grid.dim)
    inside = _inside(contains, grid)
    time = 0.0
    if not _arrived(contains, edge, point):
        if edge is not None:
            operator = _with_gate(operator, inside, edge, energy_function(landscape, sgd))
        time = _time_from(point, _passage_times(operator, inside), inside, edge, grid)
    attributes = {"units": "x^2/loss", "long_name": "mean time of first passage", "standard_error": 0.0}
    text = configuration_text("mean_first_passage_time", landscape, noise, temperature, sgd, grid)
    return xr.DataArray(time, name="mean_first_passage_time", attrs={**attributes, "configuration": text})


def _read_target(target: Region, dim: int) -> tuple[Callable[[Array], ArrayLike], HalfSpace | None]:
    if not isinstance(target, str):
        return target, None
    region = parse_region(target, dim)
    return region.contains, region.half_space


def _answers(target: Callable[[Array], ArrayLike], points: Array) -> NDArray[np.bool_]:
    answers = np.asarray(target(points), dtype=bool).ravel()
    if answers.shape != (len(points),):
        raise ValueError(f"target must answer for each of {len(points)} points, got {answers.size} answers")
    return answers


def _inside(target: Callable[[Array], ArrayLike], grid: Grid) -> NDArray[np.bool_]:
    inside = _answers(target, grid.points())
    if not inside.any():
        raise ValueError("the target holds no cell centre: move it inside the walls or refine the grid")
    return inside


def _arrived(target: Callable[[Array], ArrayLike], edge: HalfSpace | None, point: Array) -> bool:
    on_the_edge = edge is not None and bool(point[edge.coordinate] == edge.level)
    return on_the_edge or bool(_answers(target, point[None])[0])


def _time_from(point: Array, times: Array, inside: NDArray[np.bool_], edge: HalfSpace | None, grid: Grid) -> float:
    share = 1.0
    if edge is not None:  # past the last centre outside, the time falls to zero at the edge
        outside = grid.points()[~inside, edge.coordinate]
        last = outside[np.abs(outside - edge.level).argmin()]
        if abs(point[edge.coordinate] - edge.level) < abs(last - edge.level):
            share = abs(point[edge.coordinate] - edge.level) / abs(last - edge.level)
            point = point.copy()
            point[edge.coordinate] = last
    weights = point_weights(point, grid)
    time = share * float(weights[weights > 0] @ times[weights > 0])
    if not np.isfinite(time):
        raise ValueError("the time is too long for a number (above 1e308): raise the temperature or refine the grid")
    return time


def _with_gate(
    operator: Operator, inside: NDArray[np.bool_], edge: HalfSpace, energy: Callable[[Array], Array]
) -> Operator:
    # hops into the target go to its edge, at the distance gap, instead of to the next centre
    faces = np.flatnonzero(inside[operator.left] != inside[operator.right])
    cells = np.where(inside[operator.left[faces]], operator.right[faces], operator.left[faces])
    gates = operator.grid.points()[cells]
    spacing, thermal = operator.grid.spacing[edge.coordinate], operator.energies[edge.coordinate]
    gap = np.maximum(np.abs(edge.level - gates[:, edge.coordinate]), _NEAREST_GATE * spacing)
    gates[:, edge.coordinate] = edge.level
    delta = (energy(gates) - operator.potential[cells]) / thermal
    rates = operator.mobility * thermal / (gap * spacing) * bernoulli(delta)
    forward, backward = operator.forward.copy(), operator.backward.copy()
    to_right = inside[operator.right[faces]]
    forward[faces[to_right]] = rates[to_right]
    backward[faces[~to_right]] = rates[~to_right]
    return replace(operator, forward=forward, backward=backward)


def _passage_times(operator: Operator, inside: NDArray[np.bool_]) -> Array:
    if inside.all():
        raise ValueError("the target holds every cell centre but not the start: refine the grid")
    fits = elimination_work(operator.grid) < _ELIMINATION_WORK
    if operator.grid.dim == 1 and fits:
        return _eliminated_times(operator, inside)
    times, error = _factorised_times(operator, inside)
    if error > _EXACT and fits:
        return _eliminated_times(operator, inside)
    if error > _TOLERABLE:
        raise ValueError(
            f"the mean time is lost in rounding, with a relative error of about {min(error, 1.0):.1g}: "
            "raise the temperature or use fewer cells, at most 250 x 250 of them"
        )
    return times


def _factorised_times(operator: Operator, inside: NDArray[np.bool_]) -> tuple[Array, float]:
    times = np.zeros(operator.grid.size)
    outside = np.flatnonzero(~inside)
    matrix = operator.matrix[outside][:, outside]
    try:
        times[outside] = factorise(-matrix).solve(np.ones(outside.size), trans="T")
    except RuntimeError:  # singular to rounding
        return times, np.inf
    broken = not np.all(np.isfinite(times)) or times[outside].min() <= 0
    error = np.finfo(np.float64).eps * np.abs(matrix.diagonal()).max() * times.max()
    return times, np.inf if broken else float(error)


def _eliminated_times(operator: Operator, inside: NDArray[np.bool_]) -> Array:
    # hops into the target become absorption, and its own cells are left at once
    absorption = np.zeros(inside.size)
    np.add.at(absorption, operator.left, np.where(inside[operator.right], operator.forward, 0.0))
    np.add.at(absorption, operator.right, np.where(inside[operator.left], operator.backward, 0.0))
    apart = inside[operator.left] | inside[operator.right]
    forward, backward = (np.where(apart, 0.0, rates) for rates in (operator.forward, operator.backward))
    chain = chain_of(replace(operator, forward=forward, backward=backward))
    duration = np.where(inside, 0.0, 1.0)[chain.order]
    times = np.zeros(inside.size)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # too long a time is refused by who asked
        totals = eliminate(chain, np.where(inside, 1.0, absorption)[chain.order], duration)
        for place in range(times.size):
            first = max(0, place - chain.band)
            waiting = chain.rates[place, chain.band + first - place : chain.band] @ times[first:place]
            times[place] = (duration[place] + waiting) / totals[place]
    ordered = np.empty_like(times)
    ordered[chain.order] = times
    return ordered
