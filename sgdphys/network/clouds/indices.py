"""Which samples each replica sees at each step: indices from counters, the same on every device."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from sgdphys.kernels.philox import STREAMS

if TYPE_CHECKING:
    from torch import Tensor

    from sgdphys.sgd import Sampling

__all__ = ["IndexStream", "philox_words"]

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_INDEX_BITS = 31


def philox_words(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the four words of Philox4x32-10 for int64 tensors of 32-bit counter words.

    Products wrap modulo 2^64 in int64 arithmetic, so that masking recovers both halves; CPU and CUDA agree to the bit.

    Parameters
    ----------
    counter
        The words c0, c1, c2, c3, each in [0, 2^32); they broadcast against each other.
    key
        64-bit key: k0 is its low half, k1 its high half.

    Returns
    -------
    tuple of Tensor
        Four int64 tensors with values in [0, 2^32).

    References
    ----------
    Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", SC'11, section 4.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key & _MASK, key >> 32
    for _ in range(10):
        product_0, product_1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c2 = ((product_1 >> 32) & _MASK) ^ (c1 ^ k0), ((product_0 >> 32) & _MASK) ^ (c3 ^ k1)
        c1, c3 = product_1 & _MASK, product_0 & _MASK
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    return c0, c1, c2, c3


@dataclass
class IndexStream:
    """Minibatch indices as a pure function of key, replica and step.

    The counter layout is that of :mod:`sgdphys.kernels.philox`.

    Draw ``j`` of a step is word ``j % 4`` of group ``j // 4``; ``(word * n) >> 32`` maps it to ``0..n-1`` with a bias
    below ``n / 2^32``.

    Parameters
    ----------
    key
        64-bit key, ``kernels.philox.key_of(seed, *point)``.
    n_samples
        Size of the data set, below 2^31.
    batch_size
        Indices per step and replica.
    sampling
        ``"replacement"``: independent draws. ``"without"``: a uniform subset of distinct samples (Floyd's algorithm).
        ``"shuffle"``: consecutive pieces of one permutation per replica and epoch; the last short piece is dropped.
    device
        Where the indices are made.
    """

    key: int
    n_samples: int
    batch_size: int
    sampling: Sampling
    device: torch.device
    _epochs: dict[tuple[int, int, int], Tensor] = field(default_factory=dict, init=False, repr=False)

    def draw(self, first_step: int, n_steps: int, first_replica: int, n_replicas: int) -> Tensor:
        """Return the indices of ``n_steps`` steps, (step, replica, batch_size), int64."""
        steps = torch.arange(first_step, first_step + n_steps, device=self.device)
        replicas = torch.arange(first_replica, first_replica + n_replicas, device=self.device)
        if self.sampling == "shuffle":
            return self._pieces(steps, replicas)
        words = self._words("network_indices", steps, replicas, self.batch_size)
        if self.sampling == "replacement":
            return (words * self.n_samples) >> 32
        return self._subsets(words)

    def _words(self, stream: str, steps: Tensor, replicas: Tensor, count: int) -> Tensor:
        groups = torch.arange(-(-count // 4), device=self.device)
        c0 = (replicas & _MASK)[None, :, None]
        c1 = (steps & _MASK)[:, None, None]
        c2 = (groups | (STREAMS[stream] << 24))[None, None, :]
        c3 = ((replicas >> 32) << 16)[None, :, None] | (steps >> 32)[:, None, None]
        return torch.stack(philox_words((c0, c1, c2, c3), self.key), dim=-1).flatten(-2)[..., :count]

    def _subsets(self, words: Tensor) -> Tensor:
        # Floyd & Bentley 1987: draw j picks t in 0..top, or takes top = N - B + j itself when t was there already
        if self.batch_size == self.n_samples:
            return torch.arange(self.n_samples, device=self.device).expand(words.shape)
        chosen = torch.empty_like(words)
        for j in range(self.batch_size):
            top = self.n_samples - self.batch_size + j
            pick = (words[..., j] * (top + 1)) >> 32
            taken = (chosen[..., :j] == pick[..., None]).any(dim=-1)
            chosen[..., j] = torch.where(taken, top, pick)
        return chosen

    def _pieces(self, steps: Tensor, replicas: Tensor) -> Tensor:
        per_epoch = self.n_samples // self.batch_size
        pieces = []
        for step in steps.tolist():
            epoch, phase = divmod(step, per_epoch)
            order = self._order(epoch, replicas)
            pieces.append(order[:, phase * self.batch_size : (phase + 1) * self.batch_size])
        return torch.stack(pieces)

    def _order(self, epoch: int, replicas: Tensor) -> Tensor:
        name = (epoch, int(replicas[0]), len(replicas))
        if name not in self._epochs:
            words = self._words("network_shuffle", torch.tensor([epoch], device=self.device), replicas, self.n_samples)[
                0
            ]
            unique = (words << _INDEX_BITS) | torch.arange(
                self.n_samples, device=self.device
            )  # equal words keep their order
            self._epochs.clear()
            self._epochs[name] = torch.argsort(unique, dim=-1)
        return self._epochs[name]
