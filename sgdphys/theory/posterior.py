"""SGD as a sampler: how close its stationary state comes to the posterior of a quadratic loss."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import scipy.optimize
import xarray as xr

from sgdphys import schema
from sgdphys.checks import whole_number
from sgdphys.sgd import require_sgd
from sgdphys.theory.discrete_sgd import stationary_covariance
from sgdphys.theory.linear_maps import refuse_flat, stiffness_limit, symmetric_pair

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.sgd import SGD

    Mode = Literal["lyapunov", "discrete"]

__all__ = ["optimal_lr", "posterior_divergence"]


def posterior_divergence(
    hessian: ArrayLike, covariance: ArrayLike, sgd: SGD, n_samples: int | None = None, mode: Mode = "discrete"
) -> xr.DataArray:
    r"""Return the relative entropy of the stationary state of SGD with respect to the posterior.

    Both are Gaussians about the minimum, with the covariances S and :math:`(N H)^{-1}`:

    .. math:: \mathrm{KL} = \tfrac12 \left( N\, \mathrm{tr}(H S) - d - \ln\det(N H S) \right).

    Parameters
    ----------
    hessian
        H (d, d) of the mean loss, the negative log likelihood of one sample, weight decay included, in loss/x^2.
    covariance
        Population covariance C (d, d) of the per-sample gradients, positive, in loss^2/x^2.
    sgd
        Settings of SGD; sampling ``"shuffle"`` is refused.
    n_samples
        N; None for ``sgd.n_samples``.
    mode
        Which S: ``"discrete"``, the exact one of the map, or ``"lyapunov"``, that of its equation.

    Returns
    -------
    xr.DataArray
        The relative entropy, zero-dimensional, in nat; the attribute ``standard_error`` is 0.

    Raises
    ------
    ValueError
        There is no stationary state, it has no density because the noise leaves directions out, N is not known, or
        the mode is another one.

    References
    ----------
    Mandt, Hoffman, Blei 2017 (arXiv 1704.04289).
    """
    require_sgd(sgd)
    H, _ = symmetric_pair(hessian, covariance)
    if mode not in {"lyapunov", "discrete"}:
        raise ValueError(f"mode must be 'lyapunov' or 'discrete', got {mode!r}")
    S = stationary_covariance(H, covariance, sgd, mode)["stationary_covariance"].values
    sign, log_determinant = np.linalg.slogdet(_samples(sgd, n_samples) * H @ S)
    if sign <= 0 or not np.isfinite(log_determinant):
        raise ValueError("the stationary state has no density: the noise leaves directions out")
    value = (_samples(sgd, n_samples) * np.sum(H * S) - len(H) - log_determinant) / 2
    return _number("posterior_divergence", float(value))


def optimal_lr(
    hessian: ArrayLike, covariance: ArrayLike, sgd: SGD, n_samples: int | None = None, mode: Mode = "discrete"
) -> xr.DataArray:
    r"""Return the learning rate at which SGD is the best sampler of the posterior, by its relative entropy.

    In the limit of small steps (``"lyapunov"``)

    .. math:: \mathrm{lr}^* = \frac{2 B d\, (1 - \mu)}{s\, N\, \mathrm{tr}\, C},

    with the sampling factor s. The map spreads wider than its equation, so that its optimum lies lower where the noise
    is of like strength in all directions.

    Parameters
    ----------
    hessian, covariance, n_samples, mode
        As in :func:`posterior_divergence`.
    sgd
        Settings; the learning rate does not matter.

    Returns
    -------
    xr.DataArray
        The learning rate, zero-dimensional, in x^2/loss; the attribute ``standard_error`` is 0.

    Raises
    ------
    ValueError
        What :func:`posterior_divergence` refuses, or there is no noise.

    References
    ----------
    Mandt, Hoffman, Blei 2017 (arXiv 1704.04289), sections 4.1 and 4.3.
    """
    require_sgd(sgd)
    H, C = symmetric_pair(hessian, covariance)
    refuse_flat(np.asarray(np.linalg.eigvalsh(H), dtype=np.float64))
    noise = sgd.sampling_factor * float(np.trace(C)) * _samples(sgd, n_samples)
    if not noise > 0:
        raise ValueError("without noise no learning rate makes SGD a sampler")
    closed = 2 * sgd.batch_size * len(H) * sgd.lr / sgd.effective_lr / noise
    if mode == "lyapunov":
        return _number("optimal_lr", closed)
    posterior_divergence(H, C, replace(sgd, lr=_longest(H, sgd) / 2), n_samples, mode)  # refuses what has no density

    def divergence(log_lr: float) -> float:
        return float(posterior_divergence(H, C, replace(sgd, lr=float(np.exp(log_lr))), n_samples, mode))

    longest = _longest(H, sgd)
    scale = np.linspace(np.log(min(closed, longest) / 100), np.log(longest * (1 - 1e-9)), 60)
    near = int(np.argmin([divergence(log_lr) for log_lr in scale]))
    around = scale[max(near - 1, 0)], scale[min(near + 1, len(scale) - 1)]
    found = scipy.optimize.minimize_scalar(divergence, bounds=around, method="bounded", options={"xatol": 1e-8})
    return _number("optimal_lr", float(np.exp(found.x)))


def _longest(H: NDArray[np.float64], sgd: SGD) -> float:
    return stiffness_limit(sgd)[0] / float(np.linalg.eigvalsh(H)[-1])


def _samples(sgd: SGD, n_samples: int | None) -> int:
    if n_samples is None and sgd.n_samples is None:
        raise ValueError("the posterior depends on the size of the data set: give n_samples=")
    return whole_number("n_samples", sgd.n_samples if n_samples is None else n_samples)


def _number(name: str, value: float) -> xr.DataArray:
    return xr.DataArray(value, name=name, attrs={**schema.describe(name), "standard_error": 0.0})
