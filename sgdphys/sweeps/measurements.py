"""What a network sweep measures once: minimum, curvature, gradient noise, and the exact prediction that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.landscapes import Quadratic
from sgdphys.network import Twin
from sgdphys.noises import Full
from sgdphys.theory import stationary_covariance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.network import Network
    from sgdphys.sgd import SGD

    Array = NDArray[np.float64]

__all__ = ["Measurement", "Prediction", "measure", "remeasure"]


@dataclass(frozen=True)
class Prediction:
    """The stationary Gaussian of the discrete map on the quadratic loss, exact there.

    Parameters
    ----------
    covariance
        S of all parameters, (d, d).
    reduced
        The same in the leading directions, (k, k).
    excess_loss
        tr(H S) / 2, in loss.
    """

    covariance: Array
    reduced: Array
    excess_loss: float

    @property
    def entropy(self) -> float:
        """Entropy of the reduced Gaussian, in nat."""
        k = len(self.reduced)
        return float(0.5 * np.linalg.slogdet(2 * np.pi * np.e * self.reduced)[1]) if k else 0.0


@dataclass(frozen=True)
class Measurement:
    """A network at its minimum with dense Hessian and gradient covariance, and its twin in the leading directions.

    Parameters
    ----------
    network
        At its minimum.
    hessian, covariance
        H and C, (d, d).
    directions
        Leading Hessian eigenvectors, (d, k), largest eigenvalue first.
    """

    network: Network
    hessian: Array
    covariance: Array
    directions: Array

    @property
    def curvatures(self) -> Array:
        """Hessian eigenvalues of the directions, (k,)."""
        return np.asarray((self.directions * (self.hessian @ self.directions)).sum(axis=0))

    @property
    def noise(self) -> Array:
        """V'CV, (k, k)."""
        return self.directions.T @ self.covariance @ self.directions

    def twin(self) -> Twin:
        """Return the quadratic landscape and the noise in the directions."""
        origin, loss = self.network.parameters, self.network.loss_value
        return Twin(Quadratic(np.diag(self.curvatures), loss, origin, self.directions), Full(self.noise))

    def predict(self, sgd: SGD) -> Prediction:
        """Return the stationary Gaussian at these settings; refuses those without one."""
        S = stationary_covariance(self.hessian, self.covariance, sgd)["stationary_covariance"].values
        return Prediction(S, self.directions.T @ S @ self.directions, float(0.5 * np.sum(self.hessian * S)))

    def variables(self) -> dict[str, Any]:
        """Return what the store keeps of it, by schema name."""
        pair = (schema.COORDINATE, "coordinate_2")
        arrays: dict[str, tuple[Any, Any]] = {
            "origin": (schema.PARAMETER, self.network.parameters),
            "basis": ((schema.PARAMETER, schema.COORDINATE), self.directions),
            "curvature": (schema.COORDINATE, self.curvatures),
            "noise_covariance": (pair, self.noise),
            "minimum_loss": ((), self.network.loss_value),
            "minimum_hessian_trace": ((), float(np.trace(self.hessian))),
            "minimum_largest_eigenvalue": ((), float(np.linalg.eigvalsh(self.hessian)[-1])),
        }
        return {name: (dims, values, schema.describe(name)) for name, (dims, values) in arrays.items()}


def measure(network: Network, rank: int) -> Measurement:
    """Go to the minimum and measure there.

    Parameters
    ----------
    network
        Anywhere.
    rank
        Number of leading directions k.

    Returns
    -------
    Measurement
        With dense matrices.

    Raises
    ------
    ValueError
        ``rank`` is out of range.
    """
    if not 1 <= rank <= network.dim:
        raise ValueError(f"rank must lie between 1 and the number of parameters {network.dim}, got {rank}")
    low = network.minimum()
    hessian = low.curvature().dense()
    directions = np.linalg.eigh(hessian)[1][:, ::-1][:, :rank]
    return Measurement(low, hessian, low.noise().dense(), directions)


def remeasure(network: Network, stored: xr.Dataset) -> Measurement:
    """Return the measurement at the minimum and in the directions of a store, in which a resumed sweep goes on."""
    low = network.at(stored["origin"].values)
    return Measurement(low, low.curvature().dense(), low.noise().dense(), stored["basis"].values)
