"""How far the potential -T log p of a cloud or density is from a loss: how far SGD is from minimising its loss."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import logsumexp

from sgdphys import schema
from sgdphys.analysis.cell_samples import FEWEST_COUNTS, cell_samples
from sgdphys.analysis.frames import check_grid, frame_count, series
from sgdphys.analysis.free_energies import energy_of
from sgdphys.analysis.potentials import DensityMethod, check_density_method, check_temperature

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.analysis.cell_samples import CellSample
    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array, Landscape, Noise

    Energy = Callable[[Array], Array]

__all__ = ["potential_distance"]

_SAME = 1e-12  # difference of energies over the largest that is rounding
_ROUNDS = 4  # of fitting c and averaging exp(-f/(cT)) over a cell with it


def potential_distance(
    dataset: xr.Dataset,
    landscape: Landscape | Energy,
    temperature: float,
    *,
    noise: Noise | None = None,
    grid: Grid | None = None,
    method: DensityMethod = "histogram",
    bandwidth: ArrayLike | Literal["silverman", "scott"] | None = None,
    pool: bool = False,
) -> xr.Dataset:
    r"""Return how far the potential :math:`\Phi = -T \ln p` is from the loss f, after the scale c of the noise.

    .. math:: d^2 = \min_{a, b} \frac{1}{T^2} \sum_k p_k\,(\Phi_k - a f_k - b)^2 \Big/ \sum_k p_k,\qquad c = 1/a

    over the cells k of a grid: 0 where p is :math:`e^{-f/(cT)}`, as in the stationary state of D = c I, whatever c. For
    a cloud, sampling adds to d^2 its own variance in Phi. The products of the residuals of different groups of
    particles hold none of it; their mean is the distance that is reported, so that a cloud drawn from
    :math:`e^{-f/(cT)}` has none on average.

    The fit uses the cells that hold ten independent particles or more (with kernels or pooled frames: whose relative
    error is below :math:`1/\sqrt{10}`) on average with their neighbours. To -ln p half the squared relative error is
    added, as Miller does for entropies, for then its sums over p are without bias to first order; f_k is -cT times the
    logarithm of the mean of :math:`e^{-f/(cT)}` over the cell or the kernel, so that their width makes no distance. A
    density counts with all its cells, their centres and no sampling error. Where Phi is no f/c the squares grow in the
    tails: a hundredth of the probability in cells without a fit may hold a tenth of the distance, and clouds of
    different sizes, or cloud and density, should be compared on a ``grid`` that is full everywhere.

    Parameters
    ----------
    dataset
        A density from ``evolve`` or ``stationary``, or a cloud of up to three coordinates.
    landscape
        f: a landscape, whose potential is taken (that of the gradient part of one that circulates), or a callable of
        points (particle, coordinate), in loss.
    temperature
        T, positive.
    noise
        Noise of the run, to compare c with the mean of tr D(x) / dim; by default a constant one that the Dataset has on
        record.
    grid, method, bandwidth, pool
        Density of a cloud, as in :func:`sgdphys.analysis.potential`.

    Returns
    -------
    xr.Dataset
        Over time: ``noise_scale`` c with its standard error and, where D is known, ``expected_noise_scale``;
        ``potential_distance`` d without the noise of sampling, in units of T, 0 where d^2 is negative, with its
        standard error (that of d^2 over 2d, and its root where d is 0); ``apparent_potential_distance`` with that noise
        and ``expected_potential_distance``, which sampling alone gives; ``potential_distance_z``, how far the square of
        the former is beyond that of the latter, close to normal for a cloud without distance (its cube root as that of
        a chi-square with the same mean and variance; NaN for a density); ``relative_entropy`` of p from
        :math:`e^{-f/(cT)}/Z`, both normalised within the cells of the fit, less its bias, with its standard error;
        ``fitted_mass`` in those cells. Errors are from 100 groups of particles.

    Raises
    ------
    ValueError
        The temperature is not positive, the Dataset is a density that was counted from particles (give the cloud),
        fewer than three cells hold enough particles, or f is the same in all of them, not finite, or no
        number a point.

    References
    ----------
    Chaudhari & Soatto 2018 (arXiv 1710.11029), lemma 6; Hoeffding 1948, Ann. Math. Statist. 19, 293, for the products;
    Wilson & Hilferty 1931, PNAS 17, 684, for the cube root.
    """
    check_temperature(temperature)
    check_density_method(method)
    check_grid(grid)
    if not (noise is None or hasattr(noise, "diffusion")):
        raise ValueError(f"noise must be a noise with diffusion(x), got {type(noise).__name__}")
    frame_count(dataset)
    energy = energy_of(landscape, temperature)
    rows = []
    for sample in cell_samples(dataset, grid, method, bandwidth, pool=pool):
        row = _distance(sample, energy, float(temperature))
        scale = _expected_scale(dataset, noise, sample)
        rows.append(row if scale is None else row | {"expected_noise_scale": scale})
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    counted = "density" if schema.is_density(dataset) else method
    described = {"temperature": float(temperature), "method": counted}
    return series(dataset.isel(time=[-1]) if len(rows) < dataset.sizes[schema.TIME] else dataset, columns, described)


def _distance(sample: CellSample, energy: Energy, temperature: float) -> dict[str, float]:
    """Return all results for one time; Phi/T is fitted by slope times f plus a constant, so that c is 1/(T slope)."""
    cells = _fitted_cells(sample)
    density, variance = sample.density[cells], sample.relative_variance()[cells]
    weights = density / density.sum()
    relative = sample.groups[:, cells] / density
    deviations = relative - relative.mean(axis=0) if len(relative) else relative
    line, slope = _Line(sample.energies(energy, cells, math.inf), weights), 0.0
    for _ in range(_ROUNDS):
        slope = float(line.slope(-np.log(density) + variance / 2))
        line = _Line(sample.energies(energy, cells, 1 / slope if slope > 0 else math.inf), weights)
    squared = _squared(line.residuals(-np.log(density) + variance / 2), line.residuals(-deviations), weights)
    slopes = line.slope(-deviations)
    return (
        {"noise_scale": 1 / (temperature * slope)}
        | {"noise_scale_standard_error": _error_of_mean(slopes) / (temperature * slope**2)}
        | squared.distances()
        | _divergence(line, slope, deviations, slopes, squared)
        | {"fitted_mass": float(density.sum() * sample.cell_volume)}
    )


def _fitted_cells(sample: CellSample) -> NDArray[np.int64]:
    cells = sample.trusted()
    if len(cells) < 3:
        raise ValueError(
            f"only {len(cells)} cells hold {FEWEST_COUNTS:g} independent particles or more, and a fit needs 3; give "
            "more particles, or a grid= with larger cells, or leave the frame out"
        )
    return cells


@dataclass(frozen=True)
class _Line:
    """Least squares of values on energies and a constant, with weights whose sum is 1."""

    energies: Array
    weights: Array

    def __post_init__(self) -> None:
        if np.ptp(self.energies) <= _SAME * np.abs(self.energies).max():
            raise ValueError("the landscape has the same value in all cells, so that no scale c can be found")

    def slope(self, values: Array) -> Array:
        """Return the slope of values (..., cell), shape (...)."""
        centred = self.energies - self.weights @ self.energies
        return np.asarray(values @ (self.weights * centred) / (self.weights @ centred**2))

    def residuals(self, values: Array) -> Array:
        """Return what the line leaves of values (..., cell)."""
        rest = values - self.slope(values)[..., np.newaxis] * self.energies
        return np.asarray(rest - (rest @ self.weights)[..., np.newaxis])


@dataclass(frozen=True)
class _SquaredDistance:
    """A weighted sum of squares, the part that sampling adds to it, and variances of their difference.

    ``null_variance`` is that without any distance; ``linear_variance`` is what a distance adds to it.
    """

    apparent: float
    sampling: float
    null_variance: float
    linear_variance: float

    def distances(self) -> dict[str, float]:
        """Return the variables that describe the distance."""
        squared = self.apparent - self.sampling
        error = math.sqrt(self.null_variance + self.linear_variance)
        distance = math.sqrt(max(squared, 0.0))
        return {
            "potential_distance": distance,
            "potential_distance_standard_error": math.sqrt(distance**2 + error) - distance,
            "apparent_potential_distance": math.sqrt(self.apparent),
            "expected_potential_distance": math.sqrt(self.sampling),
            "potential_distance_z": self._normal_score(),
        }

    def _normal_score(self) -> float:
        """Return the cube root of a chi-square with the mean and variance of sampling, in its deviations."""
        if not self.null_variance:
            return math.nan
        third = self.null_variance / (9 * self.sampling**2)  # 2/9 over the degrees of freedom
        return float((math.cbrt(self.apparent / self.sampling) - 1 + third) / math.sqrt(third))


def _squared(residuals: Array, deviations: Array, weights: Array) -> _SquaredDistance:
    """Return the square of residuals (cell,), with the deviations of groups (group, cell) from their mean."""
    apparent = float(weights @ residuals**2)
    count = len(deviations)
    if not count:
        return _SquaredDistance(apparent, 0.0, 0.0, 0.0)
    products = (deviations * weights) @ deviations.T
    between = float((products**2).sum() - (np.diag(products) ** 2).sum()) / (count**3 * (count - 1))
    along = float(((deviations @ (weights * residuals)) ** 2).sum()) / (count * (count - 1))
    sampling = float(np.trace(products)) / (count * (count - 1))
    return _SquaredDistance(apparent, sampling, 2 * between, 4 * max(along - between, 0.0))


def _divergence(
    line: _Line, slope: float, deviations: Array, slopes: Array, squared: _SquaredDistance
) -> dict[str, float]:
    """Return the relative entropy of the weights from exp(-slope f)/Z, and its standard error."""
    # to second order sampling adds to it half of what it adds to the squared distance, and varies it by half as much
    exponents = -slope * line.energies
    difference = np.log(line.weights) - exponents + logsumexp(exponents)
    surplus = float((line.weights - np.exp(exponents - logsumexp(exponents))) @ line.energies)
    value = float(line.weights @ difference) - squared.sampling / 2
    if not len(deviations):
        return {"relative_entropy": value, "relative_entropy_standard_error": 0.0}
    normalised = deviations - (deviations @ line.weights)[:, np.newaxis]
    linear = _error_of_mean(normalised @ (line.weights * difference) + slopes * surplus) ** 2
    variance = max(linear - squared.null_variance / 2, 0.0) + squared.null_variance / 4
    return {"relative_entropy": value, "relative_entropy_standard_error": math.sqrt(variance)}


def _error_of_mean(deviations: Array) -> float:
    """Return the standard error of a mean of groups from their deviations; 0 without groups."""
    count = len(deviations)
    return float(np.sqrt((deviations**2).sum() / (count * (count - 1)))) if count else 0.0


def _expected_scale(dataset: xr.Dataset, noise: Noise | None, sample: CellSample) -> float | None:
    if noise is not None:
        used = sample.density > 0
        traces = np.einsum("kii->k", noise.diffusion(sample.centres[used])) / sample.centres.shape[1]
        return float(np.average(traces, weights=sample.density[used]))
    return _recorded_scale(json.loads(dataset.attrs.get("configuration", "{}")), sample.centres.shape[1])


def _recorded_scale(run: dict[str, Any], dim: int) -> float | None:
    """Return tr D / dim of the constant noise of a configuration, None where it names no such noise."""
    recorded = run.get("noise")
    if recorded is None:
        return 1.0 if run.get("temperature") is not None and "network" not in run else None
    values = recorded.get("c", recorded.get("matrix"))
    if recorded.get("noise") not in {"Isotropic", "Diagonal", "Full"} or isinstance(values, (str, type(None))):
        return None
    matrix = np.array(values, dtype=np.float64)
    return float(np.trace(matrix) / dim if matrix.ndim == 2 else matrix.mean())
