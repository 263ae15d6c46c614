"""The potential that a stationary cloud or density reveals: -T log p."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.analysis.frames import frame_count
from sgdphys.analysis.histograms import histogram

if TYPE_CHECKING:
    from sgdphys.fokker_planck.grid import Grid

__all__ = ["check_temperature", "potential"]


def potential(dataset: xr.Dataset, temperature: float, grid: Grid | None = None) -> xr.Dataset:
    r"""Return the effective potential :math:`\Phi = -T \ln p` of a cloud or density, its minimum set to zero.

    In a stationary state with D = c I it is f/c up to a constant; with other noise it differs from the loss.

    Parameters
    ----------
    dataset
        A density, ``density(time, x, ...)``, or a cloud, which is counted on ``grid``.
    temperature
        T; Phi has its unit (loss for D = I). Positive.
    grid
        Cells for a cloud; by default some of Scott's width.

    Returns
    -------
    xr.Dataset
        ``effective_potential(time, x, ...)``, NaN in empty cells, and ``effective_potential_standard_error``: T over
        the root of the cell's count, times the root of one less its fraction; 0 for a density. The common constant has
        no error here.

    References
    ----------
    Chaudhari & Soatto 2018 (arXiv 1710.11029), eq. 5.
    """
    check_temperature(temperature)
    frame_count(dataset)
    density = dataset if schema.is_density(dataset) else histogram(dataset, grid)
    positive = density["density"].where(density["density"] > 0)
    phi = -temperature * xr.apply_ufunc(np.log, positive)
    phi = phi - phi.min(dim=phi.dims[1:])
    count_error = density.get("density_standard_error", xr.zeros_like(positive))
    name = "effective_potential"
    result = xr.Dataset({name: phi, f"{name}_standard_error": temperature * count_error / positive})
    for variable in result:
        result[variable].attrs = schema.describe(str(variable))
    return result.assign_attrs(temperature=float(temperature))


def check_temperature(temperature: object) -> None:
    """Raise ValueError unless the temperature is positive and finite."""
    if not (isinstance(temperature, Real) and 0 < float(temperature) < math.inf):
        raise ValueError(f"temperature must be positive and finite, got {temperature}")
