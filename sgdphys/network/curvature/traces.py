"""Trace and diagonal of a symmetric matrix that is known by its products: exact, or from random vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sgdphys.network.curvature.probes import Estimate, columns_at_once, mean_of_probes, random_signs, sign_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from sgdphys.network.curvature.routes import Product

__all__ = ["diagonal_probes", "exact_diagonal", "exact_trace", "hutch_plus_plus", "hutchinson"]


def exact_diagonal(product: Product, like: Tensor) -> Tensor:
    """Return the diagonal (d,) from d products; ``like`` (d,) has dtype and device."""
    dim = len(like)
    diagonal = torch.empty(dim, dtype=torch.float64, device=like.device)
    for numbers in torch.split(torch.arange(dim, device=like.device), columns_at_once(dim)):
        columns = torch.zeros(dim, len(numbers), dtype=like.dtype, device=like.device)
        columns[numbers, torch.arange(len(numbers), device=like.device)] = 1
        diagonal[numbers] = product(columns)[numbers].diagonal().double()
    return diagonal


def exact_trace(product: Product, like: Tensor) -> Estimate:
    """Return the trace from d products, with standard error 0."""
    return Estimate(float(exact_diagonal(product, like).sum()), 0.0, len(like))


def hutchinson(product: Product, like: Tensor, n_products: int, seed: int) -> Estimate:
    """Return the mean of z'Az over random signs z: without bias, variance 2 (|A|_F^2 - |diag A|^2) / n.

    Returns
    -------
    Estimate
        Value, standard error, products.

    References
    ----------
    M. Hutchinson, Commun. Stat. Simul. Comput. 18 (1989) 1059.
    """
    forms = torch.cat([(z.double() * product(z).double()).sum(dim=0) for z in sign_blocks(n_products, seed, like)])
    value, error = mean_of_probes(forms)
    return Estimate(float(value), float(error), n_products)


def hutch_plus_plus(product: Product, like: Tensor, n_products: int, seed: int) -> Estimate:
    r"""Return the trace as an exact part in a sketched space and Hutchinson's estimate outside of it.

    .. math:: \mathrm{tr}(Q^T A Q) + \frac1m \sum_i z_i^T (1 - Q Q^T) A (1 - Q Q^T) z_i

    with Q an orthonormal basis of A S for random signs S (d, m); a third of the products for each of the three. Given
    Q, the second part has no bias and gives the standard error. For a positive matrix the error falls as 1/products.

    Returns
    -------
    Estimate
        Value, standard error, products.

    References
    ----------
    R. Meyer, C. Musco, C. Musco, D. Woodruff, Symposium on Simplicity in Algorithms (2021), algorithm 1.
    """
    dim, third = len(like), n_products // 3
    rank, rest = min(third, dim), n_products - 2 * min(third, dim)
    signs = random_signs(rank + rest, seed, like)
    basis, _ = torch.linalg.qr(product(signs[:, :rank]).double())
    kept = (basis * product(basis.to(like)).double()).sum()
    outside = signs[:, rank:].double()
    outside = outside - basis @ (basis.T @ outside)
    value, error = mean_of_probes((outside * product(outside.to(like)).double()).sum(dim=0))
    return Estimate(float(kept + value), float(error), 2 * rank + rest)


def diagonal_probes(product: Product, like: Tensor, n_products: int, seed: int) -> Iterator[Tensor]:
    """Yield blocks of z * Az (d, block) for random signs z, whose mean is the diagonal, without bias.

    Yields
    ------
    Tensor
        In float64.

    References
    ----------
    C. Bekas, E. Kokiopoulou, Y. Saad, Appl. Numer. Math. 57 (2007) 1214.
    """
    for z in sign_blocks(n_products, seed, like):
        yield z.double() * product(z).double()
