"""Entropy production of a linear process, from the covariance of two successive frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgdphys.analysis.current_bounds import OddStatistic
from sgdphys.analysis.paths import bundled

if TYPE_CHECKING:
    from sgdphys.analysis.paths import Paths
    from sgdphys.protocols import Array

__all__ = ["gaussian_entropy_production"]


def gaussian_entropy_production(paths: Paths) -> OddStatistic:
    r"""Return the relative entropy of two successive frames from their reverse, as if they were Gaussian.

    With the stationary covariance S, the correlation C from frame to frame, :math:`E = [[S, C_s], [C_s, S]]` of its
    symmetric part and :math:`O = [[0, C_a^T], [C_a, 0]]` of its antisymmetric part, frames have the covariance E + O
    and reversed ones E - O. Then :math:`KL = \sum_k \lambda_k^2/(1 - \lambda_k^2)` over the eigenvalues of
    :math:`E^{-1/2} O E^{-1/2}`. For a linear chain :math:`x \leftarrow M x + \xi` it is
    :math:`\frac12[\mathrm{tr}(C_r^{-1} C_f) - d + \mathrm{tr}(C_r^{-1} (M - M_r) S (M - M_r)^T)]` with the noise C_f,
    :math:`M_r = S M^T S^{-1}` and :math:`C_r = S - M_r S M_r^T`.

    Parameters
    ----------
    paths
        Stationary paths in frames at equal intervals.

    Returns
    -------
    OddStatistic
        The relative entropy in one interval.

    Raises
    ------
    ValueError
        There is one coordinate, or the covariance of two frames is singular.
    """
    dim = paths.dim
    if dim < 2:
        raise ValueError(
            "a Gaussian process of one coordinate is reversible: method='linear' needs two or more, use 'uncertainty'"
        )
    own, even, joint = _covariances(paths)
    values, vectors = np.linalg.eigh(even)
    if values[0] <= 1e-12 * values[-1]:
        raise ValueError(
            "the covariance of two successive frames is singular: a direction has no noise; leave coordinates out, or "
            "use method='uncertainty'"
        )
    root = (vectors / np.sqrt(values)) @ vectors.T
    rows, columns = np.triu_indices(dim, 1)

    def statistic(means: Array) -> Array:
        odd = np.zeros((len(means), 2 * dim, 2 * dim))
        odd[:, dim + rows, columns], odd[:, dim + columns, rows] = means, -means
        eigenvalues = np.linalg.eigvalsh(root @ (odd + odd.swapaxes(1, 2)) @ root)
        squares = np.minimum(eigenvalues**2, 1 - 1e-12)
        return np.asarray((squares / (1 - squares)).sum(axis=1))

    return OddStatistic(bundled(own[:, rows, columns]), statistic, _contributions(paths, joint))


def _covariances(paths: Paths) -> tuple[Array, Array, Array]:
    """Return each particle's antisymmetric correlation, the even covariance of two frames, and the whole one."""
    early, late = paths.position[:-1], paths.position[1:]
    count = early.shape[0] * early.shape[1]
    flat = [part.reshape(count, -1) for part in (early, late)]
    S = (flat[0].T @ flat[0] + flat[1].T @ flat[1]) / (2 * count)
    C = flat[1].T @ flat[0] / count
    blocks = [np.einsum("tpi,tpj->pij", late[:, p : p + 256], early[:, p : p + 256], optimize=True) / len(early)
              for p in range(0, paths.particles, 256)]  # fmt: skip
    own = np.concatenate(blocks)
    symmetric = (C + C.T) / 2
    even = np.block([[S, symmetric], [symmetric, S]])
    return (own - own.swapaxes(1, 2)) / 2, even, np.block([[S, C.T], [C, S]])


def _contributions(paths: Paths, joint: Array) -> Array:
    """Return what a particle adds to first order: the quadratic form of the derivative by the joint covariance."""
    dim = paths.dim
    order = np.r_[dim : 2 * dim, :dim]
    inverse = np.linalg.inv(joint[np.ix_(order, order)])
    derivative = (inverse - (inverse @ joint @ inverse)[np.ix_(order, order)]) / 2
    both = (derivative[:dim, :dim] + derivative[dim:, dim:]) / 2  # S is averaged over the two frames
    derivative[:dim, :dim] = derivative[dim:, dim:] = both
    values = np.empty(paths.particles)
    for chosen, middle, change in paths.steps(4 * dim):
        pair = np.concatenate([middle - change / 2, middle + change / 2], axis=-1)
        values[chosen] = ((pair @ derivative) * pair).sum(axis=-1).mean(axis=0)
    return values
