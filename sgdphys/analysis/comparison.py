"""A real cloud against a simulated one, direction by direction and as a whole, with errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.analysis.entropy_estimators import EntropyEstimate, gaussian_entropy
from sgdphys.analysis.frames import check_dataset
from sgdphys.analysis.gaussian_distances import (
    grouped_moments,
    jackknife,
    squared_wasserstein,
    symmetric_relative_entropy,
)
from sgdphys.analysis.projections import project

if TYPE_CHECKING:
    from sgdphys.protocols import Array

__all__ = ["compare"]


def compare(real: xr.Dataset, sim: xr.Dataset, after: float | None = None) -> xr.Dataset:
    r"""Compare two stationary clouds in the coordinates of the second.

    When ``sim`` has ``origin`` and ``basis`` (a network's twin) and ``real`` lives in parameter space, the real cloud
    is projected, :math:`y = V^T (x - \mathrm{origin})`. All frames from ``after`` on are used, but they are not taken
    for independent: every error comes from the differences between particles, which are.

    Parameters
    ----------
    real, sim
        Clouds, at least coordinates + 3 particles each. Particles that left for infinity are left out.
    after
        Time from which on both clouds are stationary, in x^2/loss; None means the middle of each cloud's times. Look at
        the frames before trusting it.

    Returns
    -------
    xr.Dataset
        Over (coordinate): ``variance_real``, ``variance_sim`` (unbiased, in x^2), ``variance_ratio`` (real over
        simulated), ``mean_difference`` (real minus simulated, in x) and ``mean_difference_z``, the same in its standard
        errors. Single numbers: ``mean_variance_ratio`` over the directions; ``entropy_real``, ``entropy_sim``,
        ``entropy_difference`` of Gaussians with the clouds' covariances, without bias, in nat;
        ``symmetric_relative_entropy`` of these Gaussians, without bias, in nat; ``squared_wasserstein_distance`` of
        them, bias removed by the jackknife, in x^2. Each has a ``..._standard_error``.

    Raises
    ------
    ValueError
        The coordinates do not correspond, a cloud has too few particles, or no frame lies after ``after``.
    """
    mine, twin = _points(_projected(real, sim), "real", after), _points(sim, "sim", after)
    if mine.shape[2] != twin.shape[2]:
        raise ValueError(
            f"real has {mine.shape[2]} coordinates and sim {twin.shape[2]}; simulate the network's twin, whose cloud "
            "carries origin and basis, or compare clouds of the same coordinates"
        )
    variables = _directions(mine, twin) | _numbers(mine, twin)
    counted = {"real": mine, "sim": twin}
    frames = {f"frames_{name}": points.shape[0] for name, points in counted.items()}
    particles = {f"particles_{name}": points.shape[1] for name, points in counted.items()}
    labels = {schema.COORDINATE: sim[schema.COORDINATE]} if schema.COORDINATE in sim.coords else {}
    return xr.Dataset(variables, coords=labels, attrs=frames | particles)


def _projected(real: xr.Dataset, sim: xr.Dataset) -> xr.Dataset:
    for cloud in (real, sim):
        check_dataset(cloud)
        schema.validate_cloud(cloud)
    if "basis" not in sim or "basis" in real or real.sizes[schema.COORDINATE] != sim.sizes[schema.PARAMETER]:
        return real
    return project(real, sim)


def _points(cloud: xr.Dataset, name: str, after: float | None) -> Array:
    times = cloud["time"].values
    start = (times[0] + times[-1]) / 2 if after is None else after
    points = cloud["position"].values[times >= start].astype(np.float64)
    if len(points) == 0:
        raise ValueError(
            f"{name} has no frame from time {start:g} on, its last is at {times[-1]:g}; use a smaller after="
        )
    points = points[:, np.isfinite(points).all(axis=(0, 2))]
    if points.shape[1] < points.shape[2] + 3:
        raise ValueError(
            f"{name} has {points.shape[1]} finite particles, comparing {points.shape[2]} coordinates needs "
            f"{points.shape[2] + 3}; use more of them, or fewer coordinates, as of analysis.project"
        )
    return points


def _directions(real: Array, sim: Array) -> dict[str, Any]:
    squares = [_squares(points) for points in (real, sim)]
    variances = [square.mean(axis=0) for square in squares]
    errors = [square.std(axis=0, ddof=1) / len(square) ** 0.5 for square in squares]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = variances[0] / variances[1]
        ratio_error = np.hypot(errors[0], ratio * errors[1]) / variances[1]
        parts = [squares[0] / variances[1], ratio * squares[1] / variances[1]]
        difference, difference_error = _difference_of_means(real, sim)
        z = difference / difference_error
    mean_error = np.hypot(*(part.mean(axis=1).std(ddof=1) / len(part) ** 0.5 for part in parts))
    axis = schema.COORDINATE
    return {
        **_with_error("variance_real", variances[0], errors[0], axis),
        **_with_error("variance_sim", variances[1], errors[1], axis),
        **_with_error("variance_ratio", ratio, ratio_error, axis),
        **_with_error("mean_difference", difference, difference_error, axis),
        "mean_difference_z": (axis, z, schema.describe("mean_difference_z")),
        **_with_error("mean_variance_ratio", ratio.mean(), mean_error),
    }


def _squares(points: Array) -> Array:
    """Return each particle's squared distance from its frame's mean, averaged over frames, (particle, coordinate)."""
    count = points.shape[1]
    centred = points - points.mean(axis=1, keepdims=True)
    return np.asarray((centred**2).mean(axis=0) * count / (count - 1))


def _difference_of_means(real: Array, sim: Array) -> tuple[Array, Array]:
    averages = [points.mean(axis=0) for points in (real, sim)]
    errors = [average.std(axis=0, ddof=1) / len(average) ** 0.5 for average in averages]
    return averages[0].mean(axis=0) - averages[1].mean(axis=0), np.hypot(*errors)


def _numbers(real: Array, sim: Array) -> dict[str, Any]:
    entropies = [_entropy(points) for points in (real, sim)]
    errors = [estimate.standard_error() for estimate in entropies]
    moments = grouped_moments(real), grouped_moments(sim)
    divergence = jackknife(symmetric_relative_entropy, *moments)
    distance = jackknife(squared_wasserstein, *moments)
    return {
        **_with_error("entropy_real", entropies[0].value, errors[0]),
        **_with_error("entropy_sim", entropies[1].value, errors[1]),
        **_with_error("entropy_difference", entropies[0].value - entropies[1].value, np.hypot(errors[0], errors[1])),
        **_with_error("symmetric_relative_entropy", divergence.value, divergence.standard_error),
        **_with_error("squared_wasserstein_distance", distance.value - distance.bias, distance.standard_error),
    }


def _entropy(points: Array) -> EntropyEstimate:
    estimates = [gaussian_entropy(frame) for frame in points]
    contributions = np.mean([estimate.contributions for estimate in estimates], axis=0)
    return EntropyEstimate(float(np.mean([estimate.value for estimate in estimates])), contributions)


def _with_error(name: str, value: Any, error: Any, dims: Any = ()) -> dict[str, Any]:
    beside = f"{name}_standard_error"
    return {name: (dims, value, schema.describe(name)), beside: (dims, error, schema.describe(beside))}
