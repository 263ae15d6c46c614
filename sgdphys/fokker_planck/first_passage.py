"""Mean times of first passage on a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys.fokker_planck.density_datasets import configuration_text
from sgdphys.fokker_planck.discretisation import steady_operator
from sgdphys.fokker_planck.elimination import absorption_of, chain_of, eliminate, elimination_fits
from sgdphys.fokker_planck.factorisation import factorise
from sgdphys.fokker_planck.initial_densities import point_weights
from sgdphys.fokker_planck.targets import alive, read_target, with_targets

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.fokker_planck.targets import Region, Target
    from sgdphys.protocols import Array, Landscape, Noise
    from sgdphys.sgd import SGD

__all__ = ["mean_first_passage_time", "passage_times"]

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
    operator = steady_operator(landscape, noise, temperature, sgd, grid)
    point_weights(start, grid)  # refuses what is no point between the walls
    point = np.broadcast_to(np.asarray(start, dtype=np.float64), (grid.dim,)).copy()
    region = read_target(target, grid)
    time = 0.0
    if not region.holds(point):
        time = _time_from(point, passage_times(with_targets(operator, [region])), region, grid)
    attributes = {"units": "x^2/loss", "long_name": "mean time of first passage", "standard_error": 0.0}
    text = configuration_text("mean_first_passage_time", landscape, noise, temperature, sgd, grid)
    return xr.DataArray(time, name="mean_first_passage_time", attrs={**attributes, "configuration": text})


def _time_from(point: Array, times: Array, target: Target, grid: Grid) -> float:
    share, edge = 1.0, target.edge
    if edge is not None:  # past the last centre outside, the time falls to zero at the edge
        outside = grid.points()[~target.inside, edge.coordinate]
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


def passage_times(operator: Operator) -> Array:
    """Return the mean time until an exit from each cell, shape (cell,), in x^2/loss; 0 in cells that are cut off.

    Parameters
    ----------
    operator
        Operator with exits.

    Returns
    -------
    Array
        The times.

    Raises
    ------
    ValueError
        Rounding spoils them.
    """
    fits = elimination_fits(operator)
    if operator.grid.dim == 1 and fits:
        return _eliminated_times(operator)
    times, error = _factorised_times(operator)
    if error > _EXACT and fits:
        return _eliminated_times(operator)
    if error > _TOLERABLE:
        raise ValueError(
            f"the mean time is lost in rounding, with a relative error of about {min(error, 1.0):.1g}: "
            "raise the temperature or use fewer cells, at most 250 x 250 of them"
        )
    return times


def _factorised_times(operator: Operator) -> tuple[Array, float]:
    times = np.zeros(operator.grid.size)
    outside = np.flatnonzero(alive(operator))
    matrix = operator.matrix[outside][:, outside]
    try:
        times[outside] = factorise(-matrix)(np.ones(outside.size), transposed=True)
    except RuntimeError:  # singular to rounding
        return times, np.inf
    broken = not np.all(np.isfinite(times)) or times[outside].min() <= 0
    error = np.finfo(np.float64).eps * np.abs(matrix.diagonal()).max() * times.max()
    return times, np.inf if broken else float(error)


def _eliminated_times(operator: Operator) -> Array:
    outside = alive(operator)
    chain = chain_of(operator)
    duration = outside.astype(np.float64)[chain.order]
    times = np.zeros(outside.size)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # too long a time is refused by who asked
        totals = eliminate(chain, np.where(outside, absorption_of(operator), 1.0)[chain.order], duration)
        for place in range(times.size):
            first = max(0, place - chain.band)
            waiting = chain.rates[place, chain.band + first - place : chain.band] @ times[first:place]
            times[place] = (duration[place] + waiting) / totals[place]
    ordered = np.empty_like(times)
    ordered[chain.order] = times
    return ordered
