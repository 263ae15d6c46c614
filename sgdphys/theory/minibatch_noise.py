"""Gradient noise of least squares that grows with the distance from the minimum: its stationary covariance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.sgd import SGD

    Matrix = NDArray[np.float64]

__all__ = ["GAUSSIAN", "LARGEST_DIM", "distance_operator", "noise_with_distance", "second_moment_radius"]

GAUSSIAN = "gaussian"
LARGEST_DIM = 40  # the linear system has d^2 unknowns


def distance_operator(inputs: ArrayLike | str, hessian: Matrix, sgd: SGD, V: Matrix) -> Matrix:
    r"""Return K with :math:`K S = \langle x x^T S x x^T\rangle - A S A`, a matrix on the entries of S.

    Parameters
    ----------
    inputs
        The features x_i, (sample, d), or "gaussian" for fresh Gaussian ones, where
        :math:`K S = A S A + \mathrm{tr}(A S) A`.
    hessian
        A + wd I, (d, d), in loss/x^2.
    sgd
        Settings, for the weight decay that is taken off the Hessian of Gaussian features.
    V
        The eigenvectors of the Hessian in columns; K is given in their basis.

    Returns
    -------
    Matrix
        K, (d^2, d^2), symmetric, in loss^2/x^4.

    Raises
    ------
    ValueError
        There are too many coordinates, or the features do not belong to the Hessian.
    """
    dim = len(hessian)
    if dim > LARGEST_DIM:
        raise ValueError(f"the exact solution has d^2 unknowns and is limited to {LARGEST_DIM} coordinates, got {dim}")
    if isinstance(inputs, str):
        return _of_gaussian_features(inputs, hessian, sgd, V)
    X = _features(inputs, hessian) @ V
    pairs = (X[:, :, None] * X[:, None, :]).reshape(len(X), dim * dim)
    A = pairs.mean(axis=0).reshape(dim, dim)
    return np.asarray(pairs.T @ pairs / len(X) - np.kron(A, A))


def _of_gaussian_features(name: str, hessian: Matrix, sgd: SGD, V: Matrix) -> Matrix:
    if name != GAUSSIAN:
        raise ValueError(f"inputs must be an array (sample, d) or 'gaussian', got {name!r}")
    A = V.T @ hessian @ V - sgd.weight_decay * np.eye(len(hessian))
    if np.diag(A).min() < 0:
        raise ValueError(
            f"hessian must include sgd.weight_decay={sgd.weight_decay:g}, its smallest eigenvalue "
            f"{np.diag(A).min() + sgd.weight_decay:.6g} is below"
        )
    return np.asarray(np.kron(A, A) + np.outer(A, A))


def _features(inputs: ArrayLike, hessian: Matrix) -> Matrix:
    X = np.asarray(inputs, dtype=float)
    X = X[:, None] if X.ndim == 1 else X
    if X.ndim != 2 or X.shape[1] != len(hessian) or not X.size or not np.all(np.isfinite(X)):
        raise ValueError(f"inputs must be finite, of shape (sample, {len(hessian)}), got {X.shape}")
    rest = hessian - X.T @ X / len(X)
    if np.abs(rest - np.eye(len(rest)) * np.trace(rest) / len(rest)).max() > 1e-8 * np.abs(hessian).max():
        raise ValueError("hessian must be inputs.T @ inputs / n_samples plus weight_decay times the unit matrix")
    return X


def noise_with_distance(C: Matrix, K: Matrix, factors: Matrix) -> tuple[Matrix, float]:
    r"""Return the mean noise of the stationary state, Q = C + K S with S = factors o Q, and the second-moment radius.

    Parameters
    ----------
    C
        Gradient covariance at the minimum in the eigenbasis of the Hessian, (d, d), in loss^2/x^2.
    K
        What :func:`distance_operator` returns, (d^2, d^2).
    factors
        S_ij over the covariance of a sample's gradient, (d, d), all positive, in x^4/loss^2.

    Returns
    -------
    tuple[Matrix, float]
        Q, (d, d), in loss^2/x^2, and the radius.

    Raises
    ------
    ValueError
        The radius is 1 or more: the variance is infinite.
    """
    radius = second_moment_radius(K, factors)
    if radius >= 1:
        raise ValueError(
            "the stationary variance is infinite: the second-moment radius of the multiplicative noise is "
            f"{radius:.6g}, it must be below 1; use a smaller lr or a larger batch_size"
        )
    root = np.sqrt(factors).ravel()
    operator = root[:, None] * K * root[None, :]
    S = root * np.linalg.solve(np.eye(len(root)) - operator, root * C.ravel())
    return C + (K @ S).reshape(C.shape), radius


def second_moment_radius(K: Matrix, factors: Matrix) -> float:
    """Return the largest eigenvalue of S -> factors o K S; the stationary variance is finite where it is below 1."""
    # with D = sqrt(factors), D K D is symmetric and has the same eigenvalues
    root = np.sqrt(factors).ravel()
    return max(float(np.linalg.eigvalsh(root[:, None] * K * root[None, :])[-1]), 0.0)
