"""The weight with which a current is the entropy produced along a path of a linear process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve_continuous_lyapunov, solve_discrete_lyapunov

from sgdphys.checks import finite_number, number_array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sgdphys.protocols import Array

__all__ = ["entropy_production_weight"]


def entropy_production_weight(drift: ArrayLike, diffusion: ArrayLike, *, dt: float | None = None) -> Array:
    r"""Return W with which :math:`s = \int (W x) \circ dx` is the total entropy produced in the stationary state.

    For dx = -A x dt + sqrt(2 D) dW with the stationary covariance S, the local mean velocity over the diffusion,

    .. math:: W = -D^{-1} Q S^{-1}, \qquad Q = A S - D, \qquad A S + S A^T = 2 D .

    For the chain x' = M x + noise, M = 1 - dt A and noise covariance V = 2 dt D, the sum of
    :math:`\ln p(x'|x)\,p_{ss}(x) - \ln p(x|x')\,p_{ss}(x')` over the steps is a current too, with midpoints,

    .. math:: W = V^{-1} M - M^T V^{-1} + S^{-1} - V^{-1} + M^T V^{-1} M, \qquad S = M S M^T + V ,

    whose <exp(-s)> is exactly 1 at any dt. Give it to ``observers.Currents(weight=W)``.

    Parameters
    ----------
    drift
        A (coordinate, coordinate), in loss/x^2; the Hessian for SGD.
    diffusion
        D with the temperature in it, T C for SGD, symmetric and positive, in x^2 over time.
    dt
        None for the process, its time step (learning rate) for the chain.

    Returns
    -------
    Array
        W (coordinate, coordinate), in 1/x^2.

    Raises
    ------
    ValueError
        A matrix is not square and finite, the diffusion is not symmetric and positive, or there is no stationary state.

    References
    ----------
    Seifert 2005, Phys. Rev. Lett. 95, 040602; Gaspard 2004, J. Stat. Phys. 117, 599, for chains.
    """
    A, D = _square("drift", drift), _square("diffusion", diffusion)
    if A.shape != D.shape:
        raise ValueError(f"drift and diffusion must have one shape, got {A.shape} and {D.shape}")
    smallest, largest = np.linalg.eigvalsh(D)[[0, -1]]
    if not np.allclose(D, D.T, rtol=1e-9, atol=0) or smallest <= 1e-13 * largest:
        raise ValueError(
            f"diffusion must be symmetric and positive, got eigenvalues from {smallest:.3g}: along a direction without "
            "noise the entropy production is infinite or not defined"
        )
    if dt is None:
        eigenvalues = np.linalg.eigvals(A)
        if eigenvalues.real.min() <= 1e-14 * np.abs(eigenvalues).max():
            raise ValueError("drift must confine: an eigenvalue of A has no positive real part")
        S = solve_continuous_lyapunov(A, 2 * D)
        return np.asarray(-np.linalg.solve(D, A @ S - D) @ np.linalg.inv(S))
    return _of_chain(A, D, finite_number("dt", dt, sign="positive"))


def _of_chain(A: Array, D: Array, dt: float) -> Array:
    M = np.eye(len(A)) - dt * A
    radius = float(np.abs(np.linalg.eigvals(M)).max())
    if radius >= 1:
        raise ValueError(f"the chain does not settle at dt={dt:g}: 1 - dt A has an eigenvalue of size {radius:.6g}")
    noise = np.linalg.inv(2 * dt * D)
    covariance = solve_discrete_lyapunov(M, 2 * dt * D)
    return np.asarray(noise @ M - M.T @ noise + np.linalg.inv(covariance) - noise + M.T @ noise @ M)


def _square(name: str, values: ArrayLike) -> Array:
    matrix = np.atleast_2d(number_array(name, values))
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.all(np.isfinite(matrix)):
        raise ValueError(f"{name} must be a finite square matrix, got the shape {matrix.shape}")
    return matrix
