"""Gaussian noise of constant diffusion: isotropic, diagonal, full and low rank.

All hold the diffusion D, a gradient covariance in loss^2/x^2, never its root; the engine adds sqrt(2 T dt) B xi with
B B^T = D.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.checks import finite_number, number_array
from sgdphys.kernels import BlockTerm, KickKernel
from sgdphys.kernels.kicks import diagonal_kick, factor_kick, isotropic_kick
from sgdphys.noises.base import BlockNoise

__all__ = ["Diagonal", "Full", "Isotropic", "LowRank"]

Array = NDArray[np.float64]
_ISOTROPIC = KickKernel(isotropic_kick)
_DIAGONAL = KickKernel(diagonal_kick)
_FACTOR = KickKernel(factor_kick)


@dataclass(frozen=True)
class Isotropic(BlockNoise):
    """Noise of diffusion D = c 1.

    Parameters
    ----------
    c
        Variance of the gradient noise in every direction, in loss^2/x^2; not negative.

    Raises
    ------
    ValueError
        c is negative or not finite.
    """

    c: float = 1.0
    diagonal = True
    separable = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "c", finite_number("the diffusion c", self.c, sign="not negative"))

    def diffusion(self, x: Array) -> Array:
        """Return c times the unit matrix for each point of ``x`` (particle, coordinate)."""
        return np.broadcast_to(self.c * np.eye(x.shape[1]), (len(x), x.shape[1], x.shape[1]))

    def channels(self, dim: int) -> int:
        """Return the number of normals per kick, one per coordinate."""
        return dim

    def kick_term(self, dim: int) -> BlockTerm:  # noqa: ARG002
        """Return the kernel of the kick; it serves any number of coordinates."""
        return BlockTerm(_ISOTROPIC, np.array([np.sqrt(self.c)]))

    def configuration(self) -> dict[str, Any]:
        """Return name and arguments."""
        return {"noise": "Isotropic", "c": float(self.c)}


@dataclass(frozen=True, eq=False)
class Diagonal(BlockNoise):
    """Noise of diffusion D = diag(c).

    Parameters
    ----------
    c
        Variances of the gradient noise, shape (coordinate,), in loss^2/x^2; none negative.

    Raises
    ------
    ValueError
        c is not one-dimensional, or holds a negative or non-finite number.
    """

    c: ArrayLike
    diagonal = True
    separable = True

    def __post_init__(self) -> None:
        values = _frozen(self.c)
        if values.ndim != 1 or len(values) == 0:
            raise ValueError(f"c must have shape (coordinate,), got shape {values.shape}; for one value use Isotropic")
        if not (np.all(np.isfinite(values)) and np.all(values >= 0)):
            raise ValueError(f"the diffusion must be finite and not negative, got {_extreme(values)}")
        object.__setattr__(self, "c", values)

    def __repr__(self) -> str:
        values = np.asarray(self.c)
        return _short("Diagonal", values, f"dim={len(values)}, c from {values.min():.3g} to {values.max():.3g}")

    def diffusion(self, x: Array) -> Array:
        """Return diag(c) for each point of ``x`` (particle, coordinate)."""
        return _repeated(np.diag(np.asarray(self.c)), x)

    def channels(self, dim: int) -> int:
        """Return the number of normals per kick, one per coordinate."""
        return dim

    def kick_term(self, dim: int) -> BlockTerm:
        """Return the kernel of the kick.

        Returns
        -------
        BlockTerm
            Kernel and the entries of the root B.

        Raises
        ------
        ValueError
            The number of coordinates is another one.
        """
        values = np.asarray(self.c)
        _check_dim("Diagonal", len(values), dim)
        return BlockTerm(_DIAGONAL, np.sqrt(values))

    def configuration(self) -> dict[str, Any]:
        """Return name and arguments."""
        return {"noise": "Diagonal", "c": np.asarray(self.c).tolist()}


@dataclass(frozen=True, eq=False)
class Full(BlockNoise):
    """Noise of any constant diffusion matrix D, positive semi-definite.

    Parameters
    ----------
    matrix
        Covariance of the gradient noise, shape (coordinate, coordinate), in loss^2/x^2.

    Raises
    ------
    ValueError
        The matrix is not square, not symmetric, not finite, or has a negative eigenvalue beyond rounding.
    """

    matrix: ArrayLike

    def __post_init__(self) -> None:
        values = _frozen(self.matrix)
        if values.ndim != 2 or values.shape[0] != values.shape[1] or len(values) == 0:
            raise ValueError(f"the diffusion matrix must be square, got shape {values.shape}")
        if not np.all(np.isfinite(values)):
            raise ValueError("the diffusion matrix must be finite, it holds NaN or infinity")
        if not np.allclose(values, values.T, rtol=1e-10, atol=1e-12 * np.abs(values).max()):
            raise ValueError(
                f"the diffusion matrix must be symmetric, it differs by {np.abs(values - values.T).max():.3g}"
            )
        object.__setattr__(self, "matrix", values)
        smallest, largest = self._decomposition[0][[0, -1]]
        if smallest < -1e-10 * max(largest, 0.0) or largest < 0:
            raise ValueError(
                f"the diffusion matrix must be positive semi-definite, its smallest eigenvalue is {smallest:.3g}"
            )

    def __repr__(self) -> str:
        matrix = np.asarray(self.matrix)
        return _short("Full", matrix, f"dim={len(matrix)}, trace {np.trace(matrix):.3g}")

    @functools.cached_property
    def _decomposition(self) -> tuple[Array, Array]:
        matrix = np.asarray(self.matrix)
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        return values, vectors

    @property
    def factor(self) -> Array:
        """A root B with B B^T = D, square: Cholesky's where D is definite, else from its eigenvectors."""
        values, vectors = self._decomposition
        if values[0] > 1e-12 * values[-1]:
            return np.linalg.cholesky(np.asarray(self.matrix))
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))

    def diffusion(self, x: Array) -> Array:
        """Return D for each point of ``x`` (particle, coordinate)."""
        return _repeated(np.asarray(self.matrix), x)

    def channels(self, dim: int) -> int:
        """Return the number of normals per kick, one per coordinate."""
        return dim

    def kick_term(self, dim: int) -> BlockTerm:
        """Return the kernel of the kick.

        Returns
        -------
        BlockTerm
            Kernel and the entries of the root B.

        Raises
        ------
        ValueError
            The number of coordinates is another one.
        """
        _check_dim("Full", len(np.asarray(self.matrix)), dim)
        return BlockTerm(_FACTOR, np.ascontiguousarray(self.factor).ravel())

    def configuration(self) -> dict[str, Any]:
        """Return the name, and the entries of a small matrix."""
        matrix = np.asarray(self.matrix)
        return {"noise": "Full", "matrix": _listed(matrix)}


@dataclass(frozen=True, eq=False)
class LowRank(BlockNoise):
    """Noise of diffusion D = B B^T from its factor B.

    Parameters
    ----------
    factor
        B, shape (coordinate, channel), in loss/x; fewer channels than coordinates make D singular.

    Raises
    ------
    ValueError
        The factor is not a matrix or not finite.
    """

    factor: ArrayLike

    def __post_init__(self) -> None:
        values = _frozen(self.factor)
        if values.ndim != 2 or 0 in values.shape:
            raise ValueError(f"the factor must have shape (coordinate, channel), got shape {values.shape}")
        if not np.all(np.isfinite(values)):
            raise ValueError("the factor must be finite, it holds NaN or infinity")
        object.__setattr__(self, "factor", values)

    def __repr__(self) -> str:
        factor = np.asarray(self.factor)
        return _short("LowRank", factor, f"dim={len(factor)}, rank {factor.shape[1]}, trace {np.sum(factor**2):.3g}")

    def diffusion(self, x: Array) -> Array:
        """Return B B^T for each point of ``x`` (particle, coordinate)."""
        values = np.asarray(self.factor)
        return _repeated(values @ values.T, x)

    def channels(self, dim: int) -> int:  # noqa: ARG002
        """Return the number of normals per kick, the columns of the factor."""
        return int(np.shape(self.factor)[1])

    def kick_term(self, dim: int) -> BlockTerm:
        """Return the kernel of the kick.

        Returns
        -------
        BlockTerm
            Kernel and the entries of the root B.

        Raises
        ------
        ValueError
            The number of coordinates is another one.
        """
        _check_dim("LowRank", len(np.asarray(self.factor)), dim)
        return BlockTerm(_FACTOR, np.asarray(self.factor).ravel())

    def configuration(self) -> dict[str, Any]:
        """Return the name, and the entries of a small factor."""
        return {"noise": "LowRank", "factor": _listed(np.asarray(self.factor))}


def _short(name: str, values: Array, outline: str) -> str:
    return f"{name}({values.tolist() if values.size <= 9 else outline})"


def _frozen(values: ArrayLike) -> Array:
    array = number_array("the diffusion", values)
    array.setflags(write=False)
    return array


def _repeated(matrix: Array, x: Array) -> Array:
    if x.shape[1] != len(matrix):
        raise ValueError(f"the noise has {len(matrix)} coordinates, the points have {x.shape[1]}")
    return np.broadcast_to(matrix, (len(x), *matrix.shape))


def _check_dim(name: str, own: int, dim: int) -> None:
    if own != dim:
        raise ValueError(f"noise {name} has {own} coordinates, the landscape has {dim}: they must be equal")


def _extreme(values: Array) -> float:
    finite = np.isfinite(values)
    return float(values.min()) if finite.all() else float(values[~finite][0])


def _listed(matrix: Array) -> Any:
    return matrix.tolist() if matrix.size <= 100 else {"shape": list(matrix.shape), "trace": float(np.trace(matrix))}
