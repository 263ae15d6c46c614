"""Free-energy differences from work both ways: Bennett's acceptance ratio."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

if TYPE_CHECKING:
    from sgdphys.protocols import Array

__all__ = ["acceptance_ratio"]


def acceptance_ratio(forward: Array, reverse: Array) -> tuple[float, float]:
    r"""Return the reduced free-energy difference from the works of a protocol and of its reverse, and its error.

    By Crooks' relation :math:`p_F(w)\,e^{-w} = e^{-\Delta}\,p_R(-w)`, and of all estimates from both the one of least
    variance solves, with :math:`M = \ln(n_F/n_R)`,

    .. math:: \sum_F \frac{1}{1 + e^{M + w - \Delta}} = \sum_R \frac{1}{1 + e^{-M + w + \Delta}} .

    Parameters
    ----------
    forward, reverse
        Reduced works, shapes (particle,), finite.

    Returns
    -------
    tuple
        The difference and its standard error :math:`[(\overline{f^2}/\bar f^2 - 1)/n]^{1/2}`, summed in squares over
        both runs, f being the terms of the sums.

    References
    ----------
    Bennett 1976, J. Comput. Phys. 22, 245; Crooks 1999, Phys. Rev. E 60, 2721, equation 2, for the relation.
    """
    shift = math.log(len(forward) / len(reverse))

    def terms(difference: float) -> tuple[Array, Array]:
        return expit(difference - shift - forward), expit(shift - difference - reverse)

    def balance(difference: float) -> float:
        ours, theirs = terms(difference)
        return float(ours.sum() - theirs.sum())

    ends = np.array([forward.min(), forward.max(), -reverse.min(), -reverse.max()])
    margin = abs(shift) + 10.0
    difference = float(brentq(balance, ends.min() - margin, ends.max() + margin, xtol=1e-13))
    with np.errstate(all="ignore"):
        squares = sum(float(f.var() / f.mean() ** 2) / len(f) for f in terms(difference))
    return difference, math.sqrt(squares) if math.isfinite(squares) else math.inf
