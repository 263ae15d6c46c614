"""Mean times of first passage on a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.fokker_planck.density_datasets import axis_coordinates, axis_names, configuration_text
from sgdphys.fokker_planck.discretisation import steady_operator
from sgdphys.fokker_planck.exit_sums import exit_sums
from sgdphys.fokker_planck.starting_points import start_weights
from sgdphys.fokker_planck.targets import read_target, with_targets
from sgdphys.fokker_planck.units import with_units_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.fokker_planck.targets import Region, Target
    from sgdphys.protocols import Array, Landscape, Noise
    from sgdphys.sgd import SGD

__all__ = ["mean_first_passage_time", "passage_times", "read_exits", "region_name"]


def mean_first_passage_time(
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    temperature: float | None = None,
    sgd: SGD | None = None,
    grid: Grid,
    start: ArrayLike | None = None,
    target: Region | None = None,
) -> xr.DataArray:
    r"""Return the mean time until a particle first enters a region or reaches an absorbing wall.

    It solves :math:`L^{\mathsf T} \tau = -1` outside the region with :math:`\tau = 0` on it. A target such as
    ``"x > 1"`` absorbs exactly at its edge, wherever the edge lies in a cell, as absorbing walls do, and the error is
    of second order in the spacing; of first order where the diffusion is along no axis and hops are long. The edge of
    any other region counts as running through the nearest cell centres inside, up to one spacing away. Towards a
    straight edge the time is interpolated to 0 on it.

    Times of any length keep a small relative error on a line and wherever elimination without subtraction fits (band^2
    times cells below 4e9, such as 250 x 250). Larger grids are factorised, which rounding allows as long as 1e-16 times
    the time times the fastest hopping rate is small; beyond a thousandth the answer is refused.

    Parameters
    ----------
    landscape, noise, temperature, sgd, grid
        As in :func:`sgdphys.fokker_planck.evolve`, but constant in time.
    start
        Scalar or (coordinate,), in x; between centres the time is interpolated linearly. In the target, or on the edge
        of a half space, it is 0. None for all cells.
    target
        Region as text, or a callable of points (cell, coordinate) that returns for each whether it is inside; None
        for the absorbing walls alone.

    Returns
    -------
    xr.DataArray
        The time, in x^2/loss, zero-dimensional or (x, ...); the attribute ``standard_error`` is 0, for nothing was
        sampled.

    Raises
    ------
    ValueError
        The start lies outside the walls, the target holds no cell centre or all of them, there is no exit, the time is
        too long for a number, or rounding spoils it.
    """
    operator = steady_operator(landscape, noise, temperature, sgd, grid)
    names = axis_names(landscape, grid)
    targets = [] if target is None else [read_target(target, grid)]
    more = {"start": None if start is None else np.asarray(start).tolist(), "target": region_name(target)}
    text = configuration_text("mean_first_passage_time", landscape, noise, temperature, sgd, grid, **more)
    attributes = {**schema.describe("mean_first_passage_time"), "standard_error": 0.0, "configuration": text}
    if start is None:
        field = _finite(passage_times(read_exits(operator, targets))).reshape(grid.shape)
        times = xr.DataArray(field, axis_coordinates(grid, names), names, "mean_first_passage_time", attributes)
        return with_units_of(landscape, times)
    time = _time_from(start, operator, targets, names)
    return with_units_of(landscape, xr.DataArray(time, name="mean_first_passage_time", attrs=attributes))


def _time_from(start: ArrayLike, operator: Operator, targets: list[Target], names: list[str]) -> float:
    point = np.asarray(start, dtype=np.float64)
    if point.shape in {(), (operator.grid.dim,)} and any(
        target.holds(np.broadcast_to(point, (operator.grid.dim,))) for target in targets
    ):  # even where the target holds every centre
        start_weights(start, operator, [], names)
        return 0.0
    bounded = read_exits(operator, targets)
    return float(_finite(np.array(start_weights(start, bounded, targets, names).value(passage_times(bounded)))))


def _finite(times: Array) -> Array:
    if not np.all(np.isfinite(times)):
        raise ValueError("the time is too long for a number (above 1e308): raise the temperature or refine the grid")
    return times


def region_name(region: Region | None) -> str | None:
    """Return what a configuration calls a region: its text, or the qualified name of a function."""
    return region if region is None or isinstance(region, str) else getattr(region, "__qualname__", repr(region))


def read_exits(operator: Operator, targets: list[Target]) -> Operator:
    """Return the operator with an exit for each target after those for absorbing walls; there has to be one.

    Parameters
    ----------
    operator
        Operator on a grid.
    targets
        Regions without common cells.

    Returns
    -------
    Operator
        With all exits.

    Raises
    ------
    ValueError
        There is no exit, the targets overlap or leave no cell, or rates into them are negative.
    """
    bounded = with_targets(operator, targets)
    if not bounded.exits:
        raise ValueError("nothing leaves: give a target, or a grid with boundaries='absorbing'")
    entering = bounded.right >= bounded.grid.size
    if bounded.forward[entering].min(initial=0.0) < 0:
        raise ValueError("central differences would let a target give back what it took: use scheme='upwind'")
    return bounded


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
    """
    return np.asarray(exit_sums(operator, np.ones((1, operator.grid.size)))[0])
