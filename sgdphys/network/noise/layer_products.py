r"""Scalar products of the per-sample gradients of one parameter, from what its layers did with it.

With the gradient of sample i the sum over positions of b_ip a_ip', the product of two samples needs no gradient:

.. math:: \langle g_i, g_j \rangle = \sum_{pq} (a_{ip} \cdot a_{jq}) (b_{ip} \cdot b_{jq})

Where there are so many positions that this takes longer, the gradients are formed, some rows of the matrix at a time.
The uses of a shared parameter are further positions, so that their cross terms are in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import torch

from sgdphys.network.noise.layer_uses import (
    BLOCK_BYTES,
    ConvolutionUse,
    DirectUse,
    EmbeddingUse,
    LinearUse,
    pieces_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from sgdphys.network.noise.layer_uses import Use

__all__ = ["products", "squared_norms", "sum_of_squares", "weighted_sum", "working_bytes"]

_SYMMETRIC = 64  # samples from which the halves of a symmetric matrix are told apart

_Factored: TypeAlias = LinearUse | EmbeddingUse


def products(first: Sequence[Use], second: Sequence[Use], shape: torch.Size, with_bias: bool = False) -> Tensor:
    """Return the scalar products (n, m) of the gradients of two lots of samples by one parameter of this shape.

    Parameters
    ----------
    first, second
        The uses by each lot.
    shape
        Shape of the parameter.
    with_bias
        Add those by the bias of the same uses of a matrix, whose input is always one.

    Returns
    -------
    Tensor
        (n, m).
    """
    one, other = _factored(first), _factored(second)
    if one is not None and other is not None:
        positions = one.slopes.shape[1] * other.slopes.shape[1]
        if positions * sum(shape) < shape.numel():
            return _by_positions(one, other, with_bias, first is second)
    result = _by_rows(first, second, shape)
    if with_bias and one is not None and other is not None:
        result.addmm_(one.slopes.sum(dim=1), other.slopes.sum(dim=1).T)
    return result


def working_bytes(uses: Sequence[Use], n: int, shape: torch.Size, same: bool = False) -> int:
    """Return the bytes beside the uses that ``products`` of n samples with n others takes, its result included.

    Parameters
    ----------
    uses
        Uses of the same kind, of any number of samples.
    n
        Number of samples.
    shape
        Shape of the parameter.
    same
        Whether the others are these samples themselves.

    Returns
    -------
    int
        Bytes, without small change.
    """
    one, size = _factored(uses), uses[0].rows(0, 1).element_size()
    if one is not None and one.slopes.shape[1] ** 2 * sum(shape) < shape.numel():
        each = n * (2 * one.slopes.shape[1] ** 2 + 1) * size
        rows = -(-n // 4) if same and n >= _SYMMETRIC else n
        return min(rows * each, max(3 * BLOCK_BYTES // 2, each)) + n**2 * size
    n_rows = min(shape[0], max(1, BLOCK_BYTES // max(n * shape[1:].numel() * 8, 1)))
    block = 0 if isinstance(uses[0], DirectUse) else n * n_rows * shape[1:].numel() * size
    patches = [use.patch_bytes(slice(0, 1)) for use in uses if isinstance(use, ConvolutionUse)]
    return block + max((min(n * each, max(BLOCK_BYTES, each)) for each in patches), default=0) + n**2 * size


def squared_norms(uses: Sequence[Use], shape: torch.Size) -> Tensor:
    """Return the squared norms (n,) of the per-sample gradients by one parameter of this shape."""
    one = _factored(uses)
    if one is not None and one.slopes.shape[1] ** 2 * sum(shape) < shape.numel():
        inner = one.slopes @ one.slopes.mT
        inner *= _likeness_within(one)
        return inner.sum(dim=(1, 2))
    norms = [part.flatten(1).square().sum(dim=1) for part in _row_blocks(uses, shape)]
    return torch.stack(norms).sum(dim=0)


def sum_of_squares(uses: Sequence[Use], shape: torch.Size) -> Tensor:
    """Return the sum over the samples of the squares of their gradients, in the parameter's shape."""
    one = _factored(uses)
    if isinstance(one, LinearUse) and one.slopes.shape[1] == 1:
        return one.slopes[:, 0].square().T @ one.inputs[:, 0].square()
    return torch.cat([part.square().sum(dim=0) for part in _row_blocks(uses, shape)])


def weighted_sum(uses: Sequence[Use], weights: Tensor, shape: torch.Size) -> Tensor:
    """Return the weighted sum of the per-sample gradients, in the parameter's shape."""
    one = _factored(uses)
    if isinstance(one, LinearUse):
        return (one.slopes * weights[:, None, None]).flatten(0, 1).T @ one.inputs.flatten(0, 1)
    return torch.cat([torch.tensordot(weights, part, 1) for part in _row_blocks(uses, shape)])


def _factored(uses: Sequence[Use]) -> _Factored | None:
    """Return all uses as one with more positions, or None where they are of another kind."""
    if len(uses) == 1:
        return uses[0] if isinstance(uses[0], LinearUse | EmbeddingUse) else None
    if all(isinstance(use, LinearUse) for use in uses):
        linear = [use for use in uses if isinstance(use, LinearUse)]
        return LinearUse(*(torch.cat(parts, 1) for parts in zip(*((u.inputs, u.slopes) for u in linear), strict=True)))
    if all(isinstance(use, EmbeddingUse) for use in uses):
        tables = [use for use in uses if isinstance(use, EmbeddingUse)]
        return EmbeddingUse(
            *(torch.cat(parts, 1) for parts in zip(*((u.tokens, u.slopes) for u in tables), strict=True))
        )
    return None


def _by_positions(first: _Factored, second: _Factored, with_bias: bool, same: bool) -> Tensor:
    n, m = first.n_samples, second.n_samples
    positions = first.slopes.shape[1], second.slopes.shape[1]
    result = first.slopes.new_empty(n, m)
    each = 2 * m * positions[0] * positions[1] * first.slopes.element_size()
    for rows in pieces_of(n, max(each, 4 * BLOCK_BYTES // n if same and n >= _SYMMETRIC else 0)):
        stop = rows.stop if same else m  # of a symmetric matrix the other part is known
        inner = first.slopes[rows].flatten(0, 1) @ second.slopes[:stop].flatten(0, 1).T
        likeness = first.likeness(rows, second.until(stop))  # type: ignore[arg-type]
        inner *= likeness.add_(1.0) if with_bias else likeness
        result[rows, :stop] = inner.view(-1, positions[0], stop, positions[1]).sum(dim=(1, 3))
        if same:
            result[: rows.start, rows] = result[rows, : rows.start].T
    return result


def _likeness_within(use: _Factored) -> Tensor:
    if isinstance(use, LinearUse):
        return use.inputs @ use.inputs.mT
    tokens = use.tokens
    return ((tokens[:, :, None] == tokens[:, None]) & (tokens >= 0)[:, :, None]).to(use.slopes)


def _by_rows(first: Sequence[Use], second: Sequence[Use], shape: torch.Size) -> Tensor:
    n, m = first[0].n_samples, second[0].n_samples
    result: Tensor | None = None
    each = (n if first is second else n + m) * shape[1:].numel() * 8
    for rows in pieces_of(shape[0], each):
        left = _rows_of(first, rows).flatten(1)
        right = left if first is second else _rows_of(second, rows).flatten(1)
        result = left @ right.T if result is None else result.addmm_(left, right.T)
    assert result is not None  # a parameter has rows
    return result


def _row_blocks(uses: Sequence[Use], shape: torch.Size) -> Iterator[Tensor]:
    for rows in pieces_of(shape[0], uses[0].n_samples * shape[1:].numel() * 8):
        yield _rows_of(uses, rows)


def _rows_of(uses: Sequence[Use], rows: slice) -> Tensor:
    total = uses[0].rows(rows.start, rows.stop)
    for use in uses[1:]:
        total = total + use.rows(rows.start, rows.stop)
    return total
