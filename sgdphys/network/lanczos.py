"""Largest eigenpairs of a symmetric operator that is known by its products with vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

__all__ = ["Eigenpairs", "leading_eigenpairs"]


class Eigenpairs(NamedTuple):
    """Eigenvalues (k,) falling, eigenvectors (d, k), residual norms |A v - lambda v| (k,) and number of products."""

    values: Tensor
    vectors: Tensor
    residuals: Tensor
    products: int


def leading_eigenpairs(
    matvec: Callable[[Tensor], Tensor],
    start: Tensor,
    k: int,
    *,
    tolerance: float = 1e-9,
    max_iterations: int | None = None,
) -> Eigenpairs:
    r"""Return the k algebraically largest eigenpairs of a symmetric operator.

    Lanczos iteration with full (twice repeated) reorthogonalisation. It stops when the k leading Ritz pairs have
    :math:`|\beta_m s_{mi}| \le` ``tolerance`` times the largest absolute Ritz value; an invariant subspace is left by a
    new random direction, so that repeated eigenvalues are found as well. The residual norms returned are recomputed
    from the operator.

    Parameters
    ----------
    matvec
        v (d,) -> A v (d,).
    start
        Start vector (d,), not zero; its dtype and device are those of the result.
    k
        Number of eigenpairs, 1 to d.
    tolerance
        Relative residual at which the iteration stops.
    max_iterations
        Largest dimension of the Krylov space; default d.

    Returns
    -------
    Eigenpairs
        Values, vectors, residual norms, products used.

    Raises
    ------
    ValueError
        ``k`` is not between 1 and d.

    References
    ----------
    C. Paige, J. Inst. Math. Appl. 18 (1976) 341; B. Parlett, "The symmetric eigenvalue problem", chapter 13.
    """
    dim = len(start)
    if not 1 <= k <= dim:
        raise ValueError(f"k must lie between 1 and the dimension {dim}, got {k}")
    limit = min(dim, max_iterations or dim)
    basis = [start / start.norm()]
    diagonal: list[Tensor] = []
    coupling: list[Tensor] = []
    generator = torch.Generator().manual_seed(0)
    while True:
        image = matvec(basis[-1])
        diagonal.append(image @ basis[-1])
        rest, beta = _orthogonalised(image, basis)
        values, weights = _ritz(diagonal, coupling)
        scale = float(values.abs().max())
        if len(basis) == limit or _converged(weights, float(beta), k, tolerance * scale):
            break
        if float(beta) <= 1e-13 * scale:
            rest, norm = _orthogonalised(torch.randn(dim, generator=generator, dtype=start.dtype).to(start), basis)
            rest, beta = rest / norm, torch.zeros_like(beta)
        else:
            rest = rest / beta
        basis.append(rest)
        coupling.append(beta)
    leading = values.argsort(descending=True)[:k]
    vectors = torch.stack(basis, dim=1) @ weights[:, leading].to(start)
    values = values[leading].to(start)
    residuals = torch.stack([(matvec(v) - value * v).norm() for value, v in zip(values, vectors.T, strict=True)])
    return Eigenpairs(values, vectors, residuals, len(basis) + k)


def _orthogonalised(vector: Tensor, basis: list[Tensor]) -> tuple[Tensor, Tensor]:
    space = torch.stack(basis)
    for _ in range(2):
        vector = vector - space.T @ (space @ vector)
    return vector, vector.norm()


def _ritz(diagonal: list[Tensor], coupling: list[Tensor]) -> tuple[Tensor, Tensor]:
    matrix = torch.diag(torch.stack(diagonal).double().cpu())
    if coupling:
        off = torch.stack(coupling).double().cpu()
        matrix += torch.diag(off, 1) + torch.diag(off, -1)
    values, weights = torch.linalg.eigh(matrix)
    return values, weights


def _converged(weights: Tensor, beta: float, k: int, tolerance: float) -> bool:
    if len(weights) < k:
        return False
    return bool((beta * weights[-1, -k:].abs()).max() <= tolerance)  # eigh sorts upwards: the last k columns lead
