"""Signs of broken detailed balance in the paths of particles: areas swept out and antisymmetric correlations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.analysis.frames import axis_labels
from sgdphys.analysis.paths import bundled, stationary_paths
from sgdphys.analysis.time_reversal import reversal_p_value, reversed_means
from sgdphys.checks import number_array, whole_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sgdphys.analysis.paths import Paths
    from sgdphys.protocols import Array

__all__ = ["antisymmetric_correlations", "area_rates"]

_MATRIX = (schema.COORDINATE, "coordinate_2")


def area_rates(cloud: xr.Dataset, after: float | None = None) -> xr.Dataset:
    r"""Return the area that particles sweep out per time in every plane of two coordinates.

    .. math:: \dot a_{ij} = \frac{1}{2\,dt} E[x_i \circ dx_j - x_j \circ dx_i],

    positive when they turn from i to j, zero with detailed balance. For drift -A x and diffusion T D it is Q_ij of
    A S = T D + Q, with the stationary covariance S. Successive frames tau apart give the antisymmetric part of
    :math:`C(\tau) = E[x(t) x(t+\tau)^T]` over tau, exactly the rate of a discrete chain whose every step is a frame;
    for a process in continuous time save frames well inside the shortest turn: for a rotation at the angular velocity b
    with decay a the rate found is :math:`e^{-a\tau} \sin(b\tau)/(b\tau)` times the true one.

    Parameters
    ----------
    cloud
        ``position(time, particle, coordinate)``, eight particles or more.
    after
        Time from which on the cloud is stationary, in x^2/loss; None means the middle of its times.

    Returns
    -------
    xr.Dataset
        ``area_rate(coordinate, coordinate_2)``, antisymmetric, in x^2 per time (loss), and its standard error from the
        differences between particles. The attributes ``frame_interval`` and ``particles`` say what it is from.

    Raises
    ------
    ValueError
        The Dataset is no cloud, or too few frames or particles are left.

    References
    ----------
    Ghanta, Neu & Teitsworth 2017, Phys. Rev. E 95, 032128, for the area rate as a sign of broken detailed balance.
    """
    paths = stationary_paths(cloud, after)
    mean, error = _with_errors(paths, 1)
    scale = 1.0 / paths.interval
    result = xr.Dataset(_estimate("area_rate", _MATRIX, scale * mean, scale * error), _coordinates(cloud))
    return result.assign_attrs(frame_interval=paths.interval, particles=paths.particles)


def antisymmetric_correlations(
    cloud: xr.Dataset, lags: int | ArrayLike = 8, after: float | None = None, seed: int = 0
) -> xr.Dataset:
    r"""Return the antisymmetric part of the time correlations, and whether detailed balance may hold.

    :math:`(C(\tau) - C(\tau)^T)/2` with :math:`C_{ij}(\tau) = E[x_i(t)\, x_j(t+\tau)]` about the mean vanishes at all
    lags with detailed balance, however slow the process. (A spectrum of increments that is not flat, or
    autocorrelations outside the bands of white noise, show no circulation: every relaxation in a parabola has both.)
    Errors come from the differences between particles and the verdict from reversing the paths of some of them at
    random, so that neither takes successive frames for independent.

    Parameters
    ----------
    cloud
        ``position(time, particle, coordinate)`` in frames at equal intervals, eight particles or more.
    lags
        How many lags, spaced logarithmically from one interval to half of the duration, or an array of times, snapped
        to frames.
    after
        Time from which on the cloud is stationary, in x^2/loss; None means the middle of its times.
    seed
        Seed of the random reversals.

    Returns
    -------
    xr.Dataset
        ``antisymmetric_correlation(correlation_lag, coordinate, coordinate_2)`` with its standard error, in x^2;
        ``largest_reversal_z``, the largest entry in its standard errors; ``reversal_p_value``, the probability that a
        reversible process gives as large a one at any of the lags, in any of the planes.

    Raises
    ------
    ValueError
        The Dataset is no cloud, has one coordinate, frames at unequal intervals or too few frames or particles, or a
        lag lies outside.
    """
    seed = whole_number("seed", seed, least=0)
    paths = stationary_paths(cloud, after)
    if paths.dim < 2:
        raise ValueError("antisymmetric correlations need two coordinates or more, got 1")
    paths.require_equal_intervals("a correlation at a lag")
    shifts = _shifts(lags, paths)
    estimates = [_with_errors(paths, shift) for shift in shifts]
    largest, p_value = _verdict(paths, shifts, seed)
    dims = ("correlation_lag", *_MATRIX)
    values, errors = (np.array(part) for part in zip(*estimates, strict=True))
    variables = _estimate("antisymmetric_correlation", dims, values, errors) | {
        "largest_reversal_z": ((), largest, schema.describe("largest_reversal_z")),
        "reversal_p_value": ((), p_value, schema.describe("reversal_p_value")),
    }
    lag = ("correlation_lag", shifts * paths.interval, schema.describe("correlation_lag"))
    result = xr.Dataset(variables, {"correlation_lag": lag, **_coordinates(cloud)})
    return result.assign_attrs(particles=paths.particles)


def _with_errors(paths: Paths, shift: int) -> tuple[Array, Array]:
    """Return mean and standard error over particles of (x y' - y x')/2 for frames ``shift`` apart."""
    early, late = paths.position[:-shift], paths.position[shift:]
    total, squares = np.zeros((2, paths.dim, paths.dim))
    for start in range(0, paths.particles, 256):
        own = _antisymmetric(early[:, start : start + 256], late[:, start : start + 256])
        total += own.sum(axis=0)
        squares += (own**2).sum(axis=0)
    n = paths.particles
    mean = total / n
    return mean, np.sqrt(np.maximum(squares / n - mean**2, 0.0) / (n - 1))


def _antisymmetric(early: Array, late: Array) -> Array:
    """Return the antisymmetric correlation of each particle, (particle, coordinate, coordinate_2)."""
    products = np.einsum("tpi,tpj->pij", early, late, optimize=True) / len(early)
    return np.asarray((products - products.swapaxes(1, 2)) / 2)


def _verdict(paths: Paths, shifts: Array, seed: int) -> tuple[float, float]:
    planes = np.triu_indices(paths.dim, 1)
    shares = [bundled(_planes(paths, int(shift), planes)) for shift in shifts]
    odd = np.concatenate(shares, axis=1)
    scale = np.sqrt((odd**2).mean(axis=0) / len(odd))
    odd = odd / np.where(scale > 0, scale, np.inf)
    observed = float(np.abs(odd.mean(axis=0)).max())
    p_value = reversal_p_value(observed, np.abs(reversed_means(odd, seed)).max(axis=1))
    # the root mean square holds the mean; without it the ratio is that to the standard error
    return observed / max(1 - observed**2 / len(odd), 1e-12) ** 0.5, p_value


def _planes(paths: Paths, shift: int, planes: tuple[Any, ...]) -> Array:
    early, late = paths.position[:-shift], paths.position[shift:]
    blocks = [
        _antisymmetric(early[:, start : start + 256], late[:, start : start + 256])[:, planes[0], planes[1]]
        for start in range(0, paths.particles, 256)
    ]
    return np.concatenate(blocks)


def _shifts(lags: int | ArrayLike, paths: Paths) -> Array:
    """Return the lags in frames, rising."""
    last = len(paths.times) - 1
    if np.ndim(lags) == 0:
        count = whole_number("lags", lags)
        return np.unique(np.rint(np.geomspace(1, max(last // 2, 1), count)).astype(np.int64))
    times = number_array("lags", lags).ravel()
    shifts = np.rint(times / paths.interval) if np.all(np.isfinite(times)) else np.zeros(1)
    if not shifts.size or shifts.min() < 1 or shifts.max() > last:
        raise ValueError(
            f"lags must lie between the frame interval {paths.interval:g} and the duration {paths.duration:g}, got "
            f"{times.tolist()!s:.60}"
        )
    return np.unique(shifts.astype(np.int64))


def _coordinates(cloud: xr.Dataset) -> dict[str, Any]:
    labels = axis_labels(cloud)
    return {name: (name, labels) for name in _MATRIX}


def _estimate(name: str, dims: tuple[str, ...], value: Any, error: Any) -> dict[str, Any]:
    beside = f"{name}_standard_error"
    return {name: (dims, value, schema.describe(name)), beside: (dims, error, schema.describe(beside))}
