"""Sums of Chebyshev polynomials of a symmetric matrix with few diagonals, times a vector."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from sgdphys.kernels.compile import compile_function
from sgdphys.kernels.source import FAST_MATH, source_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["add_chebyshev_terms"]

STRIP = 1024  # cells whose new values and sums stay in the first-level cache while all diagonals pass


def chebyshev_terms(diagonals, offsets, coefficients, before, now, total):
    """Add the terms from the third on; each is M times the last one less the one before.

    ``diagonals[0]`` is the middle one, ``diagonals[d, i]`` the entry at (i, i + offsets[d]) and its mirror image.
    """
    size = before.shape[0]
    for term in range(2, coefficients.shape[0]):
        weight = coefficients[term]
        for first in range(0, size, STRIP):
            last = min(first + STRIP, size)
            new, sums = before[first:last], total[first:last]
            middle, here = diagonals[0, first:last], now[first:last]
            for cell in range(last - first):
                new[cell] = middle[cell] * here[cell] - new[cell]
            for diagonal in range(1, diagonals.shape[0]):
                offset = offsets[diagonal]
                above = max(0, min(last, size - offset) - first)
                entries, there = (
                    diagonals[diagonal, first : first + above],
                    now[first + offset : first + offset + above],
                )
                for cell in range(above):
                    new[cell] += entries[cell] * there[cell]
                start = max(first, offset)
                if start < last:
                    mirrored, behind = (
                        diagonals[diagonal, start - offset : last - offset],
                        now[start - offset : last - offset],
                    )
                    late = before[start:last]
                    for cell in range(last - start):
                        late[cell] += mirrored[cell] * behind[cell]
            for cell in range(last - first):
                sums[cell] += weight * new[cell]
        before, now = now, before


@functools.cache
def _compiled() -> Any:
    text = source_text(chebyshev_terms)
    vector = "float64[::1]"
    signature = f"'void(float64[:, ::1], int64[::1], {vector}, {vector}, {vector}, {vector})'"
    return compile_function("chebyshev_terms", signature, FAST_MATH, text, lambda: text)


def add_chebyshev_terms(
    diagonals: Array, offsets: NDArray[np.int64], coefficients: Array, before: Array, now: Array, total: Array
) -> None:
    r"""Add :math:`\sum_{k \ge 2} c_k t_k` to ``total``, where :math:`t_{k+1} = M t_k - t_{k-1}`.

    Parameters
    ----------
    diagonals
        Of a symmetric M: the middle one, then those above it, shape (diagonal, cell); entry i of a later one stands at
        (i, i + offset), and the last ``offset`` entries are not read.
    offsets
        0, then how far each diagonal lies above the middle, shape (diagonal,).
    coefficients
        c_k from k = 0 on, shape (term,).
    before, now
        t_0 and t_1, shape (cell,); overwritten.
    total
        Shape (cell,).
    """
    _compiled()(diagonals, offsets, coefficients, before, now, total)
