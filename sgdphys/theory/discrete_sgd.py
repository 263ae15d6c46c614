"""Stationary covariance of SGD on a quadratic loss: the continuous limit and the exact discrete map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from sgdphys import schema

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.sgd import SGD

    Matrix = NDArray[np.float64]

__all__ = ["heavy_ball_factors", "refuse_unstable", "spectral_radius", "stationary_covariance"]

Mode = Literal["lyapunov", "discrete"]


def stationary_covariance(hessian: ArrayLike, covariance: ArrayLike, sgd: SGD, mode: Mode = "discrete") -> xr.Dataset:
    r"""Return the stationary covariance S of SGD on a quadratic loss with constant gradient noise.

    ``"discrete"`` is exact for the map, with torch's heavy ball. Without momentum

    .. math:: S = (I - \mathrm{lr} H) S (I - \mathrm{lr} H) + \frac{\mathrm{lr}^2}{B} s\, C,

    with momentum, entry by entry in the eigenbasis of H (h its eigenvalues),

    .. math::
        S_{ij} = \frac{\mathrm{lr}\, s\, C_{ij} / B}{(1-\mu)(h_i + h_j)
        - \mathrm{lr} \frac{1+\mu^2}{1-\mu^2} h_i h_j + \mathrm{lr} \frac{\mu}{1-\mu^2} (h_i^2 + h_j^2)}.

    ``"lyapunov"`` is its limit lr h -> 0, the stochastic differential equation at ``sgd.effective_temperature``:
    :math:`H S + S H = 2 T_\mathrm{eff} C`. The sampling factor s is 1 with replacement and (N-B)/(N-1) without.

    Parameters
    ----------
    hessian
        H (d, d), symmetric, of the loss with weight decay included, in loss/x^2; ``sgd.weight_decay`` is not added
        again.
    covariance
        Population covariance C (d, d) of the per-sample gradients, symmetric, in loss^2/x^2.
    sgd
        Learning rate, batch size, momentum, sampling.
    mode
        ``"discrete"`` or ``"lyapunov"``.

    Returns
    -------
    xr.Dataset
        ``stationary_covariance`` (coordinate, coordinate_2), in x^2; in mode ``"discrete"`` also
        ``velocity_covariance`` of the heavy-ball velocity v (the batch gradient without momentum) and
        ``spectral_radius`` of the mean motion.

    Raises
    ------
    ValueError
        A matrix is not symmetric or of the wrong shape, there is no stationary state, the mode is unknown, or the
        sampling is ``"shuffle"``.

    References
    ----------
    Liu, Ziyin, Ueda 2021 (arXiv 2012.03636) (discrete); Mandt, Hoffman, Blei 2017 (arXiv 1704.04289) (continuous).
    """
    H, C = _symmetric("hessian", hessian), _symmetric("covariance", covariance)
    if H.shape != C.shape:
        raise ValueError(f"hessian and covariance must have the same shape, got {H.shape} and {C.shape}")
    if mode not in ("lyapunov", "discrete"):
        raise ValueError(f"mode must be 'lyapunov' or 'discrete', got {mode!r}")
    noise = sgd.sampling_factor / sgd.batch_size
    curvatures, V = np.linalg.eigh(H)
    refuse_unstable(curvatures, sgd, discrete=mode == "discrete")
    if mode == "lyapunov":
        factors = sgd.effective_lr / (curvatures[:, None] + curvatures[None, :])
        return xr.Dataset(
            {"stationary_covariance": _entry(V @ (factors * noise * (V.T @ C @ V)) @ V.T, "stationary_covariance")}
        )
    S = heavy_ball_factors(curvatures, sgd) * noise * (V.T @ C @ V)
    velocity = S * (curvatures[:, None] + curvatures[None, :]) / (sgd.lr * (1 + sgd.momentum))
    return xr.Dataset(
        {
            "stationary_covariance": _entry(V @ S @ V.T, "stationary_covariance"),
            "velocity_covariance": _entry(V @ velocity @ V.T, "velocity_covariance"),
            "spectral_radius": ((), spectral_radius(curvatures, sgd), schema.describe("spectral_radius")),
        }
    )


def heavy_ball_factors(curvatures: Matrix, sgd: SGD) -> Matrix:
    """Return S_ij / (covariance of the batch gradient)_ij in the eigenbasis of the Hessian, (d, d), in x^4/loss^2."""
    rows, columns = curvatures[:, None], curvatures[None, :]
    mu, lr = sgd.momentum, sgd.lr
    cross = (1 + mu**2) * rows * columns - mu * (rows**2 + columns**2)
    return np.asarray(lr / ((1 - mu) * (rows + columns) - lr * cross / (1 - mu**2)))


def spectral_radius(curvatures: Matrix, sgd: SGD) -> float:
    """Return the largest absolute root of z^2 - (1 + mu - lr h) z + mu = 0: how slowly the mean relaxes per step."""
    half = (1 + sgd.momentum - sgd.lr * np.asarray(curvatures)) / 2
    root = np.sqrt(half.astype(complex) ** 2 - sgd.momentum)
    return float(np.max(np.maximum(np.abs(half + root), np.abs(half - root))))


def refuse_unstable(curvatures: Matrix, sgd: SGD, *, discrete: bool) -> None:
    """Raise ValueError when the mean motion does not settle.

    Raises
    ------
    ValueError
        A curvature is not positive, or the step is too long for the largest one.
    """
    if curvatures.min() <= 0:
        raise ValueError(
            f"the smallest eigenvalue of the Hessian is {curvatures.min():.6g}; a stationary state needs all of them "
            "positive (weight decay, or the leading directions alone)"
        )
    stiffness, limit = sgd.lr * curvatures.max(), 2 * (1 + sgd.momentum)
    if discrete and stiffness >= limit:
        radius = spectral_radius(curvatures, sgd)
        raise ValueError(
            f"lr * lambda_max = {stiffness:.6g} must be below 2 (1 + momentum) = {limit:.6g} "
            f"(spectral radius {radius:.6g}); use lr below {limit / curvatures.max():.6g}"
        )


def _symmetric(name: str, values: ArrayLike) -> Matrix:
    matrix = np.asarray(values, dtype=float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.all(np.isfinite(matrix)):
        raise ValueError(f"{name} must be a finite square matrix, got shape {matrix.shape}")
    if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-12 * np.abs(matrix).max()):
        raise ValueError(f"{name} must be symmetric, its largest asymmetry is {np.abs(matrix - matrix.T).max():.3g}")
    return matrix


def _entry(matrix: Matrix, name: str) -> tuple[tuple[str, str], Matrix, dict[str, str]]:
    return (schema.COORDINATE, "coordinate_2"), (matrix + matrix.T) / 2, schema.describe(name)
