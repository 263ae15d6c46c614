"""SGD on a quadratic loss as a linear map: two numbers for each eigenvector of the Hessian, position and velocity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgdphys.checks import number_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from sgdphys.sgd import SGD

    Matrix = NDArray[np.float64]

__all__ = [
    "kick_factors", "kick_states", "pair_covariances", "powers", "refuse_flat", "refuse_unstable", "spectral_radius",
    "square_matrix", "step_map", "step_roots", "stiffness_limit", "symmetric_matrix", "symmetric_pair",
]  # fmt: skip


def step_map(curvatures: Matrix, sgd: SGD) -> tuple[Matrix, Matrix]:
    r"""Return the matrices P and the vector q of a step z -> P z + q xi of each mode, z = (x, lr v).

    The batch gradient h x + xi enters as in torch, :math:`v \leftarrow \mu v + (1-\tau) g`, and the position moves by
    ``-lr v``, or by :math:`-\mathrm{lr} (g + \mu v)` with Nesterov's momentum. Without momentum v is g.

    Parameters
    ----------
    curvatures
        Eigenvalues h of the Hessian, (mode,), in loss/x^2.
    sgd
        Learning rate, momentum, dampening, ``nesterov``.

    Returns
    -------
    tuple[Matrix, Matrix]
        P, (mode, 2, 2), without unit, and q, (2,), in x^2/loss; q is the same for all modes.
    """
    mu = sgd.momentum
    kept = 1 - sgd.dampening
    look, carry = (1 + mu * kept, mu**2) if sgd.nesterov else (kept, mu)
    stiffness = sgd.lr * np.asarray(curvatures, dtype=float)
    P = np.empty((len(stiffness), 2, 2))
    P[:, 0, 0], P[:, 0, 1] = 1 - look * stiffness, -carry
    P[:, 1, 0], P[:, 1, 1] = kept * stiffness, mu
    return P, sgd.lr * np.array([-look, kept])


def pair_covariances(P: Matrix, Q: Matrix) -> Matrix:
    """Return Z with Z_ij = P_i Z_ij P_j^T + Q_ij for all pairs of modes, shape (mode, mode, 2, 2)."""
    Z = np.empty((len(P), len(P), 2, 2))
    for row, first in enumerate(P):
        system = np.eye(4) - np.einsum("ab,jcd->jacbd", first, P).reshape(-1, 4, 4)
        Z[row] = np.linalg.solve(system, Q[row].reshape(-1, 4, 1)).reshape(-1, 2, 2)
    return Z


def kick_states(curvatures: Matrix, sgd: SGD) -> Matrix:
    """Return the stationary covariance of (x, lr v) between modes for gradient noise of unit covariance.

    Parameters
    ----------
    curvatures
        Eigenvalues of the Hessian, (mode,), in loss/x^2.
    sgd
        Settings of a map whose mean settles.

    Returns
    -------
    Matrix
        The factors of the covariance of the batch gradient, (mode, mode, 2, 2), in x^4/loss^2.
    """
    P, q = step_map(curvatures, sgd)
    return pair_covariances(P, np.broadcast_to(np.outer(q, q), (len(P), len(P), 2, 2)))


def kick_factors(curvatures: Matrix, sgd: SGD) -> tuple[Matrix, Matrix]:
    """Return the factors of the position, in x^4/loss^2, and of the velocity v, without unit; each (mode, mode)."""
    Z = kick_states(curvatures, sgd)
    return Z[..., 0, 0], Z[..., 1, 1] / sgd.lr**2


def powers(P: Matrix, exponents: Sequence[int]) -> list[Matrix]:
    """Return powers of the step of each mode, (mode, 2, 2) for each exponent."""
    return [np.asarray(np.linalg.matrix_power(P, exponent)) for exponent in exponents]


def step_roots(curvatures: Matrix, sgd: SGD) -> NDArray[np.complex128]:
    """Return the two eigenvalues of the step of each mode, (mode, root), the slower one first."""
    P, _ = step_map(curvatures, sgd)
    half = (P[:, 0, 0] + P[:, 1, 1]) / 2
    determinant = P[:, 0, 0] * P[:, 1, 1] - P[:, 0, 1] * P[:, 1, 0]
    root = np.sqrt((half**2 - determinant).astype(complex))
    larger = np.where(half < 0, half - root, half + root)
    return np.stack([larger, 2 * half - larger], axis=1)


def spectral_radius(curvatures: Matrix, sgd: SGD) -> float:
    """Return the largest absolute eigenvalue of the step: how slowly the mean relaxes."""
    return float(np.abs(step_roots(curvatures, sgd)).max())


def stiffness_limit(sgd: SGD) -> tuple[float, str]:
    """Return the bound on lr times a curvature below which the mean settles, and its formula."""
    mu = sgd.momentum
    if sgd.nesterov:
        return 2 * (1 + mu) / (1 + 2 * mu), "2 (1 + momentum) / (1 + 2 momentum)"
    if sgd.dampening:
        return 2 * (1 + mu) / (1 - sgd.dampening), "2 (1 + momentum) / (1 - dampening)"
    return 2 * (1 + mu), "2 (1 + momentum)"


def refuse_flat(curvatures: Matrix) -> None:
    """Raise ValueError when a curvature is not positive.

    Raises
    ------
    ValueError
        A curvature is zero or negative.
    """
    if curvatures.min() <= 0:
        raise ValueError(
            f"the smallest eigenvalue of the Hessian is {curvatures.min():.6g}; a stationary state needs all of them "
            "positive (weight decay, or the leading directions alone)"
        )


def refuse_unstable(curvatures: Matrix, sgd: SGD, *, discrete: bool) -> None:
    """Raise ValueError when the mean motion does not settle.

    Raises
    ------
    ValueError
        A curvature is not positive, or the step is too long for the largest one.
    """
    refuse_flat(curvatures)
    stiffness, (limit, formula) = sgd.lr * curvatures.max(), stiffness_limit(sgd)
    if discrete and stiffness >= limit:
        radius = spectral_radius(curvatures, sgd)
        raise ValueError(
            f"lr * lambda_max = {stiffness:.6g} must be below {formula} = {limit:.6g} "
            f"(spectral radius {radius:.6g}); use lr below {limit / curvatures.max():.6g}"
        )


def symmetric_pair(hessian: ArrayLike, covariance: ArrayLike) -> tuple[Matrix, Matrix]:
    """Return Hessian and gradient covariance as arrays of the same shape.

    Returns
    -------
    tuple[Matrix, Matrix]
        Both, float64.

    Raises
    ------
    ValueError
        One of them is not a finite symmetric matrix, the covariance has a negative eigenvalue, or the shapes differ.
    """
    H, C = symmetric_matrix("hessian", hessian), symmetric_matrix("covariance", covariance)
    if H.shape != C.shape:
        raise ValueError(f"hessian and covariance must have the same shape, got {H.shape} and {C.shape}")
    smallest = float(np.linalg.eigvalsh(C)[0])
    if smallest < -1e-6 * np.abs(C).max():
        raise ValueError(f"covariance must be positive semi-definite, its smallest eigenvalue is {smallest:.3g}")
    return H, C


def symmetric_matrix(name: str, values: ArrayLike) -> Matrix:
    """Return a finite symmetric matrix as a float64 array.

    Returns
    -------
    Matrix
        The matrix, (d, d).

    Raises
    ------
    ValueError
        It is not square, not finite or not symmetric; the message calls it ``name``.
    """
    matrix = square_matrix(name, values)
    if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-12 * np.abs(matrix).max()):
        raise ValueError(f"{name} must be symmetric, its largest asymmetry is {np.abs(matrix - matrix.T).max():.3g}")
    return matrix


def square_matrix(name: str, values: ArrayLike) -> Matrix:
    """Return a finite square matrix as a float64 array.

    Returns
    -------
    Matrix
        The matrix, (d, d).

    Raises
    ------
    ValueError
        It is not square or not finite; the message calls it ``name``.
    """
    matrix = number_array(name, values)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"{name} must be a finite square matrix, got shape {matrix.shape}")
    if not np.all(np.isfinite(matrix)):
        raise ValueError(f"{name} must be a finite square matrix, got {matrix[~np.isfinite(matrix)][0]}")
    return matrix
