"""SGD on least squares with a finite data set, solved exactly: its noise grows with the distance."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.sgd import require_sgd
from sgdphys.theory.discrete_sgd import stationary_covariance
from sgdphys.theory.linear_maps import refuse_flat
from sgdphys.theory.minibatch_noise import LARGEST_DIM

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.sgd import SGD

    Matrix = NDArray[np.float64]

__all__ = ["exact_sgd_covariance"]


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
    require_sgd(sgd)
    X, y, sgd = _checked(inputs, targets, sgd)
    A = X.T @ X / len(X)
    H = A + sgd.weight_decay * np.eye(len(A))
    refuse_flat(np.asarray(np.linalg.eigvalsh(H), dtype=np.float64))
    minimum = np.linalg.solve(H, X.T @ y / len(X))
    C = np.cov(X * (X @ minimum - y)[:, None], rowvar=False, bias=True).reshape(A.shape)
    exact = stationary_covariance(H, C, sgd, "minibatch", inputs=X)
    matrices = {
        "lyapunov": stationary_covariance(H, C, sgd, "lyapunov")["stationary_covariance"].values,
        "additive": stationary_covariance(H, C, sgd, "discrete")["stationary_covariance"].values,
        "hessian": H,
        "gradient_covariance": C,
    }
    dims = (schema.COORDINATE, "coordinate_2")
    return exact.assign({name: (dims, matrix, schema.describe(name)) for name, matrix in matrices.items()}).assign(
        minimum=(schema.COORDINATE, minimum, schema.describe("minimum"))
    )


def _checked(inputs: ArrayLike, targets: ArrayLike, sgd: SGD) -> tuple[Matrix, Matrix, SGD]:
    X, y = np.asarray(inputs, dtype=float), np.asarray(targets, dtype=float)
    X = X[:, None] if X.ndim == 1 else X
    if X.ndim != 2 or y.shape != (len(X),):
        raise ValueError(f"inputs must have shape (sample, d) and targets (sample,), got {X.shape} and {y.shape}")
    if X.shape[1] > LARGEST_DIM:
        raise ValueError(
            f"the exact solution has d^2 unknowns and is limited to {LARGEST_DIM} coordinates, got {X.shape[1]}"
        )
    if not (np.all(np.isfinite(X)) and np.all(np.isfinite(y))):
        raise ValueError("inputs or targets hold NaN or infinity")
    if sgd.n_samples not in (None, len(X)):
        raise ValueError(f"sgd.n_samples={sgd.n_samples} is not the number of samples, {len(X)}; leave it out")
    return X, y, replace(sgd, n_samples=len(X))
