"""Pieces of the data set, pairs of them, and the blocks of a symmetric matrix that they fill."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

__all__ = ["add_block", "cut", "pairs"]

_Made = TypeVar("_Made")


def pairs(
    pieces: Sequence[slice], make: Callable[[slice], _Made], keep: bool = False
) -> Iterator[tuple[slice, slice, _Made, _Made]]:
    """Yield all pairs of pieces with what is made of them, each pair once; without ``keep`` two exist at a time."""
    kept: dict[int, _Made] = {}
    for index, rows in enumerate(pieces):
        first = make(rows)
        yield rows, rows, first, first
        for earlier in range(index):
            yield rows, pieces[earlier], first, kept[earlier] if keep else make(pieces[earlier])
        if keep:
            kept[index] = first


def add_block(matrix: Tensor, rows: slice, others: slice, part: Tensor) -> None:
    """Add a block to a symmetric matrix, and its transpose on the other side of the diagonal."""
    matrix[rows, others] += part
    if rows is not others:
        matrix[others, rows] += part.T


def cut(count: int, max_bytes: int, bytes_each: int) -> list[slice]:
    """Return pieces of ``count`` things that together take no more than ``max_bytes``, one thing at least."""
    size = max(1, max_bytes // max(bytes_each, 1))
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
