"""How much memory a computation will allocate, from trials with few samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Growth", "growth_of"]

_FEW, _MORE = 4, 12  # samples of the two trials, at least
_SHARES = 16, 8  # parts of the data set that they take


@dataclass(frozen=True)
class Growth:
    """Bytes at the peak and bytes left with the result, each a constant and a part for each sample."""

    peak: tuple[float, float]
    kept: tuple[float, float]

    def peak_of(self, n_samples: int) -> int:
        """Return the bytes at the peak with this many samples."""
        return int(self.peak[0] + self.peak[1] * n_samples)

    def kept_of(self, n_samples: int) -> int:
        """Return the bytes left with the result of this many samples."""
        return int(self.kept[0] + self.kept[1] * n_samples)


class _Allocations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the storages that operations make; those that their arguments brought along do not count."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        known = {_storage(tensor)._cdata for tensor in _tensors((args, kwargs))}
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            storage = _storage(tensor)
            if storage._cdata not in known:
                self.live[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())  # type: ignore[no-untyped-call]
        self.peak = max(self.peak, self.held())
        return result

    def held(self) -> int:
        """Return the bytes that are still in use."""
        self.live = {key: pair for key, pair in self.live.items() if not pair[0].expired()}  # type: ignore[no-untyped-call]
        return sum(size for _, size in self.live.values())


def growth_of(compute: Callable[[int], Any], n_samples: int) -> Growth:
    """Return how the memory of a computation grows with its samples, from two trials with few of them.

    Parameters
    ----------
    compute
        Computes with a number of samples and returns what is kept.
    n_samples
        Most samples there are.

    Returns
    -------
    Growth
        Lines through both trials.
    """
    few = max(min(_FEW, n_samples // 2), n_samples // _SHARES[0], 1)
    more = max(min(_MORE, n_samples), n_samples // _SHARES[1])
    first, second = _peak_and_kept(compute, few), _peak_and_kept(compute, more)
    lines = []
    for low, high in zip(first, second, strict=True):
        slope = (high - low) / (more - few) if more > few else float(low)
        lines.append((max(low - slope * few, 0.0), slope))
    return Growth(*lines)


def _peak_and_kept(compute: Callable[[int], Any], n_samples: int) -> tuple[int, int]:
    allocations = _Allocations()
    with allocations:
        result = compute(n_samples)
    kept = allocations.held()
    del result
    return allocations.peak, kept


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in _pytree.tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def _storage(tensor: torch.Tensor) -> torch.UntypedStorage:
    return tensor.untyped_storage()
