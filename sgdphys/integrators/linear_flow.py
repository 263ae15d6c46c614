"""The exact solution of a linear stochastic differential equation over a time step."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sgdphys.protocols import Landscape, Noise

__all__ = ["LinearFlow", "constant_hessian", "kick_root"]

Array = NDArray[np.float64]
PROBES = np.array([[0.7, -0.4, 1.3], [-2.1, 0.9, 0.2], [30.0, -17.0, 5.0]])  # points that tell a parabola


def constant_hessian(landscape: Landscape) -> Array | None:
    """Return the Hessian of a landscape that is a parabola by its making, else None.

    That is one with ``matrix`` (as ``landscapes.Quadratic``) or ``slope`` (a ramp), and sums and multiples of those,
    whose gradient at some points is that of the parabola indeed.

    Returns
    -------
    Array or None
        H, shape (coordinate, coordinate).
    """
    hessian = _hessian_of(landscape)
    if hessian is None:
        return None
    points = PROBES[:, np.arange(landscape.dim) % 3] * (1.0 + np.arange(landscape.dim) // 3 % 2)
    slope = landscape.gradient(np.zeros((1, landscape.dim)))
    expected: Array = points @ hessian + slope
    agrees = np.allclose(landscape.gradient(points), expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
    return hessian if agrees else None


def _hessian_of(part: Any) -> Array | None:
    dim = part.dim
    if hasattr(part, "weighted"):
        parts = [(_hessian_of(each), factor) for each, factor in part.weighted]
        known = [factor * hessian for hessian, factor in parts if hessian is not None]
        return np.asarray(sum(known, np.zeros((dim, dim)))) if len(known) == len(parts) else None
    if hasattr(part, "matrix") and np.shape(part.matrix) == (dim, dim):
        return np.asarray(part.matrix, dtype=np.float64)
    return np.zeros((dim, dim)) if hasattr(part, "slope") and np.shape(part.slope) == (dim,) else None


def kick_root(noise: Noise, dim: int) -> Array:
    """Return B of a constant noise, (coordinate, channel): its kicks of one channel at a time."""
    term: Any = noise.kick_term(dim)
    channels = noise.channels(dim)
    zeros = np.zeros((dim, channels))
    work = np.zeros((getattr(noise, "work_rows", lambda _dim: 0)(dim), channels))
    root = np.zeros((dim, channels))
    parameters = np.array(term.parameters, dtype=np.float64).ravel()
    term.kernel.compiled(np.eye(channels, dtype=np.float32), zeros, parameters, float(term.factor), work, zeros, root)
    return root


@dataclass(frozen=True, eq=False)
class LinearFlow:
    r"""Flow of :math:`dx = -(H x + c)\,dt + \sqrt{2 T}\,B\,dW` with symmetric H.

    In the eigenbasis of H everything is a number for each pair of its eigenvalues, so that nothing overflows or
    cancels at any dt, as blocks of :math:`e^{+H dt}` in Van Loan's method would.

    Parameters
    ----------
    hessian
        H, shape (coordinate, coordinate), of any sign.
    slope
        c, shape (coordinate,).
    root
        B, shape (coordinate, channel); B B^T may be singular and need not commute with H.
    """

    hessian: Array
    slope: Array
    root: Array

    @property
    def sets(self) -> int:
        """Normals for each channel that a step needs: together as many as there are coordinates."""
        dim, channels = self.root.shape
        return int(-(-dim // channels))

    @functools.cached_property
    def _modes(self) -> tuple[Array, Array]:
        values, vectors = np.linalg.eigh((self.hessian + self.hessian.T) / 2)
        return np.asarray(values), np.asarray(vectors)

    @functools.cached_property
    def _known(self) -> dict[float, Array]:
        return {}

    def numbers(self, dt: float) -> Array:
        """Return shift s, propagator E and root R of a step x <- s + E x + sqrt(2 T dt) R xi, one after the other."""
        if dt not in self._known:
            values, vectors = self._modes
            propagator = (vectors * np.exp(-values * dt)) @ vectors.T
            shift = -dt * (vectors * _relative_decay(values * dt)) @ (vectors.T @ self.slope)
            self._known[dt] = np.concatenate([shift, propagator.ravel(), self.kick(dt).ravel()])
        return self._known[dt]

    def covariance(self, dt: float) -> Array:
        r"""Return :math:`\frac1{dt}\int_0^{dt} e^{-H s} B B^T e^{-H s} ds`, shape (coordinate, coordinate)."""
        values, vectors = self._modes
        turned = vectors.T @ self.root
        decay = _relative_decay(np.add.outer(values, values) * dt)
        covariance = vectors @ (turned @ turned.T * decay) @ vectors.T
        return np.asarray((covariance + covariance.T) / 2)

    def kick(self, dt: float) -> Array:
        r"""Return a root R of the covariance, (coordinate, deviate): the one closest to the effect of B itself.

        Of all roots S P with P P^T = 1 it has the largest overlap with :math:`\frac1{dt}\int_0^{dt} e^{-H s} ds\,B`,
        how the increments of the Wiener process act on x (orthogonal Procrustes problem). Hence paths tend to those
        of Euler-Maruyama with the same normals as dt falls.

        Returns
        -------
        Array
            R with R R^T the covariance.
        """
        values, vectors = self._modes
        squares, axes = np.linalg.eigh(self.covariance(dt))
        square_root = axes * np.sqrt(np.maximum(squares, 0.0))
        response = (vectors * _relative_decay(values * dt)) @ (vectors.T @ self.root)
        missing = self.sets * self.root.shape[1] - self.root.shape[1]
        padded = np.pad(response, [(0, 0), (0, missing)])
        left, _, right = np.linalg.svd(square_root.T @ padded, full_matrices=False)
        return np.asarray(square_root @ left @ right)


def _relative_decay(z: Array) -> Array:
    """Return (1 - exp(-z))/z, 1 at z = 0."""
    safe = np.where(z == 0, 1.0, z)
    return np.where(z == 0, 1.0, -np.expm1(-safe) / safe)
