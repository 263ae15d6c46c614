"""The thermodynamic uncertainty relation: a precise current costs entropy."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sgdphys.analysis.exponential_averages import numbers_of_particles, scalars
from sgdphys.analysis.frames import check_dataset
from sgdphys.checks import finite_number

if TYPE_CHECKING:
    from sgdphys.protocols import Array

__all__ = ["uncertainty_ratio"]

_SIGNIFICANT = 4.0  # standard errors


def uncertainty_ratio(run: xr.Dataset, *, entropy_production: Any, name: str = "") -> xr.Dataset:
    r"""Return the ratio of the thermodynamic uncertainty relation, which is at least 1 in a stationary state.

    .. math:: \frac{\mathrm{Var}(K)\; \sigma t}{2 \langle K \rangle^2} \ge 1

    for the current K that a path collects in the time t and the entropy production rate sigma, for overdamped motion in
    continuous time. Chains with large steps may lie below by the order of the step.

    Parameters
    ----------
    run
        A stationary run with :class:`sgdphys.observers.Currents`.
    entropy_production
        sigma, per time (k_B = 1): a number, a DataArray, or a Dataset with ``entropy_production_rate``. A
        ``_standard_error`` beside it, or as its attribute, enters the error; its last value is taken.
    name
        Name of the observer.

    Returns
    -------
    xr.Dataset
        ``uncertainty_ratio`` with ``_standard_error``, from the contribution of each particle to mean and variance, and
        ``uncertainty_bound_z``, the distance from the bound 1 in standard errors, negative below it.

    Raises
    ------
    ValueError
        There is no current up to the end of the run, fewer than two particles are left, the mean current is 0 within
        four standard errors, or the rate is not positive.

    Warns
    -----
    UserWarning
        The ratio lies more than four standard errors below 1: the rate is too small for this current, or the state is
        not stationary.

    References
    ----------
    Barato & Seifert 2015, Phys. Rev. Lett. 114, 158101; Gingrich, Horowitz, Perunov & England 2016, Phys.
    Rev. Lett. 116, 120601, for the proof; Horowitz & Gingrich 2017, Phys. Rev. E 96, 020103, for finite times.
    """
    currents, elapsed = _currents(run, name)
    rate, rate_error = _rate(entropy_production)
    mean, variance = float(currents.mean()), float(currents.var(ddof=1))
    error_of_mean = math.sqrt(variance / len(currents))
    if abs(mean) <= _SIGNIFICANT * error_of_mean:
        raise ValueError(
            f"the mean current {mean:.3g} +- {error_of_mean:.2g} does not differ from 0, where the ratio is infinite: "
            "use another current, more particles or a longer run"
        )
    ratio = variance * rate * elapsed / (2 * mean**2)
    away = currents - mean
    contributions = away**2 / variance - 2 * away / mean
    relative = math.hypot(float(contributions.std(ddof=1)) / math.sqrt(len(currents)), rate_error / rate)
    z = (ratio - 1) / (ratio * relative)
    if z < -_SIGNIFICANT:
        warnings.warn(
            f"the uncertainty ratio {ratio:.4g} +- {ratio * relative:.2g} lies below its bound 1: the entropy "
            "production rate is too small for this current, the state is not stationary, or the time step is large",
            UserWarning,
            stacklevel=2,
        )
    return scalars(
        {"uncertainty_ratio": ratio, "uncertainty_ratio_standard_error": ratio * relative, "uncertainty_bound_z": z}
    )


def _currents(run: xr.Dataset, name: str) -> tuple[Array, float]:
    check_dataset(run)
    prefix = f"{name}_" if name else ""
    if f"{prefix}integrated_current" not in run:
        raise ValueError(
            f"the Dataset has no {prefix}integrated_current: run simulate with observers=[observers.Currents()] (and "
            "its name= as name=)"
        )
    currents = numbers_of_particles(
        f"{prefix}integrated_current", run[f"{prefix}integrated_current"].values, stacklevel=4
    )
    ends = {
        variable: float(run[f"{prefix}current_{variable}"].values[-1])
        for variable in ("mean", "mean_standard_error", "rate_standard_error", "count")
        if run[f"{prefix}current_{variable}"].size
    }
    if not ends or ends["count"] != len(currents) or not math.isclose(ends["mean"], currents.mean(), rel_tol=1e-6):
        raise ValueError("the last time of the observer must be the end of the run: use observers.Currents(at=1)")
    with np.errstate(all="ignore"):
        elapsed = float(np.divide(ends["mean_standard_error"], ends["rate_standard_error"]))
    if not (math.isfinite(elapsed) and elapsed > 0):
        raise ValueError("the current does not vary from particle to particle, so that the ratio says nothing")
    return currents, elapsed


def _rate(given: Any) -> tuple[float, float]:
    """Return the entropy production rate and its standard error, 0 where none is told."""
    error: Any = 0.0
    if isinstance(given, xr.Dataset):
        if "entropy_production_rate" not in given:
            raise ValueError("the Dataset of entropy_production= has no entropy_production_rate")
        error = given.get("entropy_production_rate_standard_error", 0.0)
        given = given["entropy_production_rate"]
    if isinstance(given, xr.DataArray):
        error = given.attrs.get("standard_error", error)
        if not given.size:
            raise ValueError("entropy_production holds no value; give a number, or the result with its frames")
        given = np.ravel(given.values)[-1]
    if isinstance(error, xr.DataArray):
        error = np.ravel(error.values)[-1]
    return finite_number("entropy_production", given, sign="positive"), finite_number(
        "the standard error of entropy_production", error, sign="not negative"
    )
