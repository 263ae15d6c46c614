"""Mean times of first passage on a grid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys.fokker_planck.density_datasets import configuration_text
from sgdphys.fokker_planck.discretisation import discretise, energy_function
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
    away. Rounding limits the relative error to about 1e-16 times the time times the fastest hopping rate.

    Parameters
    ----------
    landscape, noise, temperature, sgd, grid
        As in :func:`sgdphys.fokker_planck.evolve`.
    start
        Scalar or (coordinate,), in x; between centres the time is interpolated linearly.
    target
        Region as text, or a callable of points (cell, coordinate) that returns for each whether it is inside.

    Returns
    -------
    xr.DataArray
        The time, zero-dimensional, in x^2/loss; the attribute ``standard_error`` is 0, for nothing was sampled.
    """
    operator = discretise(landscape, noise, temperature=temperature, sgd=sgd, grid=grid)
    weights = point_weights(start, grid)
    contains, edge = _read_target(target, grid.dim)
    inside = _inside(contains, grid)
    if edge is not None:
        operator = _with_gate(operator, inside, edge, energy_function(landscape, sgd))
    time = float(weights @ _passage_times(operator, inside))
    attributes = {"units": "x^2/loss", "long_name": "mean time of first passage", "standard_error": 0.0}
    text = configuration_text("mean_first_passage_time", landscape, noise, temperature, sgd, grid)
    return xr.DataArray(time, name="mean_first_passage_time", attrs={**attributes, "configuration": text})


def _read_target(target: Region, dim: int) -> tuple[Callable[[Array], ArrayLike], HalfSpace | None]:
    if not isinstance(target, str):
        return target, None
    region = parse_region(target, dim)
    return region.contains, region.half_space


def _inside(target: Callable[[Array], ArrayLike], grid: Grid) -> NDArray[np.bool_]:
    inside = np.asarray(target(grid.points()), dtype=bool).ravel()
    if inside.shape != (grid.size,):
        raise ValueError(f"target must answer for each of {grid.size} cells, got {inside.size} answers")
    if not inside.any():
        raise ValueError("the target holds no cell centre: move it inside the walls or refine the grid")
    return inside


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
    times = np.zeros(operator.grid.size)
    outside = np.flatnonzero(~inside)
    if outside.size:
        matrix = operator.matrix[outside][:, outside]
        times[outside] = factorise(-matrix).solve(np.ones(outside.size), trans="T")
    return times
