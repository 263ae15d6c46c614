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
from sgdphys.theory.discrete_sgd import refuse_unstable

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.network import Network
    from sgdphys.sgd import SGD

    Array = NDArray[np.float64]

__all__ = ["Measurement", "Prediction", "measure", "remeasure"]


@dataclass(frozen=True)
class Prediction:
    """Second moments of the discrete map on the quadratic loss, started at the minimum, at chosen steps; exact there.

    Parameters
    ----------
    covariances
        In the leading directions, stiffest first, (step, k, k), in x^2.
    excess_losses
        tr(H S) / 2 over all directions, (step,), in loss.
    """

    covariances: Array
    excess_losses: Array

    @property
    def variances(self) -> Array:
        """In each leading direction, (step, k)."""
        return np.asarray(np.diagonal(self.covariances, axis1=1, axis2=2))

    @property
    def entropy(self) -> float:
        """Entropy of the Gaussian in the leading directions, in nat, averaged over the steps."""
        return float(0.5 * np.linalg.slogdet(2 * np.pi * np.e * self.covariances)[1].mean())


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

    @property
    def directions(self) -> Array:
        """The leading eigenvectors, (d, k)."""
        return self.eigenvectors[:, : self.rank]

    def twin(self) -> Twin:
        """Return the quadratic landscape and the noise in the leading directions."""
        k, low = self.rank, self.network
        landscape = Quadratic(np.diag(self.eigenvalues[:k]), low.loss_value, low.parameters, self.directions)
        return Twin(landscape, Full(self.noise[:k, :k]))

    def quadratic_forms(self, vectors: Array) -> Array:
        """Return v'Hv at the minimum for each of the vectors (count, d)."""
        return np.asarray((vectors @ self.eigenvectors) ** 2 @ self.eigenvalues)

    def predict(self, sgd: SGD, steps: ArrayLike) -> Prediction:
        r"""Return the exact moments after numbers of steps from the minimum, on the quadratic loss of constant noise.

        A batch gradient g moves direction i, m steps after the one that it entered, by :math:`r_i(m)`, so that

        .. math:: S_{ij}(k) = \frac{s\, C_{ij}}{B} \sum_{m < k} r_i(m)\, r_j(m);

        without momentum :math:`r_i(m) = -\mathrm{lr}\, (1 - \mathrm{lr}\, h_i)^m`, and S(k) is the stationary S times
        :math:`1 - (1 - \mathrm{lr}\, h_i)^k (1 - \mathrm{lr}\, h_j)^k`.

        Parameters
        ----------
        sgd
            Learning rate, batch size, momentum, sampling.
        steps
            Numbers of steps, rising, (step,).

        Returns
        -------
        Prediction
            At these steps.
        """
        squares, products = np.zeros(len(self.eigenvalues)), np.zeros((self.rank, self.rank))
        response = np.full_like(squares, -sgd.lr), np.ones_like(squares)
        batch_noise = self.noise * sgd.sampling_factor / sgd.batch_size
        reduced_noise, variances = batch_noise[: self.rank, : self.rank], np.diagonal(batch_noise)
        covariances, excess_losses, done = [], [], 0
        for step in np.atleast_1d(steps):
            for _ in range(done, int(step)):
                squares += response[0] ** 2
                products += np.outer(response[0][: self.rank], response[0][: self.rank])
                response = _next_response(response, self.eigenvalues, sgd)
            done = int(step)
            covariances.append(reduced_noise * products)
            excess_losses.append(0.5 * self.eigenvalues @ (variances * squares))
        return Prediction(np.array(covariances), np.array(excess_losses))

    def refuse_without_stationary_state(self, sgd: SGD) -> None:
        """Raise ValueError at settings that never settle on the quadratic loss."""
        refuse_unstable(self.eigenvalues, sgd, discrete=True)

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


def _next_response(response: tuple[Array, Array], eigenvalues: Array, sgd: SGD) -> tuple[Array, Array]:
    """Return displacement and velocity one step of the noise-free heavy ball later."""
    position, velocity = response
    velocity = sgd.momentum * velocity + eigenvalues * position
    return position - sgd.lr * velocity, velocity


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
