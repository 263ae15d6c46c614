"""How far the stochastic differential equation of SGD is from SGD itself, on a quadratic loss."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import scipy.linalg
import xarray as xr

from sgdphys import schema
from sgdphys.sgd import require_sgd
from sgdphys.theory.discrete_sgd import stationary_covariance
from sgdphys.theory.linear_maps import pair_covariances, powers, step_map, symmetric_pair
from sgdphys.theory.relaxation import relaxation_spectrum

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.sgd import SGD

    Matrix = NDArray[np.float64]

__all__ = ["sde_error"]


def sde_error(
    hessian: ArrayLike, covariance: ArrayLike, sgd: SGD, *, inputs: ArrayLike | str | None = None
) -> xr.Dataset:
    r"""Return how far SGD on a quadratic loss is from its stochastic differential equation.

    The equation is :math:`dx = -\frac{\mathrm{lr_{eff}}}{\mathrm{lr}} H x\, dt + \ldots` at
    ``sgd.effective_temperature``, whose stationary covariance solves Lyapunov's equation and whose autocorrelation in
    an eigenvector of H of curvature h is :math:`e^{-\mathrm{lr_{eff}} h k}` after k steps. Each ratio is that of the
    exact map over that of the equation; 1 means no error. For constant noise without momentum they are
    2/(2 - lr h) for the variance, -log\|1 - lr h\|/(lr h) for the rate and 1 - lr h/2 for the correlation time.

    Parameters
    ----------
    hessian
        H (d, d), symmetric, positive, of the loss with weight decay included, in loss/x^2.
    covariance
        Population covariance C (d, d) of the per-sample gradients at the minimum, in loss^2/x^2.
    sgd
        Settings. With ``sampling="shuffle"`` the map is that of shuffled epochs, averaged over their steps, and the
        equation that of independent draws: there is no other.
    inputs
        Features of least squares, (sample, d) or ``"gaussian"``, for noise that grows with the distance from the
        minimum, as in :func:`stationary_covariance`; without them the noise is constant.

    Returns
    -------
    xr.Dataset
        Over ``mode``: ``eigenvalue`` h in falling order, ``stationary_variance_ratio`` (NaN where C has no noise in
        that direction), ``relaxation_rate_ratio``, and, except for shuffled epochs, ``correlation_time_ratio`` of the
        autocorrelation summed over steps and ``largest_autocorrelation_error``, the largest absolute difference.
        Overall: ``total_variance_ratio`` of the traces, ``excess_loss_ratio`` of tr(H S), ``largest_variance_ratio``
        over all directions and ``relative_entropy_of_sde``, of the Gaussian of the map from that of the equation, in
        nat (both NaN where the covariance of the equation is singular).

    Raises
    ------
    ValueError
        What :func:`stationary_covariance` refuses, or there is no noise.
    """
    require_sgd(sgd)
    H, C = symmetric_pair(hessian, covariance)
    equation = replace(sgd, sampling="replacement") if sgd.sampling == "shuffle" else sgd
    reference = stationary_covariance(H, C, equation, "lyapunov")["stationary_covariance"].values
    if not np.trace(reference) > 0:
        raise ValueError("there is no noise to compare: the covariance is 0, or a batch is the whole data set")
    exact = _exact(H, C, sgd, inputs)
    curvatures, V = np.linalg.eigh(H)
    curvatures, V = np.asarray(curvatures[::-1]), V[:, ::-1]
    over_modes = {
        "eigenvalue": curvatures,
        "stationary_variance_ratio": _mode_ratio(V, exact, reference),
        "relaxation_rate_ratio": _rate_ratio(H, sgd),
    }
    if sgd.sampling != "shuffle":
        over_modes |= _autocorrelation_errors(curvatures, sgd)
    numbers = {
        "total_variance_ratio": float(np.trace(exact) / np.trace(reference)),
        "excess_loss_ratio": float(np.sum(H * exact) / np.sum(H * reference)),
    } | _gaussian_errors(exact, reference)
    return xr.Dataset(
        {name: (schema.MODE, values, schema.describe(name)) for name, values in over_modes.items()}
        | {name: ((), number, schema.describe(name)) for name, number in numbers.items()}
    )


def _exact(H: Matrix, C: Matrix, sgd: SGD, inputs: ArrayLike | str | None) -> Matrix:
    if sgd.sampling != "shuffle":
        mode: Literal["discrete", "minibatch"] = "discrete" if inputs is None else "minibatch"
        return np.asarray(stationary_covariance(H, C, sgd, mode, inputs=inputs)["stationary_covariance"].values)
    if inputs is not None:
        raise ValueError("shuffled epochs are solved for constant noise only: leave out inputs=")
    return np.asarray(stationary_covariance(H, C, sgd, "shuffle")["epoch_mean_covariance"].values)


def _mode_ratio(V: Matrix, exact: Matrix, reference: Matrix) -> Matrix:
    above, below = (np.sum(V * (S @ V), axis=0) for S in (exact, reference))
    noisy = below > 1e-14 * np.trace(reference)
    return np.asarray(np.divide(above, below, out=np.full(len(below), np.nan), where=noisy))


def _rate_ratio(H: Matrix, sgd: SGD) -> Matrix:
    spectrum = relaxation_spectrum(H, sgd)
    return np.asarray(spectrum["relaxation_rate"].values[:, 0] / spectrum["continuous_rate"].values)


def _autocorrelation_errors(curvatures: Matrix, sgd: SGD) -> dict[str, Matrix]:
    # <z_k z_0^T> = P^k Z for noise without memory, whether constant or not
    P, q = step_map(curvatures, sgd)
    Z = np.array([pair_covariances(mode[None], np.outer(q, q)[None, None])[0, 0] for mode in P])
    start = Z[:, :, 0] / Z[:, :1, 0]
    summed = np.linalg.solve(np.eye(2) - P, (P @ start[..., None]))[:, 0, 0]
    rates = sgd.effective_lr * curvatures
    largest = np.zeros(len(P))
    lags = _lags(float(rates.min()))
    for lag, power in zip(lags, powers(P, lags), strict=True):
        exact = (power @ start[..., None])[:, 0, 0]
        largest = np.maximum(largest, np.abs(exact - np.exp(-rates * lag)))
    return {"correlation_time_ratio": rates * (0.5 + summed), "largest_autocorrelation_error": largest}


def _lags(slowest: float) -> list[int]:
    spaced = np.geomspace(1, max(64.0, 10 / slowest), 200)
    return sorted(set(range(1, 64)) | {int(lag) for lag in spaced})


def _gaussian_errors(exact: Matrix, reference: Matrix) -> dict[str, float]:
    try:
        ratios = scipy.linalg.eigh(exact, reference, eigvals_only=True)
    except np.linalg.LinAlgError:
        ratios = np.array([np.nan])
    entropy = float(np.sum(ratios - 1 - np.log(ratios)) / 2)
    return {"largest_variance_ratio": float(ratios[-1]), "relative_entropy_of_sde": entropy}
