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
    :math:`|\beta_m s_{mi}| \le` ``tolerance`` times the largest absolute Ritz value. One Krylov space holds a single
    vector of a repeated eigenvalue (of a linear network with several outputs, say), so the rest of the space is then
    searched for eigenvalues above the smallest one found, until there is none. The residual norms returned are
    recomputed from the operator.

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
        Largest dimension of the Krylov space, for a result of larger residuals; default d.

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
    search = _Search(matvec, tolerance, min(dim, max_iterations or dim))
    values, vectors = search.run(start, k, start.new_zeros((dim, 0)))
    while vectors.shape[1] < dim and not search.stopped_early:
        unseen = torch.randn(dim, generator=search.generator, dtype=start.dtype).to(start)
        candidate, direction = search.run(unseen, 1, vectors, tolerance**0.5)  # its value errs by the residual squared
        if len(values) == k and float(candidate) <= float(values[-1]) + 10 * tolerance * search.scale:
            break
        candidate, direction = search.run(direction[:, 0], 1, vectors)
        order = torch.cat([values, candidate]).argsort(descending=True)[:k]
        values, vectors = torch.cat([values, candidate])[order], torch.cat([vectors, direction], dim=1)[:, order]
    images = torch.stack([matvec(vector) for vector in vectors.T], dim=1)
    return Eigenpairs(values, vectors, (images - values * vectors).norm(dim=0), search.products + k)


class _Search:
    """Lanczos runs on one operator, outside the span of given vectors."""

    def __init__(self, matvec: Callable[[Tensor], Tensor], tolerance: float, limit: int) -> None:
        self.matvec, self.tolerance, self.limit = matvec, tolerance, limit
        self.generator = torch.Generator().manual_seed(0)
        self.products, self.scale, self.stopped_early = 0, 0.0, False

    def run(self, start: Tensor, k: int, locked: Tensor, tolerance: float | None = None) -> tuple[Tensor, Tensor]:
        """Return up to k leading eigenvalues and vectors in the space orthogonal to the columns of ``locked``."""
        basis = _outside(start, locked)[:, None] / _outside(start, locked).norm()
        diagonal: list[float] = []
        coupling: list[float] = []
        while True:
            image = self.matvec(basis[:, -1])
            self.products += 1
            diagonal.append(float(image @ basis[:, -1]))
            rest = _outside(image, torch.cat([locked, basis], dim=1))
            beta = float(rest.norm())
            values, weights = _ritz(diagonal, coupling)
            self.scale = max(self.scale, float(values.abs().max()))
            allowed = (tolerance or self.tolerance) * self.scale
            if beta <= 1e-13 * self.scale or _converged(weights, beta, k, allowed):
                break  # the first when the space is exhausted
            if basis.shape[1] == self.limit:
                self.stopped_early = True
                break
            basis = torch.cat([basis, rest[:, None] / beta], dim=1)
            coupling.append(beta)
        leading = values.argsort(descending=True)[:k]
        return values[leading].to(start), basis @ weights[:, leading].to(start)


def _outside(vector: Tensor, space: Tensor) -> Tensor:
    for _ in range(2):
        vector = vector - space @ (space.T @ vector)
    return vector


def _ritz(diagonal: list[float], coupling: list[float]) -> tuple[Tensor, Tensor]:
    kind = torch.float64
    matrix = torch.diag(torch.tensor(diagonal, dtype=kind))
    if coupling:
        off = torch.tensor(coupling, dtype=kind)
        matrix += torch.diag(off, 1) + torch.diag(off, -1)
    values, weights = torch.linalg.eigh(matrix)
    return values, weights


def _converged(weights: Tensor, beta: float, k: int, allowed: float) -> bool:
    if len(weights) < k:
        return False
    return bool((beta * weights[-1, -k:].abs()).max() <= allowed)  # eigh sorts upwards: the last k columns lead
