"""The twin of a network: a quadratic landscape with constant noise in the leading directions of its curvature."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sgdphys.checks import whole_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.landscapes import Quadratic
    from sgdphys.network.problem import Network
    from sgdphys.noises import Full

__all__ = ["Twin", "twin_of"]

_DRIFT = 1e-3  # residual gradient over the root of the noise variance that still counts as a minimum


class Twin(NamedTuple):
    """Landscape and noise that stand for a network; ``simulate(*twin, sgd=sgd, ...)`` runs them."""

    landscape: Quadratic
    noise: Full

    def __repr__(self) -> str:
        eigenvalues = np.diag(self.landscape.matrix)
        ends = f"{eigenvalues[0]:.3g}" if len(eigenvalues) == 1 else f"{eigenvalues[0]:.3g} ... {eigenvalues[-1]:.3g}"
        return f"Twin(rank {len(eigenvalues)}, eigenvalues {ends})"


def twin_of(network: Network, rank: int) -> Twin:
    """Return the twin of a network at its minimum, see :meth:`sgdphys.network.problem.Network.twin`."""
    from sgdphys.landscapes import Quadratic  # loads the compiler, which a network that is only measured does not need
    from sgdphys.noises import Full

    if whole_number("rank", rank) > network.dim:
        raise ValueError(f"rank must lie between 1 and the number of parameters {network.dim}, got {rank}")
    leading = network.curvature().top(rank)
    directions = leading["eigenvector"].values
    covariance = network.noise().project(directions)
    _warn_of_drift(directions.T @ network.gradient(), np.sqrt(np.diag(covariance)))
    landscape = Quadratic(
        np.diag(leading["eigenvalue"].values),
        constant=network.loss_value,
        origin=network.parameters,
        basis=directions,
    )
    return Twin(landscape, Full(covariance))


def _warn_of_drift(gradient: NDArray[np.float64], spread: NDArray[np.float64]) -> None:
    relative = float(np.max(np.abs(gradient) / np.maximum(spread, np.finfo(float).tiny)))
    if relative > _DRIFT:
        warnings.warn(
            f"the network is not at a minimum: its gradient along the leading directions reaches {relative:.2g} of the "
            f"noise of one sample, above {_DRIFT:g}, and the twin leaves it out; call minimum() first",
            RuntimeWarning,
            stacklevel=5,
        )
