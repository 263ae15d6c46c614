"""Linear drift and constant diffusion of a cloud, exact at any lag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.analysis.displacement_sums import batch_numbers, even_interval, frame_slabs
from sgdphys.analysis.drift_diffusion_estimates import check_one_step
from sgdphys.analysis.frames import axis_labels, check_cloud
from sgdphys.checks import whole_number

if TYPE_CHECKING:
    from sgdphys.protocols import Array

__all__ = ["linear_drift"]

_MOST_GROUPS, _FEWEST_GROUPS = 50, 10
_MOST_NUMBERS = 20_000_000  # of the sums of all groups
_DEGENERATE = 1e-11  # smallest eigenvalue of the correlations of the coordinates, below which they are not independent
_UNDETERMINED = 1e14  # condition of 1 - M from which no centre is known
_LOOKED_AT = 5_000_000  # numbers at most, of evenly spaced frames, for the units of the coordinates
_FASTEST = 0.95 * np.pi  # angle per lag beyond which a rotation cannot be told from its mirror image


def linear_drift(cloud: xr.Dataset, *, lag: int = 1, of: Literal["flow", "map"] = "flow") -> xr.Dataset:
    r"""Return A, c and TD of :math:`dx = -A (x - c)\,dt + \sqrt{2 TD}\,dW` from a cloud's displacements.

    Over any lag :math:`\tau` the mean motion of such a process is :math:`x_{t + \tau} = c + M (x_t - c)` with a scatter
    of covariance S around it, and exactly

    .. math:: A = -\ln M / \tau,\qquad S = 2 \int_0^\tau e^{-A s}\, TD\, e^{-A^T s} ds

    M, c and S come from the regression of the later on the earlier positions. The standard errors are those of the
    jackknife over groups of particles (with few particles: of stretches of time).

    Parameters
    ----------
    cloud
        ``position(time, particle, coordinate)`` at equally spaced times; it need not be stationary, but all coordinates
        that the motion depends on must be there.
    lag
        Frames of the displacements. Errors of A are smallest where the lag times A is of order one.
    of
        ``"flow"``: of the continuous process. ``"map"``: of one step of SGD, :math:`A = (1 - M) / \mathrm{lr}`,
        :math:`TD = S / 2\,\mathrm{lr}`; the frames must be the steps.

    Returns
    -------
    xr.Dataset
        ``drift_matrix(coordinate, coordinate_2)``, A in loss/x^2, not symmetric where there is a circulation;
        ``diffusion(coordinate, coordinate_2)`` in loss; ``centre(coordinate)`` in x, NaN where nothing pulls to
        one; each with a standard error.

    Raises
    ------
    ValueError
        The Dataset is no cloud, has unequally spaced frames or too few displacements, a coordinate is a combination of
        others, or a mode of M alternates in sign from lag to lag, so that its A is not determined.

    References
    ----------
    Risken 1989, The Fokker-Planck equation, section 6.5 (moments of the linear process).
    """
    check_cloud(cloud)
    if of not in ("flow", "map"):
        raise ValueError(f'of must be "flow" or "map", got {of!r}')
    lag = whole_number("lag", lag)
    tau = lag * even_interval(cloud, 1 + lag)
    if of == "map":
        check_one_step(cloud, lag)
    place, width = _place_and_width(cloud)
    sums = _grouped_products(cloud, lag, place, width)
    _check_enough(sums)
    total = sums.sum(axis=0)
    values = _in_units(_coefficients(total, tau, of), place, width)
    parts = [_in_units(_coefficients(total - group, tau, of), place, width) for group in sums]
    errors = [np.sqrt((len(sums) - 1) * np.var(left_out, axis=0)) for left_out in zip(*parts, strict=True)]
    return _dataset(axis_labels(cloud), values, errors).assign_attrs(lag=tau, of=of)


def _place_and_width(cloud: xr.Dataset) -> tuple[Array, Array]:
    """Return mean and spread of the coordinates, from which and in which sums of products lose no digits."""
    some = cloud["position"][:: -(-cloud["position"].size // _LOOKED_AT)].values
    points = np.asarray(some, dtype=np.float64).reshape(-1, cloud.sizes[schema.COORDINATE])
    finite = points[np.isfinite(points).all(axis=1)]
    if not len(finite):
        return np.zeros(points.shape[1]), np.ones(points.shape[1])
    width = finite.std(axis=0)
    return finite.mean(axis=0), np.where(width > 0, width, 1.0)


def _in_units(coefficients: tuple[Array, Array, Array], place: Array, width: Array) -> tuple[Array, Array, Array]:
    """Return A, TD and c of x from those of (x - place) / width."""
    drift, diffusion, centre = coefficients
    return drift * width[:, None] / width, diffusion * width[:, None] * width, place + width * centre


def _grouped_products(cloud: xr.Dataset, lag: int, place: Array, width: Array) -> Array:
    """Return the sums of z z^T with z = (1, x_t, x_(t + lag)) by group, shape (group, term, term)."""
    frames, particles, dim = cloud["position"].shape
    wanted = int(np.clip(_MOST_NUMBERS // (1 + 2 * dim) ** 2, _FEWEST_GROUPS, _MOST_GROUPS))
    numbers = batch_numbers(frames - lag, particles, wanted)
    groups = int(numbers.max()) + 1
    sums = np.zeros((groups, 1 + 2 * dim, 1 + 2 * dim))
    for starts, positions in frame_slabs(cloud, lag):
        scaled = (positions - place) / width
        pairs = np.concatenate([scaled[:-lag], scaled[lag:]], axis=2).reshape(-1, 2 * dim)
        finite = np.isfinite(pairs).all(axis=1)
        terms = np.insert(pairs[finite], 0, 1.0, axis=1)
        group = numbers[starts].ravel()[finite]
        for number in np.unique(group):
            members = terms[group == number]
            sums[number] += members.T @ members
    return sums


def _check_enough(sums: Array) -> None:
    count, dim = sums[:, 0, 0].sum(), (sums.shape[1] - 1) // 2
    if len(sums) < 2 or count - sums[:, 0, 0].max() < 2 * (dim + 1):
        raise ValueError(
            f"{int(count)} displacements of {len(sums)} independent groups are too few for {dim} coordinates; "
            "give more particles or frames, or select coordinates"
        )
    total = sums.sum(axis=0)[: 1 + dim, : 1 + dim] / count
    covariance = total[1:, 1:] - np.outer(total[0, 1:], total[0, 1:])
    width = np.sqrt(np.maximum(np.diag(covariance), np.finfo(np.float64).tiny))
    if np.linalg.eigvalsh(covariance / np.outer(width, width))[0] < _DEGENERATE:
        raise ValueError(
            "a coordinate stays constant or is a combination of others: leave it out, cloud.isel(coordinate=)"
        )


def _coefficients(sums: Array, tau: float, of: str) -> tuple[Array, Array, Array]:
    """Return A, TD and c from the sums of products."""
    dim = (len(sums) - 1) // 2
    early, late = slice(0, 1 + dim), slice(1 + dim, None)
    fit = np.linalg.solve(sums[early, early], sums[early, late])
    freedom = sums[0, 0] - dim - 1
    scatter = np.asarray((sums[late, late] - sums[late, early] @ fit) / freedom, dtype=np.float64)
    motion = np.asarray(fit[1:].T, dtype=np.float64)
    pull = np.eye(dim) - motion
    centre = np.linalg.solve(pull, fit[0]) if np.linalg.cond(pull) < _UNDETERMINED else np.full(dim, np.nan)
    if of == "map":
        return (np.eye(dim) - motion) / tau, scatter / (2 * tau), centre
    return *_flow(motion, scatter, tau), centre


def _flow(motion: Array, scatter: Array, tau: float) -> tuple[Array, Array]:
    factors, modes = np.linalg.eig(motion)
    _check_determined(factors)
    rates = -np.log(factors.astype(np.complex128)) / tau
    back = np.linalg.inv(modes)
    drift = (modes * rates) @ back
    pairs = (rates[:, None] + rates.conj()[None, :]) * tau
    small = np.abs(pairs) < 1e-12
    shares = np.where(small, 1.0, pairs / np.where(small, 1.0, -np.expm1(-pairs)))
    diffusion = modes @ (back @ scatter @ back.conj().T * shares) @ modes.conj().T / (2 * tau)
    return np.asarray(drift.real), np.asarray((diffusion + diffusion.T).real / 2)


def _check_determined(factors: Array) -> None:
    angles = np.abs(np.angle(factors))
    fastest = int(np.argmax(angles))
    if angles[fastest] > _FASTEST or not np.all(np.abs(factors) > 0):
        raise ValueError(
            f"over this lag a mode is multiplied by {factors[fastest]:.3g}, which no flow of its own does: take a "
            'shorter lag, or of="map" for the steps of SGD'
        )


def _dataset(names: list[str], values: tuple[Array, ...], errors: list[Array]) -> xr.Dataset:
    variables: dict[str, Any] = {}
    for name, value, error in zip(("drift_matrix", "diffusion", "centre"), values, errors, strict=True):
        dims = (schema.COORDINATE, "coordinate_2")[: value.ndim]
        for label, array in ((name, value), (f"{name}_standard_error", error)):
            variables[label] = (dims, array, schema.describe(label))
    return xr.Dataset(variables, {schema.COORDINATE: names, "coordinate_2": names})
