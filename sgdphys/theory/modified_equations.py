"""SGD on a quadratic loss in time, and the stochastic differential equations that stand for it: their moments."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.checks import whole_number
from sgdphys.sgd import require_sgd
from sgdphys.theory.discrete_sgd import stationary_covariance
from sgdphys.theory.linear_maps import kick_states, powers, refuse_unstable, step_map, symmetric_pair

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.sgd import SGD

    Matrix = NDArray[np.float64]

__all__ = ["moments_in_time", "svag_covariance"]

Equation = Literal["sgd", "first order", "second order"]
_EQUATIONS = ("sgd", "first order", "second order")


def moments_in_time(
    hessian: ArrayLike,
    covariance: ArrayLike,
    sgd: SGD,
    steps: ArrayLike,
    *,
    start: ArrayLike,
    equation: Equation = "sgd",
) -> xr.Dataset:
    r"""Return mean and covariance of SGD on a quadratic loss with constant noise, or of a modified equation, in time.

    All particles begin at one point, at rest. ``"sgd"`` is the map itself. The others are its stochastic differential
    equations at the times lr k,

    .. math:: dx = -\nabla f\, dt + \sqrt{2 T C}\, dW \qquad\text{and}\qquad
        dx = -\nabla \left( f + \tfrac{\mathrm{lr}}{4} |\nabla f|^2 \right) dt + \sqrt{2 T C}\, dW,

    which follow the means of observables over a fixed time to the first and second order in lr. In the stationary
    state the second is not better: for curvature h the variances of map, first and second are as
    1 : 1 - lr h/2 : 1 - lr h to first order. With momentum the first is taken at the effective learning rate.

    Parameters
    ----------
    hessian
        H (d, d), symmetric, positive, with weight decay included, in loss/x^2.
    covariance
        Population covariance C (d, d) of the per-sample gradients, in loss^2/x^2.
    sgd
        Settings; the second order is known without momentum only.
    steps
        Numbers of steps k at which to take the moments, (moment_time,).
    start
        Where all particles begin, scalar or (d,), in x from the minimum.
    equation
        ``"sgd"``, ``"first order"`` or ``"second order"``.

    Returns
    -------
    xr.Dataset
        ``mean`` (moment_time, coordinate) and ``covariance`` (moment_time, coordinate, coordinate_2) at the coordinate
        ``moment_time`` = lr k: the variables of the observer of moments.

    Raises
    ------
    ValueError
        A matrix is not symmetric and positive, the map does not settle, a step is no whole number, the sampling is
        ``"shuffle"``, the equation is unknown, or it does not know momentum.

    References
    ----------
    Li, Tai, E 2019 (JMLR 20, 40; arXiv 1811.01558).
    """
    require_sgd(sgd)
    H, C = symmetric_pair(hessian, covariance)
    if equation not in _EQUATIONS:
        raise ValueError(f"equation must be one of {', '.join(_EQUATIONS)}, got {equation!r}")
    if equation == "second order" and sgd.momentum:
        raise ValueError(f"the second-order equation knows no momentum, got {sgd.momentum}; use 'first order' or 0")
    counts = [whole_number("a number of steps", k, least=0) for k in np.atleast_1d(np.asarray(steps)).tolist()]
    curvatures, V = np.linalg.eigh(H)
    refuse_unstable(curvatures, sgd, discrete=equation == "sgd")
    origin = V.T @ np.broadcast_to(np.asarray(start, dtype=float), (len(H),))
    noise = sgd.sampling_factor / sgd.batch_size * (V.T @ C @ V)
    moments = _of_map if equation == "sgd" else _of_second_order if equation == "second order" else _of_first_order
    means, covariances = moments(curvatures, noise, sgd, origin, counts)
    return xr.Dataset(
        {
            "mean": ((schema.MOMENT_TIME, schema.COORDINATE), means @ V.T, schema.describe("mean")),
            "covariance": (
                (schema.MOMENT_TIME, schema.COORDINATE, "coordinate_2"),
                V @ covariances @ V.T,
                schema.describe("covariance"),
            ),
        },
        {schema.MOMENT_TIME: (schema.MOMENT_TIME, sgd.lr * np.array(counts), schema.describe("moment_time"))},
    )


def svag_covariance(hessian: ArrayLike, covariance: ArrayLike, sgd: SGD, refinement: int) -> xr.Dataset:
    r"""Return the stationary covariance of stochastic variance amplified gradient (SVAG) on a quadratic loss.

    A step of SGD becomes l steps of learning rate lr/l along :math:`\frac{1+\sqrt{2l-1}}{2} g_1 +
    \frac{1-\sqrt{2l-1}}{2} g_2` of two independent batches, whose covariance is l times that of one batch. In one
    coordinate

    .. math:: S = \frac{\mathrm{lr}\, C / B}{h (2 - \mathrm{lr}\, h / l)},

    which goes from SGD (l = 1) to its stochastic differential equation.

    Parameters
    ----------
    hessian, covariance
        As in :func:`stationary_covariance`, noise constant.
    sgd
        Settings without momentum.
    refinement
        l, a positive integer.

    Returns
    -------
    xr.Dataset
        What :func:`stationary_covariance` returns in mode ``"discrete"``; the velocity is the combined gradient.

    Raises
    ------
    ValueError
        What :func:`stationary_covariance` refuses, momentum, or a refinement that is no positive integer.

    References
    ----------
    Li, Malladi, Arora 2021 (arXiv 2102.12470).
    """
    require_sgd(sgd)
    parts = whole_number("refinement", refinement)
    if sgd.momentum:
        raise ValueError(f"SVAG is known without momentum, got momentum={sgd.momentum}; use 0")
    H, C = symmetric_pair(hessian, covariance)
    return stationary_covariance(H, parts * C, replace(sgd, lr=sgd.lr / parts), "discrete")


def _of_map(curvatures: Matrix, noise: Matrix, sgd: SGD, origin: Matrix, counts: list[int]) -> tuple[Matrix, Matrix]:
    P, _ = step_map(curvatures, sgd)
    stationary = kick_states(curvatures, sgd) * noise[:, :, None, None]
    means, covariances = [], []
    for power in powers(P, counts):
        means.append(power[:, 0, 0] * origin)
        covariances.append((stationary - np.einsum("iab,ijbc,jdc->ijad", power, stationary, power))[..., 0, 0])
    return np.array(means), np.array(covariances)


def _of_first_order(
    curvatures: Matrix, noise: Matrix, sgd: SGD, origin: Matrix, counts: list[int]
) -> tuple[Matrix, Matrix]:
    return _relaxed(sgd.effective_lr * curvatures, sgd.effective_lr**2 * noise, origin, counts)


def _of_second_order(
    curvatures: Matrix, noise: Matrix, sgd: SGD, origin: Matrix, counts: list[int]
) -> tuple[Matrix, Matrix]:
    stiffness = sgd.lr * curvatures
    return _relaxed(stiffness + stiffness**2 / 2, sgd.lr**2 * noise, origin, counts)


def _relaxed(rates: Matrix, kicks: Matrix, origin: Matrix, counts: list[int]) -> tuple[Matrix, Matrix]:
    """Return the moments of an Ornstein-Uhlenbeck process with these rates and kick covariances per step."""
    k = np.array(counts, dtype=float)
    sums = rates[:, None] + rates[None, :]
    growth = -np.expm1(-sums * k[:, None, None])
    return np.exp(-rates * k[:, None]) * origin, kicks / sums * growth
