"""Spectral density of a symmetric matrix from Lanczos quadrature, with errors between random start vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys import schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.network.curvature.quadrature import Quadrature

__all__ = ["density_of"]

_HIGHEST_MOMENT = 4
_REACH = 5  # widths that the grid goes beyond the outermost nodes


def density_of(quadrature: Quadrature, width: float | None, n_points: int, units: str) -> xr.Dataset:
    r"""Return the spectral density of quadratures from random starts.

    .. math:: p(s) = \frac1{n} \sum_{\mathrm{probe}} \sum_j w_j\, N(s;\, \theta_j, \sigma^2)

    on an even grid; each node is a Gaussian of standard deviation sigma = ``width``. Moments are those of the nodes,
    without the width.

    Parameters
    ----------
    quadrature
        Nodes and weights of the probes.
    width
        Standard deviation of the Gaussians, in the unit of the eigenvalues; default a hundredth of the range of nodes.
    n_points
        Points of the grid.
    units
        Of the eigenvalues.

    Returns
    -------
    xr.Dataset
        ``spectral_density`` (spectrum_value) and ``spectral_moment`` (power), tr A^power / d, with standard errors;
        ``node`` and ``node_weight`` (probe, node); attribute ``width``.
    """
    low, high = quadrature.ends
    width = width or max((high - low) / 100, 1e-6 * max(abs(low), abs(high)), np.finfo(float).tiny ** 0.5)
    grid = np.linspace(low - _REACH * width, high + _REACH * width, n_points)
    powers = np.arange(_HIGHEST_MOMENT + 1)
    moments = quadrature.integrals(quadrature.nodes ** powers[:, None, None])
    variables = {
        **_with_error("spectral_density", "spectrum_value", _smoothed(quadrature, grid, width)),
        **_with_error("spectral_moment", "power", moments),
        "node": (("probe", "node_number"), quadrature.nodes, schema.describe("node")),
        "node_weight": (("probe", "node_number"), quadrature.weights, schema.describe("node_weight")),
    }
    coordinates = {
        "spectrum_value": ("spectrum_value", grid, schema.describe("spectrum_value")),
        "power": ("power", powers, schema.describe("power")),
    }
    result = xr.Dataset(variables, coordinates, {"width": width})
    for name in ("spectrum_value", "node"):
        result[name].attrs["units"] = units
    for name in ("spectral_density", "spectral_density_standard_error"):
        result[name].attrs["units"] = f"1/({units})" if units else ""
    return result


def _smoothed(quadrature: Quadrature, grid: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Return the density at the grid for each probe, (grid, probe)."""
    result = np.empty((len(grid), len(quadrature.nodes)))
    for probe, (nodes, weights) in enumerate(zip(*quadrature, strict=True)):
        bells = np.exp(-0.5 * ((grid[:, None] - nodes) / width) ** 2) / (width * np.sqrt(2 * np.pi))
        result[:, probe] = bells @ weights
    return result


def _with_error(name: str, dim: str, values: NDArray[np.float64]) -> dict[str, tuple[str, object, dict[str, str]]]:
    """Return mean and standard error over the probes, the last axis."""
    count = values.shape[-1]
    error = values.std(axis=-1, ddof=1) / count**0.5 if count > 1 else np.full(values.shape[:-1], np.nan)
    both = {name: values.mean(axis=-1), f"{name}_standard_error": error}
    return {key: (dim, array, schema.describe(key)) for key, array in both.items()}
