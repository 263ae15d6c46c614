"""Which rows of a sweep are not comparable with the exact Gibbs state, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys import schema

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

__all__ = ["not_stationary", "notes"]

_ERRORS = 4.0
_STEP_BIAS = 0.0125  # of E[f] in units of T for each coordinate: T dt tr(H)/4 at dt times curvature = 0.05
_STEP_BIAS_KL = 2e-4  # of KL for each coordinate: (r - 1 - log r)/2 at a variance ratio r = 1/(1 - 0.05/2)


def not_stationary(sweep: xr.Dataset) -> NDArray[np.bool_]:
    """Find the temperatures whose last frame lies apart from the Gibbs state.

    Parameters
    ----------
    sweep
        From ``sgdphys.sweep``.

    Returns
    -------
    NDArray
        For each temperature, True where the relative entropy is more than 4 standard errors above 0, or E[f] more than
        4 from the exact one, beyond what the time step that sgdphys suggests may cause.
    """
    last, dim = sweep.isel({schema.TIME: -1}), sweep.sizes[schema.COORDINATE]
    divergence, divergence_error = _over_seeds(last, "relative_entropy")
    energy, energy_error = _over_seeds(last, "mean_potential")
    exact = sweep["stationary_mean_potential"].values
    step_bias = _STEP_BIAS * dim * sweep[schema.TEMPERATURE].values
    with np.errstate(invalid="ignore"):
        apart = divergence > _ERRORS * divergence_error + _STEP_BIAS_KL * dim
        apart |= np.abs(energy - exact) > _ERRORS * energy_error + step_bias
    return np.asarray(apart, dtype=bool)


def notes(sweep: xr.Dataset) -> list[str]:
    """Return the lines that stand below the table: rows that are not stationary, a loss without a Gibbs state."""
    lines = []
    if not_stationary(sweep).any():
        lines.append(
            "* not stationary: KL or E[f] is more than 4 standard errors from exact; "
            "use a longer --t1 or another --start"
        )
    if np.isnan(sweep["stationary_mean_potential"].values).any():
        lines.append(_without_exact(sweep.sizes[schema.COORDINATE]))
    return lines


def _without_exact(dim: int) -> str:
    if dim > 2:
        return f"exact -: the Gibbs state is computed on a grid of one or two coordinates, this loss has {dim}"
    return "exact -: no grid holds a Gibbs state, the loss is not confining (it does not rise on all sides)"


def _over_seeds(last: xr.Dataset, name: str) -> tuple[Any, Any]:
    errors = last[f"{name}_standard_error"]
    squared = (errors**2).sum(schema.SEED, skipna=False).values
    return last[name].mean(schema.SEED).values, np.nan_to_num(np.sqrt(squared) / errors.sizes[schema.SEED])
