"""Which exit a path takes: committor, splitting probabilities and the reactive current on a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import sgdphys
from sgdphys import schema
from sgdphys.fokker_planck.density_datasets import axis_coordinates, axis_names, configuration_text
from sgdphys.fokker_planck.discretisation import steady_operator
from sgdphys.fokker_planck.exit_sums import exit_sums, rates_into
from sgdphys.fokker_planck.first_passage import read_exits, region_name
from sgdphys.fokker_planck.starting_points import start_weights
from sgdphys.fokker_planck.targets import read_target
from sgdphys.fokker_planck.units import with_units_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.fokker_planck.targets import Region
    from sgdphys.protocols import Array, Landscape, Noise
    from sgdphys.sgd import SGD

__all__ = ["committor", "splitting_probability"]


def committor(
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    temperature: float | None = None,
    sgd: SGD | None = None,
    grid: Grid,
    source: Region,
    target: Region,
) -> xr.Dataset:
    r"""Return the probability q(x) to enter the target before the source, and what flows from one to the other.

    It solves :math:`L^{\mathsf T} q = 0` with q = 0 in the source and 1 in the target; who leaves through an absorbing
    wall has entered neither. Edges as in :func:`sgdphys.fokker_planck.mean_first_passage_time`; q keeps a small
    relative error however small it is.

    Where detailed balance holds and no wall absorbs, paths on their way from source to target carry the current
    :math:`J = T D\, p_{ss} \nabla q`. Its flux :math:`\nu = \int T\, \nabla q \cdot D \nabla q\; p_{ss}` is the number
    of transitions per time, and :math:`k = \nu / \int (1 - q) p_{ss}` the rate per time since the source was entered
    last. With the rate back k' the slowest relaxation rate tends to k + k' as the temperature falls.

    Parameters
    ----------
    landscape, noise, temperature, sgd, grid
        As in :func:`sgdphys.fokker_planck.evolve`, but constant in time.
    source, target
        Regions without common cells, as text such as ``"x < -1"``, or callables of points (cell, coordinate).

    Returns
    -------
    xr.Dataset
        ``committor(x, ...)``; under detailed balance also ``reactive_current(x, ..., coordinate)``, ``reactive_flux``,
        ``reaction_rate`` and ``reverse_reaction_rate``.

    Raises
    ------
    ValueError
        The regions overlap or hold no cell centre, or rounding spoils the answer.

    References
    ----------
    E & Vanden-Eijnden 2006, J. Stat. Phys. 123, 503; Metzner, Schuette & Vanden-Eijnden 2009, Multiscale Model. Simul.
    7, 1192, for hops.
    """
    operator = steady_operator(landscape, noise, temperature, sgd, grid)
    regions = [read_target(source, grid, "source"), read_target(target, grid, "target")]
    bounded = read_exits(operator, regions)
    reached = len(bounded.exits) - 1
    values = np.clip(exit_sums(bounded, rates_into(bounded, reached)[np.newaxis])[0], 0.0, 1.0)
    values[regions[1].inside] = 1.0
    names = axis_names(landscape, grid)
    variables: dict[str, Any] = {"committor": (names, values.reshape(grid.shape), schema.describe("committor"))}
    coordinates = axis_coordinates(grid, names)
    if operator.is_reversible and not operator.exits:
        flux, rates = _reactive(bounded, values, operator.gibbs())
        steps = _steps(operator, [region.inside for region in regions]) * flux[:, np.newaxis]
        current = _at_cells(bounded, steps)
        shaped = current.reshape((*grid.shape, grid.dim))
        variables["reactive_current"] = ((*names, "coordinate"), shaped, schema.describe("reactive_current"))
        variables |= {name: ((), value, schema.describe(name)) for name, value in rates.items()}
        coordinates["coordinate"] = ("coordinate", names)
    more = {"source": region_name(source), "target": region_name(target)}
    text = configuration_text("committor", landscape, noise, temperature, sgd, grid, **more)
    return with_units_of(landscape, xr.Dataset(variables, coordinates, schema.attributes_of(text, sgdphys.__version__)))


def _reactive(operator: Operator, values: Array, density: Array) -> tuple[Array, dict[str, float]]:
    """Return the reactive flux through every face, and its total and the rates."""
    volume = operator.grid.cell_volume
    states = np.concatenate([values, [0.0, 1.0]])
    change = states[operator.right] - states[operator.left]
    conductance = density[operator.left] * operator.forward
    total = float(volume * (conductance * change**2).sum())  # no cut's flux: rounding enters this one squared
    before, after = (float(share @ density) * volume for share in (1 - values, values))
    rates = {"reactive_flux": total, "reaction_rate": total / before, "reverse_reaction_rate": total / after}
    return conductance * change, rates


def _steps(operator: Operator, regions: list[NDArray[np.bool_]]) -> Array:
    """Return the hop, in x, along every face of the operator with targets: inner faces, then those into each target."""
    marks = np.zeros(operator.grid.size, dtype=np.int64)
    for number, inside in enumerate(regions, 1):
        marks[inside] = number
    left, right = marks[operator.left], marks[operator.right]
    hops = operator.hops[operator.kinds] * np.array(operator.grid.spacing)
    parts = [hops[(left == 0) & (right == 0)]]
    for number in range(1, len(regions) + 1):
        gates = (left == 0) & (right == number) | (left == number) & (right == 0)
        parts.append(hops[gates] * np.where(left[gates] == 0, 1.0, -1.0)[:, np.newaxis])
    return np.concatenate(parts)


def _at_cells(operator: Operator, carried: Array) -> Array:
    """Return half of what the faces of each cell carry, shape (cell, coordinate)."""
    columns = []
    for along in carried.T:
        both = sum(np.bincount(side, along, minlength=operator.size) for side in (operator.left, operator.right))
        columns.append(np.asarray(both)[: operator.grid.size] / 2)
    return np.stack(columns, axis=1)


def splitting_probability(
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    temperature: float | None = None,
    sgd: SGD | None = None,
    grid: Grid,
    start: ArrayLike,
    targets: Sequence[Region] = (),
) -> xr.DataArray:
    r"""Return for each target and each absorbing wall the probability to get there first.

    Parameters
    ----------
    landscape, noise, temperature, sgd, grid
        As in :func:`sgdphys.fokker_planck.evolve`, but constant in time.
    start
        Scalar or (coordinate,), in x; interpolated as in :func:`sgdphys.fokker_planck.mean_first_passage_time`.
    targets
        Regions without common cells, as text or callables of points; may be left out where walls absorb.

    Returns
    -------
    xr.DataArray
        Shape (exit,), summing to 1. The coordinate ``exit`` holds ``"x low"``, ``"x high"``, ... for absorbing walls
        and the targets' text (``"target 0"``, ... for callables). The attribute ``standard_error`` is 0.

    Raises
    ------
    ValueError
        There is no exit, targets overlap or hold no cell centre, the start lies outside the walls, or rounding spoils
        the answer.
    """
    operator = steady_operator(landscape, noise, temperature, sgd, grid)
    if isinstance(targets, str) or callable(targets):
        raise ValueError(f"targets must be a list of regions, got {targets!r:.60}: put it in [ ]")
    regions = [read_target(region, grid, f"target {number}") for number, region in enumerate(targets)]
    bounded = read_exits(operator, regions)
    weights = start_weights(start, bounded, regions, axis_names(landscape, grid))
    rates = np.array([rates_into(bounded, number) for number in range(len(bounded.exits))])
    fields = exit_sums(bounded, rates)
    found = [weights.value(field, unit) for field, unit in zip(fields, np.eye(len(fields)), strict=True)]
    labels = [target if isinstance(target, str) else f"target {number}" for number, target in enumerate(targets)]
    more = {"start": np.asarray(start).tolist(), "targets": [region_name(region) for region in targets]}
    text = configuration_text("splitting_probability", landscape, noise, temperature, sgd, grid, **more)
    attributes = {**schema.describe("splitting_probability"), "standard_error": 0.0, "configuration": text}
    exits = {"exit": [*bounded.exits[: len(bounded.exits) - len(targets)], *labels]}
    return xr.DataArray(found, exits, ["exit"], "splitting_probability", attributes)
