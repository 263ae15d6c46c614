"""Eigenpairs at the ends of the spectrum of a symmetric operator that is known by its products with vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from sgdphys.checks import finite_number, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

__all__ = ["Eigenpairs", "end_eigenpairs", "leading_eigenpairs"]

_ROUNDING = 10  # machine epsilons below which products say nothing of a residual

_SEED = 3_141_592_653  # of the vectors that search the rest of a space, not that of a start; torch takes 32 bits


class Eigenpairs(NamedTuple):
    """Eigenvalues (k,) falling, eigenvectors (d, k), residual norms |A v - lambda v| (k,) and number of products."""

    values: Tensor
    vectors: Tensor
    residuals: Tensor
    products: int


def end_eigenpairs(matvec: Callable[[Tensor], Tensor], start: Tensor, k: int, end: str, **options: Any) -> Eigenpairs:
    """Return the k largest, the k smallest or both in falling order; see ``leading_eigenpairs``.

    Returns
    -------
    Eigenpairs
        k of them, 2 k for both ends.

    Raises
    ------
    ValueError
        There is no such end, or ``k`` is out of range.
    """
    if end not in {"largest", "smallest", "both"}:
        raise ValueError(f"end must be 'largest', 'smallest' or 'both', got {end!r}")
    if end == "both" and 2 * whole_number("k", k, least=0) > len(start):
        raise ValueError(f"k must lie between 1 and half the dimension {len(start)} for end='both', got {k}")
    ends = []
    if end != "smallest":
        ends.append(leading_eigenpairs(matvec, start, k, **options))
    if end != "largest":
        values, vectors, residuals, products = leading_eigenpairs(lambda v: -matvec(v), start, k, **options)
        ends.append(Eigenpairs(-values.flip(0), vectors.flip(1), residuals.flip(0), products))
    values, vectors, residuals = (torch.cat(parts, dim=-1) for parts in list(zip(*ends, strict=True))[:3])
    return Eigenpairs(values, vectors, residuals, sum(pairs.products for pairs in ends))


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
        Relative residual at which the iteration stops; at least ten machine epsilons of the dtype.
    max_iterations
        Largest dimension of the Krylov space, for a result of larger residuals; default d.

    Returns
    -------
    Eigenpairs
        Values, vectors, residual norms, products used.

    Raises
    ------
    ValueError
        ``k`` is not between 1 and d, ``tolerance`` is negative or not finite, or ``max_iterations`` not positive.

    References
    ----------
    C. Paige, J. Inst. Math. Appl. 18 (1976) 341; B. Parlett, "The symmetric eigenvalue problem", chapter 13.
    """
    dim = len(start)
    k = whole_number("k", k, least=0)
    if not 1 <= k <= dim:
        raise ValueError(f"k must lie between 1 and the dimension {dim}, got {k}")
    limit = dim if max_iterations is None else min(dim, whole_number("max_iterations", max_iterations))
    tolerance = max(
        finite_number("tolerance", tolerance, sign="not negative"), _ROUNDING * torch.finfo(start.dtype).eps
    )
    search = _Search(matvec, tolerance, limit)
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
        self.generator = torch.Generator().manual_seed(_SEED)
        self.products, self.scale, self.stopped_early = 0, 0.0, False

    def run(self, start: Tensor, k: int, locked: Tensor, tolerance: float | None = None) -> tuple[Tensor, Tensor]:
        """Return up to k leading eigenvalues and vectors in the space orthogonal to the columns of ``locked``."""
        space = _Space(locked.T)
        space.add(_unit(space.outside(start)))
        diagonal: list[float] = []
        coupling: list[float] = []
        negligible = max(1e-13, 50 * torch.finfo(start.dtype).eps)
        while True:
            image = self.matvec(space.last)
            self.products += 1
            diagonal.append(float(image.double() @ space.last.double()))
            rest = space.outside(image)
            beta, size = float(rest.norm()), len(diagonal)
            self.scale = max(self.scale, abs(diagonal[-1]), beta)
            exhausted = beta <= negligible * self.scale
            if exhausted or size == self.limit or size % max(1, size // 20) == 0:  # now and then in a large space
                values, weights = _ritz(diagonal, coupling)
                self.scale = max(self.scale, float(values.abs().max()))
                if exhausted or _converged(weights, beta, k, (tolerance or self.tolerance) * self.scale):
                    break
                if size == self.limit:
                    self.stopped_early = True
                    break
            space.add(rest / beta)
            coupling.append(beta)
        leading = values.argsort(descending=True)[:k]
        return values[leading].to(start), space.own.T @ weights[:, leading].to(start)


class _Space:
    """Orthonormal rows: some that are locked, and those of a Krylov space, in storage that doubles when it is full."""

    def __init__(self, locked: Tensor) -> None:
        self.n_locked, self.count = len(locked), len(locked)
        self.rows = torch.cat([locked, locked.new_zeros(16, locked.shape[1])])

    @property
    def own(self) -> Tensor:
        """The Krylov space, (m, d)."""
        return self.rows[self.n_locked : self.count]

    @property
    def last(self) -> Tensor:
        """The latest row, (d,)."""
        return self.rows[self.count - 1]

    def add(self, row: Tensor) -> None:
        """Append a row."""
        if self.count == len(self.rows):
            self.rows = torch.cat([self.rows, torch.zeros_like(self.rows)])
        self.rows[self.count] = row
        self.count += 1

    def outside(self, vector: Tensor) -> Tensor:
        """Return the part of a vector (d,) that is orthogonal to all rows."""
        rows = self.rows[: self.count]
        for _ in range(2):
            vector = vector - rows.T @ (rows @ vector)
        return vector


def _unit(vector: Tensor) -> Tensor:
    unit: Tensor = vector / vector.norm()
    return unit


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
