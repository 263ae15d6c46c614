"""Whether the free energy of a run falls, as the H-theorem says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy.interpolate import PchipInterpolator

from sgdphys import schema
from sgdphys.analysis.entropies import Method, check_method
from sgdphys.analysis.frames import (
    axis_labels,
    cell_centres,
    cell_volume,
    check_dataset,
    check_times,
    frame_count,
)  # fmt: skip
from sgdphys.analysis.free_energies import energy_of, free_energy, particle_free_energies
from sgdphys.analysis.noise_of_run import warn_where_the_loss_is_not_the_potential
from sgdphys.analysis.potentials import check_temperature

if TYPE_CHECKING:
    from collections.abc import Callable

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array, Landscape

    Energy = Callable[[Array], Array]

__all__ = ["h_theorem"]

_LARGEST_Z = 4.0
_ROUNDING = 1e-9  # of T, what solvers on grids may be off


def h_theorem(
    dataset: xr.Dataset,
    potential: Landscape | Energy | xr.Dataset | None = None,
    *,
    temperature: float | None = None,
    method: Method = "auto",
    grid: Grid | None = None,
) -> xr.Dataset:
    r"""Return how the free energy :math:`F = E[\Phi] - T H` changes between frames, and whether it never rises.

    F falls whenever :math:`\Phi = -T \ln p_{ss}`, with any noise and any current; E[loss] - T H need not. Frames of a
    cloud hold the same particles, so that F of one frame is correlated with F of the next: the error of a difference is
    that of the mean of the particles' own differences of :math:`\Phi_i - T h_i`, h_i what a particle contributes to the
    estimate of the entropy. The largest rise is looked for between all pairs of frames, so that a slow one is found
    too. It is chance among many pairs: F is said to rise from four standard errors on.

    On a grid with ``current(time, x, ...)`` (``evolve(..., currents=True)``) the rate follows from the current as well,

    .. math:: \frac{dF}{dt} = \int J \cdot \nabla (T \ln p + \Phi)\, dx = -T\, \dot s_{na},

    the nonadiabatic part of the entropy production; the rest of it is housekeeping.

    Parameters
    ----------
    dataset
        A cloud or a density of two or more frames, constant in noise and landscape; or the result of
        :func:`sgdphys.analysis.free_energy`, of whose frames nothing is known but their errors: those of differences
        are then their sums, an upper bound.
    potential, temperature, method, grid
        As in :func:`sgdphys.analysis.free_energy`; all are left out for its result.

    Returns
    -------
    xr.Dataset
        ``free_energy(time)``; over intervals between frames, from ``interval_start`` to ``interval_end``:
        ``free_energy_rate`` with its standard error and ``free_energy_rate_z``; ``largest_rise`` between any two
        frames, ``rise_start`` and ``rise_end``, with its standard error and ``largest_rise_z`` (of a density the
        largest in value, without z; negative where F falls throughout); ``holds``, whether that is below 4 standard
        errors, or 1e-9 T. With a current ``dissipation_rate(time)``, its mean in the intervals, interpolated between
        frames, as ``free_energy_rate_by_current``, and with ``entropy_production_rate(time)`` also
        ``housekeeping_rate(time)``.

    Raises
    ------
    ValueError
        There are fewer than two frames, their times do not rise, the potential or the temperature is missing or given
        where it does not belong.

    Warns
    -----
    UserWarning
        ``potential`` is the run's own loss, and its noise is such that this is not its potential.

    References
    ----------
    Chaudhari & Soatto 2018 (arXiv 1710.11029), theorem 5; Esposito & Van den Broeck 2010, Phys. Rev. Lett. 104, 090601,
    for the parts of the entropy production.
    """
    check_dataset(dataset)
    check_method(method)
    if "free_energy" in dataset:
        if potential is not None or temperature is not None:
            raise ValueError("free energies already have their potential and temperature: give neither")
        if "free_energy_standard_error" not in dataset:
            raise ValueError("free energies need free_energy_standard_error too: give all that free_energy returned")
        check_times(dataset)
        return _monitor(_of_energies(dataset))
    frame_count(dataset)
    check_times(dataset)
    if potential is None or temperature is None:
        raise ValueError("the free energy of a cloud or density needs potential and temperature=")
    check_temperature(temperature)
    if schema.is_density(dataset):
        result = _monitor(_of_energies(free_energy(dataset, potential, temperature=temperature)))
        return result if "current" not in dataset else _with_current(result, dataset, potential, temperature)
    warn_where_the_loss_is_not_the_potential(dataset, potential, temperature)
    return _monitor(_of_cloud(dataset, energy_of(potential, temperature), float(temperature), method, grid))


@dataclass(frozen=True)
class _Course:
    """Free energies (time,), the standard errors of their differences (time, time), T."""

    times: xr.DataArray
    values: Array
    errors: Array
    temperature: float


def _of_energies(energies: xr.Dataset) -> _Course:
    errors = np.asarray(energies["free_energy_standard_error"].values, dtype=np.float64)
    sums = np.where(np.eye(len(errors), dtype=bool), 0.0, errors[:, np.newaxis] + errors)
    values = np.asarray(energies["free_energy"].values, dtype=np.float64)
    return _Course(energies[schema.TIME], values, sums, float(energies.attrs.get("temperature", 1.0)))


def _of_cloud(cloud: xr.Dataset, energy: Energy, temperature: float, method: Method, grid: Grid | None) -> _Course:
    frames = list(particle_free_energies(cloud, energy, temperature, method, grid))
    numbers = np.array([frame.contributions for frame in frames])
    numbers = numbers[:, np.isfinite(numbers).all(axis=0)]
    covariance = np.cov(numbers, ddof=0).reshape(len(frames), len(frames))
    variance = np.diag(covariance) + np.array([frame.excess for frame in frames])
    squares = variance[:, np.newaxis] + variance - 2 * covariance
    np.fill_diagonal(squares, 0.0)
    errors = np.sqrt(np.maximum(squares, 0.0) / max(numbers.shape[1], 1))
    return _Course(cloud[schema.TIME], np.array([frame.value for frame in frames]), errors, temperature)


def _monitor(course: _Course) -> xr.Dataset:
    times, values = np.asarray(course.times.values, dtype=np.float64), course.values
    if len(times) < 2:
        raise ValueError(f"a change of the free energy needs two frames or more, got {len(times)}")
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = np.diff(values) / np.diff(times)
        errors = np.diag(course.errors, 1) / np.diff(times)
        scores = np.where(errors > 0, rates / errors, np.nan)
    result = xr.Dataset(coords={schema.TIME: course.times})
    result["free_energy"] = (schema.TIME, values)
    intervals = {"interval_start": times[:-1], "interval_end": times[1:], "free_energy_rate": rates}
    intervals |= {"free_energy_rate_standard_error": errors, "free_energy_rate_z": scores}
    for name, array in intervals.items():
        result[name] = ("interval", array)
    result = result.assign(_largest_rise(times, course)).set_coords(["interval_start", "interval_end"])
    return _described(result.assign_attrs(temperature=course.temperature))


def _largest_rise(times: Array, course: _Course) -> dict[str, Any]:
    """Return the pair of frames between which F rises most: in standard errors where there are any, else in value."""
    earlier, later = np.triu_indices(len(times), 1)
    with np.errstate(invalid="ignore"):
        rises = course.values[later] - course.values[earlier]
    rises = np.where(np.isnan(rises), -math.inf, rises)  # between two frames without a density
    errors = course.errors[earlier, later]
    certain = not np.any(errors > 0)
    scores = (
        rises if certain else np.divide(rises, errors, out=np.where(rises > 0, math.inf, -math.inf), where=errors > 0)
    )
    worst = int(np.argmax(scores))
    return {
        "largest_rise": rises[worst],
        "largest_rise_standard_error": errors[worst],
        "largest_rise_z": math.nan if certain else scores[worst],
        "rise_start": times[earlier[worst]],
        "rise_end": times[later[worst]],
        "holds": bool(scores[worst] <= (_ROUNDING * course.temperature if certain else _LARGEST_Z)),
    }


def _with_current(
    result: xr.Dataset, density: xr.Dataset, potential: Landscape | Energy | xr.Dataset, temperature: float
) -> xr.Dataset:
    dissipation = _dissipation(density, energy_of(potential, temperature), temperature)
    times = np.asarray(density[schema.TIME].values, dtype=np.float64)
    finite = np.isfinite(dissipation).all()
    lost = PchipInterpolator(times, dissipation).antiderivative()(times) if finite else np.full(len(times), np.nan)
    result["dissipation_rate"] = (schema.TIME, dissipation)
    result["free_energy_rate_by_current"] = ("interval", -np.diff(lost) / np.diff(times))
    if "entropy_production_rate" in density:
        total = np.asarray(density["entropy_production_rate"].values, dtype=np.float64)
        result["housekeeping_rate"] = (schema.TIME, total - dissipation / temperature)
    return _described(result)


def _dissipation(density: xr.Dataset, energy: Energy, temperature: float) -> Array:
    """Return minus the integral of J . grad(T ln p + Phi) of every frame, with central differences, shape (time,)."""
    axes = [np.asarray(density[name].values, dtype=np.float64) for name in axis_labels(density)]
    values = density["density"].values
    potential = energy(cell_centres(density)).reshape(values.shape[1:])
    lost = []
    for frame, current in zip(values, density["current"].values, strict=True):
        chemical = temperature * np.log(np.maximum(frame, np.finfo(np.float64).tiny)) + potential
        slopes = [np.gradient(chemical, centres, axis=axis) for axis, centres in enumerate(axes)]
        lost.append(-float((current * np.stack(slopes, axis=-1)).sum()) * cell_volume(density))
    return np.array(lost)


def _described(result: xr.Dataset) -> xr.Dataset:
    for name in result.variables:
        if name != schema.TIME:
            result[name].attrs = schema.describe(str(name))
    return result
