r"""Tests of detailed balance by reversing paths.

In the stationary state of a reversible process a path and its reverse are equally likely. Reversing the paths of some
of the independent particles then changes no distribution, and every mean that is odd under time reversal, such as a
current, only changes the sign of these particles' shares. The test that draws the signs at random is exact for any
length of the paths, any frame spacing and any slow mode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sgdphys.checks import finite_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from sgdphys.protocols import Array

__all__ = ["ReversalTest", "check_level", "reversal_p_value", "reversal_test", "reversed_means"]

_PATTERNS = 1999
_FEWEST_PATTERNS = 999
_NUMBERS = 100_000_000  # products that drawing the null distribution may take


@dataclass(frozen=True)
class ReversalTest:
    """What a statistic is, and what it would be for a reversible process of the same length.

    Parameters
    ----------
    estimate
        The statistic less its bias, and scaled for the products of a particle with itself that the bias takes away.
    null_mean
        Mean of the plain statistic over random reversals: its bias.
    null_quantile
        Quantile 1 - level of the estimate over random reversals.
    null_variance
        Variance of the estimate over random reversals.
    p_value
        Probability that a reversible process gives as much or more.
    """

    estimate: float
    null_mean: float
    null_quantile: float
    null_variance: float
    p_value: float


def reversal_test(odd: Array, statistic: Callable[[Array], Array], level: float, seed: int) -> ReversalTest:
    r"""Test a statistic of odd means, quadratic where they are small, and free it of its bias.

    With signs :math:`s_p` the mean is :math:`\frac1n\sum_p s_p m_p`; its quadratic form, averaged over all signs, is
    :math:`\frac1{n^2}\sum_p m_p^2`, so that :math:`\frac{n}{n-1}` times statistic less this average holds the products
    of different particles alone, whose mean is the square of the true mean: every particle is judged by a current that
    the others estimate.

    Parameters
    ----------
    odd
        Shares of independent particles (or bundles of them) in the odd means, (particle, mean).
    statistic
        Function from means (pattern, mean) to numbers (pattern,), even.
    level
        Probability of taking a reversible process for an irreversible one.
    seed
        Seed of the reversals.

    Returns
    -------
    ReversalTest
        Estimate and null distribution.
    """
    count = len(odd)
    plain = float(statistic(odd.mean(axis=0)[np.newaxis])[0])
    null = statistic(reversed_means(odd, seed))
    scale = count / (count - 1)
    bias = float(null.mean())
    return ReversalTest(
        estimate=scale * (plain - bias),
        null_mean=bias,
        null_quantile=float(scale * (np.quantile(null, 1 - level) - bias)),
        null_variance=float(scale**2 * null.var()),
        p_value=reversal_p_value(plain, null),
    )


def reversed_means(odd: Array, seed: int) -> Array:
    """Return the means after random reversals of particles, shape (pattern, mean); ``odd`` as in reversal_test."""
    patterns = int(np.clip(_NUMBERS // odd.size, _FEWEST_PATTERNS, _PATTERNS))
    signs = np.random.default_rng(seed).integers(0, 2, (patterns, len(odd)), dtype=np.int8)
    return np.asarray((2.0 * signs - 1.0) @ odd / len(odd))


def reversal_p_value(observed: float, null: Array) -> float:
    """Return the share of patterns, the observed one among them, that reach the observed value up to rounding."""
    reached = null >= observed - 1e-9 * abs(observed)
    return float((1 + reached.sum()) / (1 + len(null)))


def check_level(level: object) -> float:
    """Return the level of a test as a float.

    Parameters
    ----------
    level
        A probability.

    Returns
    -------
    float
        The level.

    Raises
    ------
    ValueError
        It is no number between .001 and .5.
    """
    number = finite_number("level", level)
    if not 0.001 <= number <= 0.5:
        raise ValueError(f"level must lie between 0.001, which the drawn reversals resolve, and 0.5, got {number:g}")
    return number
