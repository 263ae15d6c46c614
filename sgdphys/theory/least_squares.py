"""SGD on least squares with a finite data set, solved exactly: its noise grows with the distance."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.theory.discrete_sgd import heavy_ball_factors, refuse_unstable, spectral_radius, stationary_covariance

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.sgd import SGD

    Matrix = NDArray[np.float64]

__all__ = ["exact_sgd_covariance"]

_LARGEST_DIM = 40  # the linear system has d^2 unknowns


def exact_sgd_covariance(inputs: ArrayLike, targets: ArrayLike, sgd: SGD) -> xr.Dataset:
    r"""Return the exact stationary covariance of SGD on least squares.

    The loss is half the squared residual,
    :math:`f(w) = \frac1{2N} \sum_i (y_i - x_i^T w)^2 + \frac{\mathrm{wd}}2 |w|^2` with the weight decay of ``sgd``. The
    covariance of the per-sample gradients depends on the position, so that on average over the stationary state

    .. math:: Q(S) = \frac1N \sum_i x_i x_i^T S x_i x_i^T - A S A + C, \quad A = \frac1N \sum_i x_i x_i^T,

    with C their covariance at the minimum. S solves
    :math:`S = (I - \mathrm{lr} H) S (I - \mathrm{lr} H) + \frac{\mathrm{lr}^2 s}{B} Q(S)`, or its heavy-ball form, with
    H = A + wd I and the sampling factor s.

    Parameters
    ----------
    inputs
        x_i, (sample, d) or (sample,) for one coordinate; at most 40 coordinates.
    targets
        y_i, (sample,).
    sgd
        Learning rate, batch size, momentum, weight decay, sampling; ``n_samples`` is taken from the data.

    Returns
    -------
    xr.Dataset
        ``stationary_covariance``, ``velocity_covariance`` (of the heavy-ball velocity), ``lyapunov`` and ``additive``
        for comparison (the continuous limit, and the discrete map with the noise of the minimum everywhere),
        ``hessian``, ``gradient_covariance`` C, all (coordinate, coordinate_2); ``minimum`` (coordinate);
        ``spectral_radius`` of the mean and ``second_moment_radius`` of the multiplicative part, both below 1.

    Raises
    ------
    ValueError
        The data do not fit, the mean does not settle, the variance is infinite, or the sampling is ``"shuffle"``.

    References
    ----------
    Ziyin, Liu, Mori, Ueda 2022 (arXiv 2102.05375), for fresh Gaussian data; here for a finite data set.
    """
    X, y, sgd = _checked(inputs, targets, sgd)
    A = X.T @ X / len(X)
    H = A + sgd.weight_decay * np.eye(len(A))
    curvatures, V = np.linalg.eigh(H)
    refuse_unstable(curvatures, sgd, discrete=True)
    minimum = np.linalg.solve(H, X.T @ y / len(X))
    gradients = X * (X @ minimum - y)[:, None]
    C = np.cov(gradients, rowvar=False, bias=True).reshape(A.shape)
    noise = sgd.sampling_factor / sgd.batch_size
    S, radius = _solve(X @ V, V.T @ C @ V, heavy_ball_factors(curvatures, sgd) * noise)
    velocity = S * (curvatures[:, None] + curvatures[None, :]) / (sgd.lr * (1 + sgd.momentum))
    matrices = {
        "stationary_covariance": V @ S @ V.T,
        "velocity_covariance": V @ velocity @ V.T,
        "lyapunov": stationary_covariance(H, C, sgd, "lyapunov")["stationary_covariance"].values,
        "additive": stationary_covariance(H, C, sgd, "discrete")["stationary_covariance"].values,
        "hessian": H,
        "gradient_covariance": C,
    }
    numbers = {"spectral_radius": spectral_radius(curvatures, sgd), "second_moment_radius": radius}
    dims = (schema.COORDINATE, "coordinate_2")
    return xr.Dataset(
        {name: (dims, matrix, schema.describe(name)) for name, matrix in matrices.items()}
        | {"minimum": (schema.COORDINATE, minimum, schema.describe("minimum"))}
        | {name: ((), number, schema.describe(name)) for name, number in numbers.items()}
    )


def _solve(X: Matrix, C: Matrix, factors: Matrix) -> tuple[Matrix, float]:
    # in the eigenbasis S = factors o (C + K S); with D = sqrt(factors), D K D is symmetric and has the same eigenvalues
    dim = len(C)
    pairs = (X[:, :, None] * X[:, None, :]).reshape(len(X), dim * dim)
    mean = pairs.mean(axis=0).reshape(dim, dim)
    K = pairs.T @ pairs / len(X) - np.kron(mean, mean)
    root = np.sqrt(factors).ravel()
    operator = root[:, None] * K * root[None, :]
    radius = float(np.linalg.eigvalsh(operator)[-1])
    if radius >= 1:
        raise ValueError(
            "the stationary variance is infinite: the second-moment radius of the multiplicative noise is "
            f"{radius:.6g}, it must be below 1; use a smaller lr or a larger batch_size"
        )
    solution = root * np.linalg.solve(np.eye(dim**2) - operator, root * C.ravel())
    return solution.reshape(dim, dim), max(radius, 0.0)


def _checked(inputs: ArrayLike, targets: ArrayLike, sgd: SGD) -> tuple[Matrix, Matrix, SGD]:
    X, y = np.asarray(inputs, dtype=float), np.asarray(targets, dtype=float)
    X = X[:, None] if X.ndim == 1 else X
    if X.ndim != 2 or y.shape != (len(X),):
        raise ValueError(f"inputs must have shape (sample, d) and targets (sample,), got {X.shape} and {y.shape}")
    if X.shape[1] > _LARGEST_DIM:
        raise ValueError(
            f"the exact solution has d^2 unknowns and is limited to {_LARGEST_DIM} coordinates, got {X.shape[1]}"
        )
    if not (np.all(np.isfinite(X)) and np.all(np.isfinite(y))):
        raise ValueError("inputs or targets hold NaN or infinity")
    if sgd.n_samples not in (None, len(X)):
        raise ValueError(f"sgd.n_samples={sgd.n_samples} is not the number of samples, {len(X)}; leave it out")
    return X, y, replace(sgd, n_samples=len(X))
