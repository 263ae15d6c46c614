"""How many directions gradient noise has: ranks at named thresholds, and measures that need no threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.checks import number_array, whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sgdphys.protocols import Array

__all__ = ["noise_ranks"]

_ROUNDING = 1e-3  # of the largest eigenvalue, that a semidefinite matrix in float32 may have below zero


def noise_ranks(
    eigenvalues: Any, dim: int, relative: Sequence[float] = (1e-3,), shares: Sequence[float] = (0.9, 0.99)
) -> xr.Dataset:
    r"""Return the rank of a covariance at several thresholds, its participation ratio and its stable rank.

    .. math:: \mathrm{PR} = \frac{(\sum_i \lambda_i)^2}{\sum_i \lambda_i^2},\qquad
              r_\mathrm{stable} = \frac{\sum_i \lambda_i}{\lambda_\mathrm{max}}

    The rank at machine precision counts eigenvalues above :math:`\lambda_\mathrm{max}\, d\, \epsilon`: with 13,338
    parameters that is 1.6e-3 of the largest in float32 and 3e-12 in float64, so that a rank says nothing without its
    threshold. No rank exceeds min(N - 1, d). From n samples the empirical eigenvalues also make the participation ratio
    at most n - 1; :func:`noise_moments` estimates it without the bias of numerator and denominator.

    Parameters
    ----------
    eigenvalues
        Eigenvalues (mode,) in any order, or a Dataset with ``eigenvalue``; those not given are 0.
    dim
        Number of parameters d, at least the number of eigenvalues that are not 0.
    relative
        Thresholds as fractions of the largest eigenvalue.
    shares
        Shares of the trace; their rank is the least number of eigenvalues that sums to as much.

    Returns
    -------
    xr.Dataset
        Over ``threshold`` ("float32", "float64", "relative 0.001", "share 0.9", ...): ``rank``, ``rank_share`` of d and
        ``rank_cut``, the smallest eigenvalue that counts (for shares) or above which they count. Besides
        ``eigenvalue_participation_ratio`` and ``stable_rank``, NaN where all are 0, and ``eigenvalue_mean`` and
        ``eigenvalue_standard_deviation`` over all d.

    Raises
    ------
    ValueError
        The eigenvalues are no finite numbers, are negative beyond rounding or more than ``dim``, or a threshold does
        not lie between 0 and 1.

    References
    ----------
    Chaudhari & Soatto 2018, arXiv:1710.11029, footnote 1 (threshold of machine precision).
    """
    values = _checked_eigenvalues(eigenvalues, whole_number("dim", dim))
    fractions, parts = _checked_fractions("relative", relative), _checked_fractions("shares", shares)
    largest = float(values[0])
    cuts = {name: largest * dim * float(np.finfo(name).eps) for name in ("float32", "float64")}
    cuts |= {f"relative {fraction:g}": largest * fraction for fraction in fractions}
    ranks = {name: int(np.count_nonzero(values > cut)) for name, cut in cuts.items()}
    for share in parts:
        ranks[f"share {share:g}"] = rank = _rank_of_share(values, share)
        cuts[f"share {share:g}"] = float(values[rank - 1]) if rank else 0.0
    rank_array = np.array(list(ranks.values()), dtype=np.int64)
    per_threshold = {"rank": rank_array, "rank_cut": np.array(list(cuts.values())), "rank_share": rank_array / dim}
    variables = {name: ("threshold", array, schema.describe(name)) for name, array in per_threshold.items()}
    numbers = {name: ((), np.array(value), schema.describe(name)) for name, value in _measures(values, dim).items()}
    return xr.Dataset(variables | numbers, {"threshold": list(ranks)}, {"dim": dim})


def _checked_eigenvalues(eigenvalues: Any, dim: int) -> Array:
    if isinstance(eigenvalues, xr.Dataset) and "eigenvalue" not in eigenvalues:
        raise ValueError("the Dataset holds no eigenvalue: give that of spectrum() or top()")
    given = eigenvalues["eigenvalue"] if isinstance(eigenvalues, xr.Dataset) else eigenvalues
    values = number_array("eigenvalues", given)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"eigenvalues must be a list of finite numbers, got {given!s:.60}")
    values = np.sort(values)[::-1]
    if values[-1] < -_ROUNDING * max(values[0], 0.0):
        raise ValueError(f"a covariance has no negative eigenvalues, got {values[-1]:.3g} beside {values[0]:.3g}")
    if np.count_nonzero(values > 0) > dim:
        raise ValueError(f"dim must be at least the number of eigenvalues {np.count_nonzero(values > 0)}, got {dim}")
    return np.maximum(values, 0.0)


def _checked_fractions(name: str, values: Any) -> list[float]:
    numbers = np.atleast_1d(number_array(name, values))
    if numbers.size and not (numbers.ndim == 1 and ((numbers > 0) & (numbers < 1)).all()):
        raise ValueError(f"{name} must lie between 0 and 1, got {values!s:.60}")
    return [float(number) for number in numbers]


def _rank_of_share(values: Array, share: float) -> int:
    sums = np.cumsum(values)
    return int(np.searchsorted(sums, share * sums[-1] * (1 - 1e-12))) + 1 if sums[-1] else 0


def _measures(values: Array, dim: int) -> dict[str, float]:
    total, squares, largest = float(values.sum()), float(np.sum(values**2)), float(values[0])
    mean = total / dim
    return {
        "eigenvalue_participation_ratio": total**2 / squares if squares else np.nan,
        "stable_rank": total / largest if largest else np.nan,
        "eigenvalue_mean": mean,
        "eigenvalue_standard_deviation": float(np.sqrt(max(squares / dim - mean**2, 0.0))),
    }
