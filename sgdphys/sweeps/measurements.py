"""What a network sweep measures once: minimum, curvature, gradient noise, and the exact prediction that follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
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
        S in the eigenbasis of the Hessian, (d, d), stiffest direction first.
    rank
        Number of leading directions k.
    excess_loss
        tr(H S) / 2, in loss.
    """

    covariance: Array
    rank: int
    excess_loss: float

    @property
    def reduced(self) -> Array:
        """S in the leading directions, (k, k)."""
        return self.covariance[: self.rank, : self.rank]

    @cached_property
    def factor(self) -> Array:
        """F with F F' = S, (d, d); S may be singular."""
        return _factor(self.covariance)

    @cached_property
    def reduced_factor(self) -> Array:
        """The same of the reduced S, (k, k)."""
        return _factor(self.reduced)

    @property
    def entropy(self) -> float:
        """Entropy of the Gaussian in the leading directions, in nat."""
        return float(0.5 * np.linalg.slogdet(2 * np.pi * np.e * self.reduced)[1])


@dataclass(frozen=True)
class Measurement:
    """A network at its minimum, its curvature and gradient noise there, and its twin in the leading directions.

    Parameters
    ----------
    network
        At its minimum.
    eigenvalues
        Of the Hessian, (d,), falling.
    eigenvectors
        Its eigenvectors V, (d, d), in the same order.
    noise
        Gradient covariance V'CV, (d, d).
    rank
        Number of leading directions k.
    """

    network: Network
    eigenvalues: Array
    eigenvectors: Array
    noise: Array
    rank: int
    _predictions: dict[SGD, Prediction] = field(default_factory=dict, repr=False, compare=False)

    @property
    def directions(self) -> Array:
        """The leading eigenvectors, (d, k)."""
        return self.eigenvectors[:, : self.rank]

    def twin(self) -> Twin:
        """Return the quadratic landscape and the noise in the leading directions."""
        k, low = self.rank, self.network
        landscape = Quadratic(np.diag(self.eigenvalues[:k]), low.loss_value, low.parameters, self.directions)
        return Twin(landscape, Full(self.noise[:k, :k]))

    def predict(self, sgd: SGD) -> Prediction:
        """Return the stationary Gaussian at these settings; refuses those without one."""
        if sgd not in self._predictions:
            found = stationary_covariance(np.diag(self.eigenvalues), self.noise, sgd)
            covariance = found["stationary_covariance"].values
            excess_loss = float(0.5 * self.eigenvalues @ np.diagonal(covariance))
            self._predictions[sgd] = Prediction(covariance, self.rank, excess_loss)
        return self._predictions[sgd]

    def variables(self) -> dict[str, Any]:
        """Return what the store keeps of it, by schema name."""
        k = self.rank
        arrays: dict[str, tuple[Any, Any]] = {
            "origin": (schema.PARAMETER, self.network.parameters),
            "basis": ((schema.PARAMETER, schema.COORDINATE), self.directions),
            "curvature": (schema.COORDINATE, self.eigenvalues[:k]),
            "noise_covariance": ((schema.COORDINATE, "coordinate_2"), self.noise[:k, :k]),
            "minimum_loss": ((), self.network.loss_value),
            "minimum_hessian_trace": ((), float(self.eigenvalues.sum())),
            "minimum_largest_eigenvalue": ((), float(self.eigenvalues[0])),
        }
        return {name: (dims, values, schema.describe(name)) for name, (dims, values) in arrays.items()}


def _factor(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


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
        From dense matrices.

    Raises
    ------
    ValueError
        ``rank`` is out of range.
    """
    if not 1 <= rank <= network.dim:
        raise ValueError(f"rank must lie between 1 and the number of parameters {network.dim}, got {rank}")
    return _measured(network.minimum(), rank, None)


def remeasure(network: Network, stored: xr.Dataset) -> Measurement:
    """Return the measurement at the minimum and in the directions of a store, in which a resumed sweep goes on."""
    directions = stored["basis"].values
    return _measured(network.at(stored["origin"].values), directions.shape[1], directions)


def _measured(low: Network, rank: int, directions: Array | None) -> Measurement:
    eigenvalues, eigenvectors = np.linalg.eigh(low.curvature().dense())
    eigenvectors = np.ascontiguousarray(eigenvectors[:, ::-1])
    if directions is not None:
        eigenvectors[:, :rank] = (
            directions  # equal up to signs and rounding, of which the stored clouds know one choice
        )
    noise = eigenvectors.T @ low.noise().dense() @ eigenvectors
    return Measurement(low, eigenvalues[::-1], eigenvectors, noise, rank)
