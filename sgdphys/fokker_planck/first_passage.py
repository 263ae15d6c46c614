"""Mean times of first passage on a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys.fokker_planck.density_datasets import configuration_text
from sgdphys.fokker_planck.discretisation import discretise
from sgdphys.fokker_planck.initial_densities import point_weights
from sgdphys.fokker_planck.operator import factorise

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.protocols import Array, Landscape, Noise
    from sgdphys.sgd import SGD

    Region = Callable[[Array], ArrayLike]

__all__ = ["mean_first_passage_time"]


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

    It solves :math:`L^{\mathsf T} \tau = -1` outside the region, with :math:`\tau = 0` in the cells whose centres are
    inside. The absorbing boundary lies at those centres: the error is of second order in the spacing when centres lie
    on the region's edge, and half a spacing of path otherwise.

    Parameters
    ----------
    landscape, noise, temperature, sgd, grid
        As in :func:`sgdphys.fokker_planck.evolve`.
    start
        Scalar or (coordinate,), in x; between centres the time is interpolated linearly.
    target
        Callable of points (cell, coordinate) that returns for each whether it is inside.

    Returns
    -------
    xr.DataArray
        The time, zero-dimensional, in x^2/loss; the attribute ``standard_error`` is 0, for the result has no sampling
        error.
    """
    operator = discretise(landscape, noise, temperature=temperature, sgd=sgd, grid=grid)
    weights = point_weights(start, grid)
    time = float(weights @ _passage_times(operator, _inside(target, grid)))
    attributes = {"units": "x^2/loss", "long_name": "mean time of first passage", "standard_error": 0.0}
    text = configuration_text("mean_first_passage_time", landscape, noise, temperature, sgd, grid)
    return xr.DataArray(time, name="mean_first_passage_time", attrs={**attributes, "configuration": text})


def _inside(target: Region, grid: Grid) -> NDArray[np.bool_]:
    inside = np.asarray(target(grid.points()), dtype=bool).ravel()
    if inside.shape != (grid.size,):
        raise ValueError(f"target must answer for each of {grid.size} cells, got {inside.size} answers")
    if not inside.any():
        raise ValueError("the target holds no cell centre: move it inside the walls or refine the grid")
    return inside


def _passage_times(operator: Operator, inside: NDArray[np.bool_]) -> Array:
    times = np.zeros(operator.grid.size)
    outside = np.flatnonzero(~inside)
    if outside.size:
        matrix = operator.matrix[outside][:, outside]
        times[outside] = factorise(-matrix).solve(np.ones(outside.size), trans="T")
    return times
