"""Kicks with the covariance of the per-sample gradients of a finite sum, C(x) = (1/N) sum_i (g_i - g)(g_i - g)^T.

Parameters of both: address of the sample kernel (as the bits of a float64), its factor, N, its own parameters.
``work`` ends with the rows that the sample kernel itself needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgdphys.kernels.state_dependent_kicks import add_lower_product, cholesky_in_place, zero_rows

if TYPE_CHECKING:
    from sgdphys.kernels.pointers import sample_at

__all__ = ["factored_covariance_kick", "factored_work_rows", "sampled_covariance_kick", "sampled_work_rows"]


def sampled_work_rows(dim: int) -> int:
    """Return the rows of scratch of the sum over samples: the sum, weights, their mean, and indices."""
    return dim + 3


def factored_work_rows(dim: int) -> int:
    """Return the rows of scratch of the factor: C and one row, two gradients, the mean, weights and indices."""
    return dim * dim + 1 + 3 * dim + 2


def sampled_covariance_kick(normals, x, parameters, factor, work, base, out):
    """B xi = N^(-1/2) sum_i (g_i - g) xi_i with a channel for each sample: the weights xi_i less their mean."""
    dim = out.shape[0]
    n_samples = normals.shape[0]
    total, weights, mean = work[:dim], work[dim], work[dim + 1]
    indices = work[dim + 2].view(np.int64)
    zero_rows(work, dim + 2)
    for sample in range(n_samples):
        for lane in range(x.shape[1]):
            mean[lane] += normals[sample, lane]
    for lane in range(x.shape[1]):
        mean[lane] /= n_samples
    scale = factor * parameters[1] / np.sqrt(np.float64(n_samples))
    add = sample_at(np.float64(parameters[0]).view(np.uint64))
    for sample in range(n_samples):
        for lane in range(x.shape[1]):
            weights[lane] = scale * (normals[sample, lane] - mean[lane])
            indices[lane] = sample
        add(x, parameters[3:], indices, weights, work[dim + 3 :], total)
    for row in range(dim):
        for lane in range(out.shape[1]):
            out[row, lane] = base[row, lane] + total[row, lane]


def factored_covariance_kick(normals, x, parameters, factor, work, base, out):
    """B the lower Cholesky factor of C(x), with a channel for each coordinate."""
    dim = out.shape[0]
    matrix, rest = work[: dim * dim + 1], work[dim * dim + 1 :]
    sum_covariance(x, parameters, rest, matrix)
    cholesky_in_place(matrix, dim)
    add_lower_product(matrix, dim, normals, factor, base, out)


def sum_covariance(x, parameters, work, matrix):
    """Write the lower triangle of C; gradients are taken relative to that of sample 0, so that little cancels."""
    dim = x.shape[0]
    n_samples = np.int64(parameters[2])
    first, own, mean = work[:dim], work[dim : 2 * dim], work[2 * dim : 3 * dim]
    zero_rows(matrix, dim * dim)
    zero_rows(work, 3 * dim)
    add_gradient(x, parameters, 0, work[3 * dim :], first)
    for sample in range(1, n_samples):
        for row in range(dim):
            target, source = own[row], first[row]
            for lane in range(x.shape[1]):
                target[lane] = -source[lane]
        add_gradient(x, parameters, sample, work[3 * dim :], own)
        add_products(own, mean, matrix)
    share = 1.0 / n_samples
    for i in range(dim):
        for j in range(i + 1):
            for lane in range(x.shape[1]):
                product = share * mean[i, lane] * mean[j, lane]
                matrix[i * dim + j, lane] = share * (matrix[i * dim + j, lane] - product)


def add_gradient(x, parameters, sample, work, out):
    """Add the gradient of one sample's loss to ``out``; the first rows of ``work`` become weights and indices."""
    weights, indices = work[0], work[1].view(np.int64)
    for lane in range(x.shape[1]):
        weights[lane] = parameters[1]
        indices[lane] = sample
    sample_at(np.float64(parameters[0]).view(np.uint64))(x, parameters[3:], indices, weights, work[2:], out)


def add_products(own, mean, matrix):
    """Add a vector to a sum, and the lower triangle of its square to another."""
    dim = own.shape[0]
    for i in range(dim):
        left, total = own[i], mean[i]
        for lane in range(own.shape[1]):
            total[lane] += left[lane]
        for j in range(i + 1):
            right, entry = own[j], matrix[i * dim + j]
            for lane in range(own.shape[1]):
                entry[lane] += left[lane] * right[lane]
