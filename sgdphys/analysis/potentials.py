"""The potential that a stationary cloud or density reveals: -T log p."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.analysis.frames import frame_count
from sgdphys.analysis.histograms import histogram
from sgdphys.analysis.kernel_densities import kernel_density
from sgdphys.checks import number_array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array

__all__ = ["DensityMethod", "check_density_method", "check_temperature", "checked_energies", "potential"]

DensityMethod = Literal["histogram", "kernel"]


def potential(
    dataset: xr.Dataset,
    temperature: float,
    grid: Grid | None = None,
    *,
    method: DensityMethod = "histogram",
    bandwidth: ArrayLike | Literal["silverman", "scott"] | None = None,
    pool: bool = False,
) -> xr.Dataset:
    r"""Return the effective potential :math:`\Phi = -T \ln p` of a cloud or density, its minimum set to zero.

    In a stationary state with D = c I it is f/c up to a constant; with other noise it differs from the loss.

    Parameters
    ----------
    dataset
        A density, ``density(time, x, ...)``, or a cloud, which is counted on ``grid``.
    temperature
        T; Phi has its unit (loss for D = I). Positive.
    grid
        Cells for a cloud; by default some that fit it.
    method
        Density of a cloud: ``"histogram"`` (:func:`sgdphys.analysis.histogram`) or ``"kernel"``
        (:func:`sgdphys.analysis.kernel_density`).
    bandwidth
        For kernels.
    pool
        Whether to take all frames of a stationary run of a cloud as one, with the errors of independent particles.

    Returns
    -------
    xr.Dataset
        ``effective_potential(time, x, ...)``, NaN in empty cells, and ``effective_potential_standard_error``, T times
        the relative error of the density (0 for a density without one): for k of n particles in a cell
        :math:`T \sqrt{1/k - 1/n}`. Two of these errors cover the truth in 94 to 97 % of the cells that hold any
        particle, down to an expected count of one; -ln k is then too high by 1/(2k) on average, half the squared error
        over T, from three counts on. The common constant has no error here. With kernels also
        ``effective_potential_bias``, what their width adds to Phi.

    Raises
    ------
    ValueError
        The temperature is not positive, the method is unknown, or the Dataset is neither a cloud nor a density.

    References
    ----------
    Chaudhari & Soatto 2018 (arXiv 1710.11029), eq. 5.
    """
    check_temperature(temperature)
    check_density_method(method)
    frame_count(dataset)
    density = dataset
    if not schema.is_density(dataset):
        kernel = method == "kernel"
        density = kernel_density(dataset, grid, bandwidth, pool=pool) if kernel else histogram(dataset, grid, pool=pool)
    positive = density["density"].where(density["density"] > 0)
    phi = -temperature * xr.apply_ufunc(np.log, positive)
    found = {"effective_potential": phi - phi.min(dim=phi.dims[1:])}
    count_error = density.get("density_standard_error", xr.zeros_like(positive))
    found["effective_potential_standard_error"] = temperature * count_error / positive
    if "density_bias" in density:
        found["effective_potential_bias"] = -temperature * density["density_bias"] / positive
    result = xr.Dataset(found)
    for variable in result:
        result[variable].attrs = schema.describe(str(variable))
    return result.assign_attrs(temperature=float(temperature))


def check_density_method(method: str) -> None:
    """Raise ValueError unless there is such a density of a cloud."""
    if method not in ("histogram", "kernel"):
        raise ValueError(f"method must be histogram or kernel, got {method!r}")


def checked_energies(energies: ArrayLike, count: int) -> Array:
    """Return the potential of so many points as an array.

    Parameters
    ----------
    energies
        What a potential returned.
    count
        Number of points.

    Returns
    -------
    Array
        Shape (point,), finite.

    Raises
    ------
    ValueError
        It is not one finite number a point.
    """
    values = number_array("the potential", energies)
    if values.shape != (count,):
        raise ValueError(f"the potential must return one number a point, got shape {values.shape} for {count} points")
    if not np.all(np.isfinite(values)):
        raise ValueError(f"the potential is not finite at {np.count_nonzero(~np.isfinite(values))} of {count} points")
    return values


def check_temperature(temperature: object) -> None:
    """Raise ValueError unless the temperature is positive and finite."""
    if not (isinstance(temperature, Real) and 0 < float(temperature) < math.inf):
        raise ValueError(f"temperature must be positive and finite, got {temperature}")
