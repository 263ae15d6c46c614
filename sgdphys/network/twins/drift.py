"""Whether a network is near enough to a minimum for a twin to stand for it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.network.problem import Network

    Array = NDArray[np.float64]

__all__ = ["warn_of_drift"]

_DRIFT = 1e-3  # norm of the gradient over the root of the noise variance that still counts as a minimum


def warn_of_drift(network: Network, directions: Array, covariance: Array, consequence: str, stacklevel: int) -> None:
    """Warn where the gradient along the directions V (parameter, coordinate) is not far below the noise there.

    Both are taken over all directions together, as some have next to no noise, and rounding is no drift.

    Parameters
    ----------
    network
        The network at its point.
    directions
        V, orthonormal columns.
    covariance
        V'CV, in loss^2/x^2.
    consequence
        What the twin makes of the gradient, for the message.
    stacklevel
        Frames to the caller of the twin, as seen from here.

    Warns
    -----
    RuntimeWarning
        The network is not at a minimum.
    """
    along, variance = directions.T @ network.gradient(), float(np.trace(covariance))
    relative = float(np.linalg.norm(along)) / max(variance, np.finfo(float).tiny) ** 0.5
    if relative > _DRIFT:
        warnings.warn(
            f"the network is not at a minimum: its gradient along the leading directions reaches {relative:.2g} of the "
            f"noise of one sample, above {_DRIFT:g}, and {consequence}; call minimum() first",
            RuntimeWarning,
            stacklevel=stacklevel,
        )
