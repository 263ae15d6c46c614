"""The twin of a network: a quadratic landscape with constant noise in the leading directions of its curvature."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sgdphys.checks import whole_number
from sgdphys.network.twins.drift import warn_of_drift

if TYPE_CHECKING:
    from sgdphys.landscapes import Quadratic
    from sgdphys.network.problem import Network
    from sgdphys.noises import Full

__all__ = ["Twin", "twin_of"]


class Twin(NamedTuple):
    """Landscape and noise that stand for a network; ``simulate(*twin, sgd=sgd, ...)`` runs them."""

    landscape: Quadratic
    noise: Full

    def __repr__(self) -> str:
        eigenvalues = np.diag(self.landscape.matrix)
        ends = f"{eigenvalues[0]:.3g}" if len(eigenvalues) == 1 else f"{eigenvalues[0]:.3g} ... {eigenvalues[-1]:.3g}"
        return f"Twin(rank {len(eigenvalues)}, eigenvalues {ends})"


def twin_of(network: Network, rank: int = 20) -> Twin:
    """Return the twin of a network at its minimum, see :meth:`sgdphys.network.problem.Network.twin`."""
    from sgdphys.landscapes import Quadratic  # loads the compiler, which a network that is only measured does not need
    from sgdphys.noises import Full

    if whole_number("rank", rank) > network.dim:
        raise ValueError(f"rank must lie between 1 and the number of parameters {network.dim}, got {rank}")
    leading = network.curvature().top(rank)
    directions = leading["eigenvector"].values
    covariance = network.noise().project(directions)
    warn_of_drift(network, directions, covariance, "the twin leaves it out", stacklevel=6)
    landscape = Quadratic(
        np.diag(leading["eigenvalue"].values),
        constant=network.loss_value,
        origin=network.parameters,
        basis=directions,
    )
    return Twin(landscape, Full(covariance))
