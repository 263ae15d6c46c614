"""Curvature and gradient noise at the network's point, along the leading directions and as a whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sgdphys.analysis import noise_moments
from sgdphys.network.batches import take
from sgdphys.network.noise.gradient_noise import GradientNoise
from sgdphys.network.twins.drift import warn_of_drift

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from sgdphys.network.problem import Network

    Array = NDArray[np.float64]

__all__ = ["Surroundings", "surroundings_of"]

_MOST_SAMPLES = 2048  # whose Gram matrix gives spectrum and participation ratio
_FEWEST_SAMPLES = 4  # for moments without bias
_FLAT = 1e-9  # of the largest curvature, below which a direction does not confine
_SILENT = (
    1e-6  # of the largest variance of the noise, below which a direction has none worth a theory of constant noise
)
_PROBES = 30
_PRODUCTS = 150  # with the Hessian, at most, in search of its smallest eigenvalue
_ROUNDING = 1e-6  # of the largest curvature, below which the sign of one is not known


@dataclass(frozen=True)
class Surroundings:
    """What the theory needs of a network at its point.

    Parameters
    ----------
    curvatures
        Leading eigenvalues of the Hessian that are positive, (k,), falling, in loss/x^2.
    directions
        Their eigenvectors V, (d, k).
    samples
        Centred gradients of all samples along V, (N, k), in loss/x.
    moments
        ``noise_trace``, ``participation_ratio`` and others, with errors where only some samples were taken; None below
        four samples.
    eigenvalues
        Spectrum of C (mode,), from the same samples, in loss^2/x^2.
    alignment
        ``escape_ratio``, ``alignment_cosine``, with errors.
    pull
        Norm of the gradient over the root of tr C; 0 at a minimum.
    lowest
        Smallest eigenvalue of the Hessian that was found, over the largest, and its error: negative at a saddle.
    """

    curvatures: Array
    directions: Array
    samples: Array
    moments: xr.Dataset | None
    eigenvalues: Array
    alignment: xr.Dataset
    pull: float
    lowest: tuple[float, float]

    @property
    def covariance(self) -> Array:
        """V'CV, (k, k), in loss^2/x^2."""
        product = self.samples.T @ self.samples / len(self.samples)
        return np.asarray((product + product.T) / 2)

    def leading(self, count: int) -> Surroundings:
        """Return the same along the first ``count`` directions alone."""
        return replace(
            self,
            curvatures=self.curvatures[:count],
            directions=self.directions[:, :count],
            samples=self.samples[:, :count],
        )


def surroundings_of(network: Network, rank: int, seed: int) -> Surroundings:
    """Measure a network at its point, without any matrix of d rows and columns.

    Parameters
    ----------
    network
        At its point.
    rank
        Leading directions of the Hessian to look at.
    seed
        Of start vectors, probes and the choice of samples.

    Returns
    -------
    Surroundings
        Everything along the directions of positive curvature, and with noise, among them.

    Raises
    ------
    ValueError
        No direction has a positive curvature, or the samples' gradients are all the same but for rounding.

    Warns
    -----
    RuntimeWarning
        The network is not at a minimum.
    """
    curvature, noise = network.curvature(), network.noise()
    leading = curvature.top(min(rank, network.dim), seed=seed)
    values = leading["eigenvalue"].values.astype(np.float64)
    confining = values > _FLAT * max(float(np.abs(values).max()), np.finfo(float).tiny)
    if not confining.any():
        raise ValueError(
            f"the largest eigenvalue of the Hessian is {values[0]:.3g}: without a direction that confines there is no "
            "stationary state; call minimum() first"
        )
    directions = leading["eigenvector"].values[:, confining].astype(np.float64)
    samples = np.asarray(noise.along(directions), dtype=np.float64)
    noisy = _noisy(samples)
    values, directions, samples = values[confining][noisy], directions[:, noisy], samples[:, noisy]
    covariance = samples.T @ samples / len(samples)
    _refuse_without_noise(network, float(values[0]), covariance)
    warn_of_drift(network, directions, covariance, "the theory leaves it out", 6)
    moments, eigenvalues = _noise_as_a_whole(network, seed)
    trace = max(float(np.trace(covariance)), float(eigenvalues.sum()), np.finfo(float).tiny)
    pull = float(np.linalg.norm(network.gradient())) / trace**0.5
    count = int(confining.sum())
    alignment = curvature.alignment(noise, count, n_probes=_PROBES if network.dim > _PROBES else None, seed=seed)
    lowest = _lowest(curvature, float(values[0]), seed)
    return Surroundings(values, directions, samples, moments, eigenvalues, alignment, pull, lowest)


def _refuse_without_noise(network: Network, stiffness: float, covariance: Array) -> None:
    """Refuse noise that is no more than the rounding of the parameters makes of the gradient."""
    rounding = torch.finfo(network.objective.model.initial.dtype).eps * float(np.linalg.norm(network.parameters))
    if float(np.trace(covariance)) ** 0.5 <= 100 * stiffness * rounding:
        raise ValueError(
            "the gradient noise is 0 at this point: all samples have the same gradient, and SGD is gradient descent; "
            "noise of labels, or weight decay, keeps it away from 0"
        )


def _noisy(samples: Array) -> NDArray[np.bool_]:
    """Return the directions with noise: along the others nothing moves, and there is nothing to compare."""
    sizes = np.mean(samples**2, axis=0)
    return np.asarray(sizes > _SILENT * sizes.max()) if sizes.max() > 0 else np.ones(len(sizes), bool)


def _lowest(curvature: Any, largest: float, seed: int) -> tuple[float, float]:
    found = curvature.top(1, end="smallest", tolerance=_ROUNDING, max_iterations=_PRODUCTS, seed=seed)
    value, residual = (float(found[name].values[0]) / largest for name in ("eigenvalue", "residual_norm"))
    return value, max(residual, _ROUNDING)


def _noise_as_a_whole(network: Network, seed: int) -> tuple[xr.Dataset | None, Array]:
    objective, count = network.objective, min(network.n_samples, _MOST_SAMPLES)
    if count < network.n_samples:
        generator = torch.Generator().manual_seed(seed)
        rows = torch.randperm(network.n_samples, generator=generator)[:count].sort().values.to(network.device)
        objective = replace(objective, inputs=take(objective.inputs, rows), targets=take(objective.targets, rows))
    gram: Any = np.asarray(GradientNoise(objective, network.noise().point).gram(), dtype=np.float64)
    values = np.maximum(np.linalg.eigvalsh(gram / count)[::-1], 0.0)
    moments = noise_moments(gram, network.n_samples) if count >= _FEWEST_SAMPLES else None
    return moments, np.asarray(values[: max(min(count - 1, network.dim), 1)])
