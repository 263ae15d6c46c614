"""Count sketches: a few numbers that keep the distances between long vectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch

from sgdphys.checks import whole_number
from sgdphys.kernels.philox import STREAMS, key_of
from sgdphys.network.clouds.indices import philox_words
from sgdphys.network.tensors import like, numbers_like

__all__ = ["CountSketch"]

_PIECE = 2**18  # parameters hashed at once


@dataclass(frozen=True)
class CountSketch:
    r"""A random linear map S from R^d to R^k that keeps inner products on average.

    .. math:: (S x)_j = \sum_{i:\, h(i) = j} s_i\, x_i

    with a bucket h(i) in 0..k-1 and a sign s_i for each coordinate, both a function of the seed and i alone (Philox
    words). Over seeds, for any vectors x and y,

    .. math:: E\, \langle Sx, Sy \rangle = \langle x, y \rangle,\qquad \mathrm{Var} = \frac1k \Big( |x|^2 |y|^2
              + \langle x, y \rangle^2 - 2 \sum_i x_i^2 y_i^2 \Big)

    so that a squared norm has a relative error of at most sqrt(2/k). The map is held as one int32 a coordinate, bucket
    and sign together: the sums go to 2k buckets, of which the odd ones are subtracted from the even ones. That is one
    pass over x without a product. On the CPU the sums run in the order of the coordinates, so that they repeat to the
    bit; CUDA adds in any order.

    Parameters
    ----------
    dim
        Length d of the vectors.
    n_buckets
        Length k of the sketches, below 2^30.
    seed
        Seed of buckets and signs; sketches of different seeds cannot be compared.

    Raises
    ------
    ValueError
        A number is not whole or out of range.

    References
    ----------
    Charikar, Chen & Farach-Colton 2002, ICALP, 693 (the sketch); Weinberger et al. 2009, ICML, 1113, lemma 2 (its mean
    and variance).
    """

    dim: int
    n_buckets: int
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", whole_number("dim", self.dim))
        object.__setattr__(self, "n_buckets", whole_number("n_buckets", self.n_buckets))
        key_of(self.seed)
        if self.n_buckets >= 2**30:
            raise ValueError(f"n_buckets must be below 2^30, got {self.n_buckets}")

    def __call__(self, vectors: Any) -> Any:
        """Return the sketches of vectors.

        Parameters
        ----------
        vectors
            Array or tensor (..., d), on any device.

        Returns
        -------
        array
            (..., k), the same kind of array; whole numbers as float64.

        Raises
        ------
        ValueError
            They are no real numbers, or of another length.
        """
        floating = isinstance(vectors, torch.Tensor) and vectors.is_floating_point()
        rows = vectors.detach() if floating else numbers_like("vectors", vectors, _kind_of(vectors))
        if rows.ndim == 0 or rows.shape[-1] != self.dim:
            raise ValueError(f"vectors must have shape (..., {self.dim}), got {tuple(rows.shape)}")
        flat = rows.reshape(-1, self.dim)
        signed = flat.new_zeros(len(flat), 2 * self.n_buckets)
        self.add(signed, flat, 0)
        return like(vectors, self.fold(signed).reshape(*rows.shape[:-1], self.n_buckets))

    def add(self, signed: torch.Tensor, piece: torch.Tensor, first: int) -> None:
        """Add some coordinates of vectors, (row, n) from coordinate ``first`` on, to their sums (row, 2k)."""
        places = self._places_on(piece.device)[first : first + piece.shape[1]]
        if piece.device.type == "cpu":  # several rows at once would be gathered element by element there
            for target, row in zip(signed, piece, strict=True):
                target.index_add_(0, places, row)
        else:
            signed.index_add_(1, places, piece)

    def fold(self, signed: torch.Tensor) -> torch.Tensor:
        """Return the sketches (row, k) of the sums (row, 2k): the buckets of plus less those of minus."""
        return signed[:, 0::2] - signed[:, 1::2]

    @cached_property
    def _places(self) -> dict[torch.device, torch.Tensor]:
        return {torch.device("cpu"): _table(self)}

    def _places_on(self, device: torch.device) -> torch.Tensor:
        if device not in self._places:
            self._places[device] = self._places[torch.device("cpu")].to(device)
        return self._places[device]

    def _hashed(self, first: int) -> torch.Tensor:
        """Return 2 bucket + (1 where the sign is minus) of some coordinates, two of which share a call of Philox."""
        last = min(first + _PIECE, self.dim)
        pairs = torch.arange(first // 2, -(-last // 2))
        zero = torch.zeros(1, dtype=torch.int64)
        stream = torch.full((1,), STREAMS["count_sketch"] << 24)
        w0, w1, w2, w3 = philox_words((pairs & 0xFFFFFFFF, zero, stream, pairs >> 32), key_of(self.seed))
        words = torch.stack([w0, w2], dim=-1).flatten()
        signs = torch.stack([w1, w3], dim=-1).flatten() & 1
        return (2 * ((words * self.n_buckets) >> 32) + signs)[: last - first].to(torch.int32)


def _kind_of(vectors: Any) -> torch.Tensor:
    device = vectors.device if isinstance(vectors, torch.Tensor) else None
    single = getattr(vectors, "dtype", None) == np.float32
    return torch.empty(0, dtype=torch.float32 if single else torch.float64, device=device)


@lru_cache(maxsize=2)
def _table(sketch: CountSketch) -> torch.Tensor:
    """Return bucket and sign of every coordinate; equal sketches, as of groups of replicas, share them."""
    return torch.cat([sketch._hashed(first) for first in range(0, sketch.dim, _PIECE)])
