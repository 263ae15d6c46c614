"""The covariance of SGD on a quadratic loss while learning rate and batch size change in stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.theory.linear_maps import kick_states, powers, refuse_unstable, step_map, symmetric_matrix, symmetric_pair

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.schedules import SGDSchedule
    from sgdphys.sgd import SGD

    Matrix = NDArray[np.float64]

__all__ = ["covariance_through_stages"]


def covariance_through_stages(
    hessian: ArrayLike,
    covariance: ArrayLike,
    schedule: SGDSchedule,
    *,
    start: ArrayLike | None = None,
    mode: Literal["discrete", "lyapunov"] = "discrete",
) -> xr.Dataset:
    r"""Return the covariance of SGD about the minimum of a quadratic loss at the end of each stage of a schedule.

    Within a stage of k steps the covariance goes from :math:`S_0` to
    :math:`S_\infty + P^k (S_0 - S_\infty) {P^T}^k`, with the step P and the stationary :math:`S_\infty` of the stage.
    Schedules of equal lr/batch_size agree in the limit lr h -> 0 only, the stochastic differential equation (mode
    ``"lyapunov"``); of the map, the stationary variances of curvature h are as
    :math:`(2 - \mathrm{lr}_2 h) : (2 - \mathrm{lr}_1 h)`.

    Parameters
    ----------
    hessian
        H (d, d), symmetric, positive, with weight decay included, in loss/x^2.
    covariance
        Population covariance C (d, d) of the per-sample gradients, in loss^2/x^2, the same everywhere.
    schedule
        Stages of learning rate and batch size; ``SGDSchedule.from_epochs`` reads them in epochs.
    start
        Covariance (d, d) of the positions at the beginning, at rest, in x^2; None for all particles at the minimum.
    mode
        ``"discrete"`` for the map, momentum included (the velocity v is kept between stages), or ``"lyapunov"`` for
        its stochastic differential equation.

    Returns
    -------
    xr.Dataset
        Over ``stage``: ``stage_covariance`` (stage, coordinate, coordinate_2) at its end, ``stage_updates`` and
        ``stage_time``, the steps and the time since the beginning.

    Raises
    ------
    ValueError
        A matrix is not symmetric or not positive, a stage does not settle, the sampling is ``"shuffle"``, or the mode
        is unknown.

    References
    ----------
    Smith, Kindermans, Ying, Le 2018 (arXiv 1711.00489), for trading learning rate against batch size.
    """
    H, C = symmetric_pair(hessian, covariance)
    if mode not in {"discrete", "lyapunov"}:
        raise ValueError(f"mode must be 'discrete' or 'lyapunov', got {mode!r}")
    initial = np.zeros_like(H) if start is None else symmetric_matrix("start", start)
    if initial.shape != H.shape:
        raise ValueError(f"start must have the shape of the Hessian, {H.shape}, got {initial.shape}")
    curvatures, V = np.linalg.eigh(H)
    state = np.zeros((*H.shape, 2, 2))
    state[..., 0, 0] = V.T @ initial @ V
    advance = _advance_map if mode == "discrete" else _advance_equation
    covariances = []
    for sgd, n_steps in schedule.stages:
        refuse_unstable(curvatures, sgd, discrete=mode == "discrete")
        state = advance(state, curvatures, V.T @ C @ V * sgd.sampling_factor / sgd.batch_size, sgd, n_steps)
        covariances.append(V @ state[..., 0, 0] @ V.T)
    return _dataset(np.array(covariances), schedule)


def _advance_map(state: Matrix, curvatures: Matrix, noise: Matrix, sgd: SGD, n_steps: int) -> Matrix:
    # between stages the state is that of (x, v), within one that of (x, lr v)
    units = np.array([1.0, sgd.lr])
    scale = units[:, None] * units
    stationary = kick_states(curvatures, sgd) * noise[:, :, None, None]
    (power,) = powers(step_map(curvatures, sgd)[0], [n_steps])
    away = np.einsum("iab,ijbc,jdc->ijad", power, state * scale - stationary, power)
    return np.asarray((stationary + away) / scale)


def _advance_equation(state: Matrix, curvatures: Matrix, noise: Matrix, sgd: SGD, n_steps: int) -> Matrix:
    sums = sgd.effective_lr * (curvatures[:, None] + curvatures[None, :])
    stationary = sgd.effective_lr**2 * noise / sums
    later = np.zeros_like(state)
    later[..., 0, 0] = stationary + np.exp(-sums * n_steps) * (state[..., 0, 0] - stationary)
    return later


def _dataset(covariances: Matrix, schedule: SGDSchedule) -> xr.Dataset:
    updates = np.cumsum([n_steps for _, n_steps in schedule.stages])
    dims = (schema.STAGE, schema.COORDINATE, "coordinate_2")
    return xr.Dataset(
        {
            "stage_covariance": (dims, covariances, schema.describe("stage_covariance")),
            "stage_updates": (schema.STAGE, updates, schema.describe("stage_updates")),
            "stage_time": (schema.STAGE, schedule.times(updates), schema.describe("stage_time")),
        }
    )
