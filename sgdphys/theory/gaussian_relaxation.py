"""The free energy of a Gaussian cloud under a linear drift, in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg
import xarray as xr

from sgdphys import schema
from sgdphys.checks import number_array
from sgdphys.theory.linear_decomposition import LinearProcess, linear_process
from sgdphys.theory.linear_maps import symmetric_matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.sgd import SGD

    Array = NDArray[np.float64]

__all__ = ["free_energy_of_linear"]

_FORGOTTEN = 1e3  # relaxation times after which nothing is left of the start


def free_energy_of_linear(
    hessian: ArrayLike,
    covariance: ArrayLike,
    times: ArrayLike,
    *,
    temperature: float | None = None,
    sgd: SGD | None = None,
    mean: ArrayLike = 0.0,
    start_covariance: ArrayLike,
) -> xr.Dataset:
    r"""Return free energy, potential, entropy and relative entropy of a Gaussian cloud under a linear drift, in time.

    Under :math:`dx = -A x\, dt + \sqrt{2 T C}\, dW` a Gaussian stays one, of mean :math:`e^{-A t} m_0` and covariance
    :math:`S + e^{-A t} (S_0 - S) e^{-A^T t}`. With the potential :math:`\Phi = T x^T S^{-1} x / 2` its free energy

    .. math:: F = \langle \Phi \rangle - T \mathcal{H} = T\, \mathrm{KL}(p \| p_\infty) - T \ln Z, \qquad
        Z = \sqrt{\det 2 \pi S},

    falls in time whatever A and C are. :math:`\langle f \rangle - T \mathcal{H}`, with the loss
    :math:`f = x^T A x / 2` for the potential, need not: begun in the Gibbs state of the loss, its minimum, it rises.

    Parameters
    ----------
    hessian, covariance
        A and C, as in :func:`decompose_linear`.
    times
        Not negative, (time,), in x^2/loss.
    temperature, sgd
        T or settings of SGD, as in :func:`decompose_linear`; T = 1 where neither is given.
    mean
        Mean m_0 at the beginning, scalar or (d,), in x from the fixed point.
    start_covariance
        Covariance S_0 (d, d) at the beginning, positive definite, in x^2.

    Returns
    -------
    xr.Dataset
        Over ``time``: ``free_energy`` and ``mean_potential``, with the potential 0 at its minimum; ``entropy`` and
        ``relative_entropy`` with respect to the stationary state, in nat; for a symmetric A also ``mean_loss`` and
        ``loss_free_energy``. The attribute ``temperature`` is T.

    Raises
    ------
    ValueError
        What :func:`decompose_linear` refuses, a noise that does not reach all directions, a start that is no Gaussian
        of d coordinates, or a time that is negative or not finite.

    References
    ----------
    Chaudhari, Soatto 2018 (arXiv 1710.11029), theorem 5.
    """
    process = linear_process(hessian, covariance, temperature, sgd)
    d, T = len(process.drift), process.temperature
    if process.root()[0].shape[1] < d:
        raise ValueError("the noise does not reach all directions: the stationary state has no density; leave them out")
    t = np.atleast_1d(number_array("times", times))
    if t.ndim != 1 or not (np.all(np.isfinite(t)) and np.all(t >= 0)):
        raise ValueError("times must be finite and not negative, in one dimension")
    means, covariances = _moments(process, t, *_start(mean, start_covariance, d))
    squares = covariances + means[:, :, None] * means[:, None, :]
    precision = np.linalg.inv(process.stationary)
    entropy = (d * np.log(2 * np.pi * np.e) + np.linalg.slogdet(covariances)[1]) / 2
    potential = T * np.einsum("ij,tij->t", precision, squares) / 2
    series = {
        "free_energy": potential - T * entropy,
        "mean_potential": potential,
        "entropy": entropy,
        "relative_entropy": _relative_entropies(means, covariances, process.stationary),
    }
    if np.allclose(process.drift, process.drift.T, rtol=1e-8):
        series["mean_loss"] = np.einsum("ij,tij->t", process.drift, squares) / 2
        series["loss_free_energy"] = series["mean_loss"] - T * entropy
    variables = {name: (schema.TIME, values, schema.describe(name)) for name, values in series.items()}
    return xr.Dataset(variables, {schema.TIME: (schema.TIME, t, schema.describe(schema.TIME))}, {"temperature": T})


def _start(mean: ArrayLike, start_covariance: ArrayLike, d: int) -> tuple[Array, Array]:
    S0, m0 = symmetric_matrix("start_covariance", start_covariance), number_array("mean", mean)
    if S0.shape != (d, d) or m0.shape not in {(), (d,)} or not np.all(np.isfinite(m0)):
        raise ValueError(f"the start must be a finite mean of {d} coordinates and a covariance of shape ({d}, {d}), "
                         f"got shapes {m0.shape} and {S0.shape}")  # fmt: skip
    smallest = float(np.linalg.eigvalsh(S0)[0])
    if smallest <= 0:
        raise ValueError(f"start_covariance must be positive definite, its smallest eigenvalue is {smallest:.3g}")
    return np.broadcast_to(m0, (d,)), S0


def _moments(process: LinearProcess, times: Array, m0: Array, S0: Array) -> tuple[Array, Array]:
    slowest = float(np.linalg.eigvals(process.drift).real.min())
    decays = scipy.linalg.expm(-np.minimum(times, _FORGOTTEN / slowest)[:, None, None] * process.drift)
    covariances = process.stationary + decays @ (S0 - process.stationary) @ decays.transpose(0, 2, 1)
    return decays @ m0, (covariances + covariances.transpose(0, 2, 1)) / 2


def _relative_entropies(means: Array, covariances: Array, stationary: Array) -> Array:
    # (l - 1 - ln l) / 2 summed over the eigenvalues l of S^-1/2 S_t S^-1/2: no difference of large numbers near the end
    root = np.linalg.cholesky(stationary)
    half = np.linalg.solve(root, covariances)
    ratios = np.linalg.eigvalsh(np.linalg.solve(root, half.transpose(0, 2, 1)))
    distances = np.linalg.solve(root, means.T)
    excess = ratios - 1
    return np.asarray(np.sum(excess - np.log1p(excess), axis=1) / 2 + np.sum(distances**2, axis=0) / 2)
