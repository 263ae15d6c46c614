"""Which samples each replica sees at each step: indices from counters, the same on every device."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import torch

from sgdphys.kernels.philox import STREAMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from sgdphys.sgd import Sampling

__all__ = ["IndexStream", "Key", "counter_words", "philox_words"]

Key: TypeAlias = "int | Sequence[int]"  # of all replicas, or of each replica of the cloud

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_INDEX_BITS = 31


def philox_words(
    counter: tuple[Tensor, Tensor, Tensor, Tensor], key: int | tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the four words of Philox4x32-10 for int64 tensors of 32-bit counter words.

    Products wrap modulo 2^64 in int64 arithmetic, so that masking recovers both halves; CPU and CUDA agree to the bit.

    Parameters
    ----------
    counter
        The words c0, c1, c2, c3, each in [0, 2^32); they broadcast against each other.
    key
        64-bit key: k0 is its low half, k1 its high half. Or both halves as tensors.

    Returns
    -------
    tuple of Tensor
        Four int64 tensors with values in [0, 2^32).

    References
    ----------
    Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", SC'11, section 4.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = (key & _MASK, key >> 32) if isinstance(key, int) else key
    for _ in range(10):
        product_0, product_1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c2 = ((product_1 >> 32) & _MASK) ^ (c1 ^ k0), ((product_0 >> 32) & _MASK) ^ (c3 ^ k1)
        c1, c3 = product_1 & _MASK, product_0 & _MASK
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    return c0, c1, c2, c3


def counter_words(key: Key, stream: int, steps: Tensor, replicas: Tensor, count: int) -> Tensor:
    """Return random words in the counter layout of :mod:`sgdphys.kernels.philox`.

    Parameters
    ----------
    key
        64-bit key, or one for each replica of the cloud, found by its number.
    stream
        Number of the stream.
    steps, replicas
        Absolute steps and numbers of replicas, int64.
    count
        Words per step and replica.

    Returns
    -------
    Tensor
        (step, replica, count), int64 in [0, 2^32).
    """
    groups = torch.arange(-(-count // 4), device=replicas.device)
    c0 = (replicas & _MASK)[None, :, None]
    c1 = (steps & _MASK)[:, None, None]
    c2 = (groups | (stream << 24))[None, None, :]
    c3 = ((replicas >> 32) << 16)[None, :, None] | (steps >> 32)[:, None, None]
    words = philox_words((c0, c1, c2, c3), key if isinstance(key, int) else _halves(key, replicas))
    return torch.stack(words, dim=-1).flatten(-2)[..., :count]


def _halves(keys: Sequence[int], replicas: Tensor) -> tuple[Tensor, Tensor]:
    own = [keys[replica] for replica in replicas.tolist()]
    low = torch.tensor([key & _MASK for key in own], device=replicas.device)
    high = torch.tensor([key >> 32 for key in own], device=replicas.device)
    return low[None, :, None], high[None, :, None]


@dataclass
class IndexStream:
    """Minibatch indices as a pure function of key, replica and step.

    The counter layout is that of :mod:`sgdphys.kernels.philox`.

    Draw ``j`` of a step is word ``j % 4`` of group ``j // 4``; ``(word * n) >> 32`` maps it to ``0..n-1`` with a bias
    below ``n / 2^32``.

    Parameters
    ----------
    key
        64-bit key, ``kernels.philox.key_of(seed, *point)``, or one for each replica of the cloud.
    n_samples
        Size of the data set, below 2^31.
    batch_size
        Indices per step and replica.
    sampling
        ``"replacement"``: independent draws. ``"without"``: a uniform subset of distinct samples (Floyd's algorithm).
        ``"shuffle"``: consecutive pieces of one permutation per replica and epoch; the last short piece is dropped.
    device
        Where the indices are made.
    stream
        Name of the random stream, of ``kernels.philox.STREAMS``.
    """

    key: Key
    n_samples: int
    batch_size: int
    sampling: Sampling
    device: torch.device
    stream: str = "network_indices"
    _epochs: dict[int, Tensor] = field(default_factory=dict, init=False, repr=False)
    _replicas: Tensor | None = field(default=None, init=False, repr=False)  # of the remembered epoch

    def draw(self, first_step: int, n_steps: int, first_replica: int, n_replicas: int) -> Tensor:
        """Return the indices of ``n_steps`` steps, (step, replica, batch_size), int64."""
        replicas = torch.arange(first_replica, first_replica + n_replicas, device=self.device)
        return self.draw_for(range(first_step, first_step + n_steps), replicas)

    def draw_for(self, steps: range, replicas: Tensor, places: Sequence[tuple[int, int]] | None = None) -> Tensor:
        """Return the indices of some steps of some replicas.

        Parameters
        ----------
        steps
            Consecutive absolute steps.
        replicas
            Numbers of the replicas, int64.
        places
            With shuffling, epoch and used-up samples of it at each step; default those of this batch size throughout.

        Returns
        -------
        Tensor
            (step, replica, batch_size), int64.
        """
        if self.sampling == "shuffle":
            per_epoch = self.n_samples // self.batch_size
            own = [(step // per_epoch, step % per_epoch * self.batch_size) for step in steps]
            return self._pieces(own if places is None else places, replicas)
        numbers = torch.arange(steps.start, steps.stop, device=self.device)
        words = self._words(self.stream, numbers, replicas, self.batch_size)
        if self.sampling == "replacement":
            return (words * self.n_samples) >> 32
        return self._subsets(words)

    def _words(self, stream: str, steps: Tensor, replicas: Tensor, count: int) -> Tensor:
        return counter_words(self.key, STREAMS[stream], steps, replicas, count)

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

    def _pieces(self, places: Sequence[tuple[int, int]], replicas: Tensor) -> Tensor:
        orders = (self._order(epoch, replicas)[:, start : start + self.batch_size] for epoch, start in places)
        return torch.stack(list(orders))

    def _order(self, epoch: int, replicas: Tensor) -> Tensor:
        if epoch not in self._epochs or self._replicas is not replicas:
            number = torch.tensor([epoch], device=self.device)
            words = self._words("network_shuffle", number, replicas, self.n_samples)[0]
            # equal words keep their order
            unique = (words << _INDEX_BITS) | torch.arange(self.n_samples, device=self.device)
            self._epochs.clear()
            self._epochs[epoch], self._replicas = torch.argsort(unique, dim=-1), replicas
        return self._epochs[epoch]
