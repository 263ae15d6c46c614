"""The detailed fluctuation theorem: p(s) / p(-s) = e^s."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from scipy.special import expit

from sgdphys import schema
from sgdphys.analysis.exponential_averages import numbers_of_particles
from sgdphys.checks import whole_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sgdphys.protocols import Array

__all__ = ["fluctuation_symmetry"]

_ROUNDS = 60


def fluctuation_symmetry(values: ArrayLike, *, bins: int = 8) -> xr.Dataset:
    r"""Return how well values obey the symmetry :math:`p(s)/p(-s) = e^s`, as entropy production does.

    Given \|s\|, the sign is positive with probability :math:`1/(1 + e^{-b|s|})`; the symmetry is b = 1. The slope b is
    that of greatest likelihood, without bins. Within bins of \|s\| the count of positive values is compared with that
    expected at b = 1, the sum of the probabilities.

    Parameters
    ----------
    values
        s of each particle, such as ``run["integrated_current"]`` with the weight of
        :func:`sgdphys.analysis.entropy_production_weight`.
    bins
        Number of bins of \|s\|, of equally many values each.

    Returns
    -------
    xr.Dataset
        ``symmetry_slope`` b with ``_standard_error`` and ``symmetry_z``, the distance from 1 in standard errors; over
        ``magnitude_bin``: ``magnitude``, the mean \|s\|, ``log_ratio``, the logarithm of the numbers of positive and
        negative values, with ``_standard_error`` (infinite or NaN where there are none), ``expected_log_ratio`` at b =
        1, and ``log_ratio_z``, the excess of positive values in standard deviations.

    Raises
    ------
    ValueError
        The values are no row of numbers, fewer than two are finite, all are of one sign, or there are fewer values than
        bins.

    Warns
    -----
    UserWarning
        Some values are NaN.

    References
    ----------
    Evans & Searles 2002, Adv. Phys. 51, 1529; Seifert 2012, Rep. Prog. Phys. 75, 126001, section 2.
    """
    s = numbers_of_particles("values", values)
    s = s[s != 0]
    positive = s > 0
    if len(s) < whole_number("bins", bins):
        raise ValueError(f"{bins} bins need as many values that are not 0, got {len(s)}; use fewer bins")
    if positive.all() or not positive.any():
        raise ValueError(
            f"all {len(s)} values have one sign, the symmetry cannot be seen; take shorter paths or more of them"
        )
    slope, error = _slope(np.abs(s), positive)
    numbers = {"symmetry_slope": slope, "symmetry_slope_standard_error": error, "symmetry_z": (slope - 1) / error}
    columns = {name: ("magnitude_bin", column) for name, column in _binned(s, bins).items()}
    return xr.Dataset(
        {
            name: (dims, np.array(value), schema.describe(name))
            for name, (dims, value) in ({name: ((), value) for name, value in numbers.items()} | columns).items()
        }
    )


def _slope(magnitude: Array, positive: Array) -> tuple[float, float]:
    """Return b of greatest likelihood by Newton's method, from b = 0 on a concave function, and its error."""
    slope, information = 0.0, 1.0
    for _ in range(_ROUNDS):
        chance = expit(slope * magnitude)
        information = float(np.sum(magnitude**2 * chance * (1 - chance)))
        change = float(np.sum(magnitude * (positive - chance))) / max(information, np.finfo(float).tiny)
        slope += float(np.clip(change, -1 - abs(slope), 1 + abs(slope)))
        if abs(change) <= 1e-12 * (1 + abs(slope)):
            break
    return slope, 1 / math.sqrt(information)


def _binned(s: Array, bins: int) -> dict[str, Array]:
    order = np.argsort(np.abs(s), kind="stable")
    parts = [s[part] for part in np.array_split(order, bins)]
    above = np.array([np.count_nonzero(part > 0) for part in parts], dtype=np.float64)
    below = np.array([len(part) for part in parts]) - above
    chances = [expit(np.abs(part)) for part in parts]
    expected = np.array([chance.sum() for chance in chances])
    spread = np.sqrt([np.sum(chance * (1 - chance)) for chance in chances])
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "magnitude": np.array([np.abs(part).mean() for part in parts]),
            "log_ratio": np.log(above / below),
            "log_ratio_standard_error": np.sqrt(1 / above + 1 / below),
            "expected_log_ratio": np.log(expected / (above + below - expected)),
            "log_ratio_z": (above - expected) / spread,
        }
