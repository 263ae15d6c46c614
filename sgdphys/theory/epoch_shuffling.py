"""Epochs of a shuffled order: gradient noise that is anti-correlated between the steps of an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sgdphys.theory.linear_maps import pair_covariances, step_map

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sgdphys.sgd import SGD

    Matrix = NDArray[np.float64]

__all__ = ["EpochState", "batch_correlations", "stationary_epoch"]


class EpochState(NamedTuple):
    """The periodic state over an epoch of M steps, in the basis V that it was asked for."""

    at_end: Matrix  # covariance of (x, lr v) between modes after the last step, (mode, mode, 2, 2)
    mean: Matrix  # the same averaged over the steps of an epoch
    variance: Matrix  # of each coordinate after each step, (step, coordinate)


def batch_correlations(sgd: SGD) -> tuple[int, float, float]:
    r"""Return the number of batches of an epoch, and the covariances of their mean gradients in units of C.

    M = N // B batches of B samples are drawn without replacement from N; the rest of the order is dropped. From
    :math:`\langle g_i g_j^T\rangle = -C/(N-1)` for two different samples

    .. math:: \mathrm{Cov}(g_k, g_k) = \frac{C}{B} \frac{N-B}{N-1}, \qquad \mathrm{Cov}(g_k, g_l) = -\frac{C}{N-1}.

    Returns
    -------
    tuple[int, float, float]
        M, the covariance within a batch and that between two batches of the same epoch.

    Raises
    ------
    ValueError
        The sampling is not ``"shuffle"``, or the number of samples is not known.
    """
    if sgd.sampling != "shuffle":
        raise ValueError(f"mode 'shuffle' needs sampling='shuffle', got sampling={sgd.sampling!r}")
    if sgd.n_samples is None:
        raise ValueError("sampling='shuffle' needs the size of the data set: give n_samples=")
    N, B = sgd.n_samples, sgd.batch_size
    if N == 1:
        return 1, 0.0, 0.0
    return N // B, (N - B) / (B * (N - 1)), -1 / (N - 1)


def stationary_epoch(curvatures: Matrix, C: Matrix, sgd: SGD, V: Matrix) -> EpochState:
    """Return the state that repeats every epoch, by propagating (x, lr v) of all pairs of modes through an epoch.

    Parameters
    ----------
    curvatures
        Eigenvalues of the Hessian, (mode,), in loss/x^2.
    C
        Gradient covariance in the eigenbasis, (mode, mode), in loss^2/x^2.
    sgd
        Settings with ``sampling="shuffle"`` and ``n_samples``.
    V
        The eigenvectors in columns, (coordinate, mode), for the variance of the coordinates.

    Returns
    -------
    EpochState
        Covariances at the end of an epoch and averaged over its steps, and the variance after each step.
    """
    n_steps, within, between = batch_correlations(sgd)
    P, q = step_map(curvatures, sgd)
    for power, noise in _epoch(P, q, n_steps, within - between, between):  # noqa: B007
        pass
    start = pair_covariances(power, noise * C[:, :, None, None])
    mean, variances = np.zeros_like(start), []
    for power, noise in _epoch(P, q, n_steps, within - between, between):
        state = np.einsum("iab,ijbc,jdc->ijad", power, start, power) + noise * C[:, :, None, None]
        mean += state / n_steps
        variances.append(np.sum((V @ state[..., 0, 0]) * V, axis=1))
    return EpochState(start, mean, np.array(variances))


def _epoch(P: Matrix, q: Matrix, n_steps: int, own: float, shared: float) -> Iterator[tuple[Matrix, Matrix]]:
    """Go through an epoch, whose k steps collect the noise sum_j P^(k-j) q xi_j.

    The covariance of xi_j is own + shared with itself, and shared with the noise of other steps.

    Yields
    ------
    tuple[Matrix, Matrix]
        After each step the power of P, (mode, 2, 2), and the covariance of the noise, (mode, mode, 2, 2).
    """
    power, response = np.broadcast_to(np.eye(2), P.shape), np.broadcast_to(q, (len(P), 2))
    total, squares = np.zeros((len(P), 2)), np.zeros((len(P), len(P), 2, 2))
    for _ in range(n_steps):
        squares = squares + np.einsum("ia,jb->ijab", response, response)
        total = total + response
        response = np.einsum("iab,ib->ia", P, response)
        power = P @ power
        yield power, own * squares + shared * np.einsum("ia,jb->ijab", total, total)
