"""How times of first passage are distributed, on a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import sgdphys
from sgdphys import schema
from sgdphys.checks import finite_number, number_array
from sgdphys.fokker_planck.density_datasets import axis_names, configuration_text
from sgdphys.fokker_planck.discretisation import steady_operator
from sgdphys.fokker_planck.exit_sums import exit_sums
from sgdphys.fokker_planck.first_passage import read_exits, region_name
from sgdphys.fokker_planck.starting_points import start_weights
from sgdphys.fokker_planck.targets import read_target
from sgdphys.fokker_planck.time_steps import Stepper
from sgdphys.fokker_planck.units import with_units_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.fokker_planck.starting_points import StartWeights
    from sgdphys.fokker_planck.targets import Region
    from sgdphys.protocols import Array, Landscape, Noise
    from sgdphys.sgd import SGD

__all__ = ["first_passage_distribution"]


def first_passage_distribution(
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    temperature: float | None = None,
    sgd: SGD | None = None,
    grid: Grid,
    start: ArrayLike,
    target: Region | None = None,
    times: ArrayLike,
    tolerance: float = 1e-6,
) -> xr.Dataset:
    r"""Return the distribution of the time until a particle first enters a region or reaches an absorbing wall.

    The density evolves with the region cut out: what is left is the survival S(t), and what enters per time the density
    -dS/dt of the time of first passage. The moments solve :math:`L^{\mathsf T} \tau_1 = -1` and :math:`L^{\mathsf T}
    \tau_2 = -2 \tau_1`. In the end S falls as :math:`e^{-\lambda t}` with the rate of mode 0 of
    :func:`sgdphys.fokker_planck.relaxation_rates` with the same target.

    Parameters
    ----------
    landscape, noise, temperature, sgd, grid
        As in :func:`sgdphys.fokker_planck.evolve`, but constant in time.
    start, target
        As in :func:`sgdphys.fokker_planck.mean_first_passage_time`.
    times
        Increasing times, not negative, in x^2/loss.
    tolerance
        Largest estimated error of one time step, in total variation.

    Returns
    -------
    xr.Dataset
        ``survival(time)``, ``first_passage_density(time)`` (of what has not entered at time 0), ``time_error(time)``,
        the sum of the estimated errors, and ``mean_first_passage_time``, ``first_passage_variance`` and
        ``first_passage_variation``, the standard deviation over the mean (NaN for a start in the target).

    Raises
    ------
    ValueError
        As in :func:`sgdphys.fokker_planck.mean_first_passage_time`, or the times do not increase from 0 on.
    """
    instants = _checked_times(times)
    if not 0 < finite_number("tolerance", tolerance) < 1:
        raise ValueError(f"tolerance must lie between 0 and 1, got {tolerance}")
    operator = steady_operator(landscape, noise, temperature, sgd, grid)
    regions = [] if target is None else [read_target(target, grid)]
    bounded = read_exits(operator, regions)
    weights = start_weights(start, bounded, regions, axis_names(landscape, grid))
    series = _survival(Stepper(bounded, tolerance), weights, instants)
    variables: dict[str, Any] = {
        name: (schema.TIME, values, schema.describe(name)) for name, values in series.items()
    } | {name: ((), value, schema.describe(name)) for name, value in _moments(bounded, weights).items()}
    more = {"start": np.asarray(start).tolist(), "target": region_name(target), "tolerance": tolerance}
    text = configuration_text("first_passage_distribution", landscape, noise, temperature, sgd, grid, **more)
    coordinates = {schema.TIME: (schema.TIME, instants, schema.describe(schema.TIME))}
    return with_units_of(landscape, xr.Dataset(variables, coordinates, schema.attributes_of(text, sgdphys.__version__)))


def _checked_times(times: ArrayLike) -> Array:
    instants = np.atleast_1d(number_array("times", times))
    if instants.ndim != 1 or instants.size == 0 or not np.all(np.isfinite(instants)):
        raise ValueError(f"times must be a list of finite numbers, got {times!r:.60}")
    if instants[0] < 0 or np.any(np.diff(instants) <= 0):
        raise ValueError(f"times must increase and not begin before 0, got {instants.tolist()!r:.60}")
    return instants


def _survival(stepper: Stepper, weights: StartWeights, times: Array) -> dict[str, Array]:
    cells, volume = stepper.operator.grid.size, stepper.operator.grid.cell_volume
    state = np.concatenate([weights.cells, weights.exits]) / volume
    rows, now, error = [], 0.0, 0.0
    step = stepper.first_step(state) if weights.cells.any() else 0.0
    for time in times:
        if time > now and step:
            state, more, step = stepper.advance(state, float(time - now), step)
            now, error = float(time), error + more
        rows.append((state[:cells].sum() * volume, _entering(stepper.operator, state) * volume, error))
    names = ("survival", "first_passage_density", "time_error")
    return dict(zip(names, np.array(rows).T, strict=True))


def _entering(operator: Operator, state: Array) -> float:
    gates = operator.right >= operator.grid.size
    return float(operator.forward[gates] @ state[operator.left[gates]])


def _moments(operator: Operator, weights: StartWeights) -> dict[str, float]:
    first = exit_sums(operator, np.ones((1, operator.grid.size)))[0]
    second = exit_sums(operator, 2 * first[np.newaxis])[0]
    mean = weights.value(first)
    variance = weights.value(second) - mean**2
    variation = np.sqrt(variance) / mean if mean > 0 else np.nan
    return {
        "mean_first_passage_time": mean,
        "first_passage_variance": variance,
        "first_passage_variation": float(variation),
    }
