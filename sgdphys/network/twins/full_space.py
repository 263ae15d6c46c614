"""The twin of a network over all its parameters, of low rank in curvature and noise."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.checks import finite_number, whole_number
from sgdphys.network.twins.drift import warn_of_drift
from sgdphys.network.twins.stationary_traces import StationaryTraces, stationary_traces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sgdphys.network.problem import Network
    from sgdphys.network.twins.low_rank_quadratic import LowRankQuadratic
    from sgdphys.noises import LowRank

    Array = NDArray[np.float64]

__all__ = ["FullTwin", "full_twin_of"]

_MISSED = 0.1  # share above which a twin that misses it says so


@dataclass(frozen=True)
class FullTwin:
    """Landscape and noise in all parameters of a network; ``simulate(*twin, sgd=sgd, ...)`` runs them.

    Attributes
    ----------
    landscape
        The parabola; its coordinates are the parameters themselves.
    noise
        The leading part of C.
    missed_noise
        Share of tr C that the noise leaves out.
    missed_variance
        Share of the predicted stationary variance that the twin leaves out, in the continuous limit, where it does not
        depend on T; negative where the twin has too much.
    """

    landscape: LowRankQuadratic
    noise: LowRank
    missed_noise: float
    missed_variance: float

    def __iter__(self) -> Iterator[Any]:
        return iter((self.landscape, self.noise))

    def __repr__(self) -> str:
        ranks = f"{len(self.landscape.curvatures)} curvatures, noise of rank {np.shape(self.noise.factor)[1]}"
        missed = f"misses {self.missed_noise:.1%} of tr C and {self.missed_variance:.1%} of the predicted variance"
        return f"FullTwin({self.landscape.dim} parameters, {ranks}, {missed})"


def full_twin_of(
    network: Network, rank: int = 20, noise_rank: int | None = None, rest: float | None = None
) -> FullTwin:
    r"""Return a parabola and constant noise in all d parameters; no d x d matrix is simulated.

    The ``rank`` leading eigenpairs of the Hessian are exact, all other directions have one curvature a. The noise is
    that of the ``noise_rank`` leading eigenpairs of C. In the continuous limit the total variance of the stationary
    state is :math:`T \operatorname{tr}(H^{-1} C)`, whether or not H and C commute. With P the projector on the other
    directions, a is chosen such that they have the right part of it,

    .. math:: a = \operatorname{tr}(P C) / \operatorname{tr}(P H^{-1} C),

    the harmonic mean of the other curvatures, weighted with the noise. Weight decay alone, or their plain mean, would
    be further off: for the digits network at its minimum (910 parameters, rank 20, noise of rank 100) the total
    variance would be 3.4 and 1.8 times the right one, and is .91 of it with the a above. Every other direction has then
    the same relaxation time, which is wrong for each of them.

    Parameters
    ----------
    network
        A network at its minimum.
    rank
        Number of leading Hessian eigenpairs, 1 to d - 1.
    noise_rank
        Number of leading eigenpairs of C, 1 to min(N, d); default five times ``rank``, or the most there are.
    rest
        Curvature a of the other directions, in loss/x^2; chosen as above if not given.

    Returns
    -------
    FullTwin
        Landscape and noise, and what they miss.

    Raises
    ------
    ValueError
        A rank is out of range, ``rest`` is not positive, or a curvature of the network is not, so that it has no
        stationary state.

    Warns
    -----
    RuntimeWarning
        The network is not at a minimum, or the twin is off by more than a tenth in tr C or in the variance.
    """
    from sgdphys.network.twins.low_rank_quadratic import LowRankQuadratic  # loads the compiler
    from sgdphys.noises import LowRank

    if whole_number("rank", rank) >= network.dim:
        raise ValueError(f"rank must lie between 1 and {network.dim - 1}, one less than the parameters, got {rank}")
    most = min(network.n_samples, network.dim)
    noise_rank = min(5 * rank, most) if noise_rank is None else whole_number("noise_rank", noise_rank)
    leading = network.curvature().top(rank)
    h, V = leading["eigenvalue"].values, leading["eigenvector"].values
    covariance = network.noise().project(V)
    warn_of_drift(network, V, covariance, "the twin leaves it out", stacklevel=6)
    factor = network.noise().low_rank(noise_rank)
    traces = stationary_traces(network, h, V, covariance)
    a = traces.matched if rest is None else finite_number("rest", rest, sign="positive")
    landscape = LowRankQuadratic(network.parameters, V, h, a, network.loss_value)
    twin = FullTwin(landscape, LowRank(factor), *_missed(traces, factor, h, V, a))
    _warn_of_what_is_missed(twin)
    return twin


def _missed(traces: StationaryTraces, factor: Array, h: Array, V: Array, a: float) -> tuple[float, float]:
    along = np.square(V.T @ factor).sum(axis=1)
    total = float(np.square(factor).sum())
    variance = float((along / h).sum() + (total - along.sum()) / a)
    return 1 - total / traces.noise, 1 - variance / traces.variance


def _warn_of_what_is_missed(twin: FullTwin) -> None:
    if max(twin.missed_noise, abs(twin.missed_variance)) > _MISSED:
        warnings.warn(
            f"the twin misses {twin.missed_noise:.1%} of tr C and {twin.missed_variance:.1%} of the predicted "
            "stationary variance (less than 0: it has too much), above 10 %; raise rank and noise_rank",
            RuntimeWarning,
            stacklevel=6,
        )
