"""How much memory a computation will allocate, from trials with few samples."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

from sgdphys.network.threads import threads_inside

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Growth", "growth_of", "levels_and_kept"]

_PROFILER: Any = torch.autograd  # the older profiler of torch: silent, without warm-up, and it tells memory

_FEW, _MORE = 4, 12  # samples of the two trials, at least
_SHARES = 16, 8  # parts of the data set that they take


@dataclass(frozen=True)
class Growth:
    """Bytes at each moment of a computation and bytes left with the result, each a constant and a part a sample.

    Parameters
    ----------
    levels
        Constant and part (2, moment); the moment of the peak depends on the number of samples.
    kept
        Constant and part.
    """

    levels: NDArray[np.float64]
    kept: tuple[float, float]

    def peak_of(self, n_samples: int) -> int:
        """Return the bytes at the peak with this many samples."""
        return int(max((self.levels[0] + self.levels[1] * n_samples).max(), self.kept_of(n_samples)))

    def kept_of(self, n_samples: int) -> int:
        """Return the bytes left with the result of this many samples."""
        return int(self.kept[0] + self.kept[1] * n_samples)


def growth_of(compute: Callable[[int], Any], n_samples: int, device: torch.device) -> Growth:
    """Return how the memory of a computation grows with its samples, from two trials with few of them.

    Parameters
    ----------
    compute
        Computes with a number of samples and returns what is kept.
    n_samples
        Most samples there are.
    device
        Where it computes.

    Returns
    -------
    Growth
        Lines through both trials, which take a sixteenth and an eighth of the samples, 4 and 12 at least.
    """
    few = max(min(_FEW, n_samples // 2), n_samples // _SHARES[0], 1)
    more = max(min(_MORE, n_samples), n_samples // _SHARES[1])
    (high, high_kept), (low, low_kept) = (levels_and_kept(partial(compute, n), device) for n in (more, few))
    if len(low) != len(high):  # the first also did what is done once
        high, high_kept = levels_and_kept(partial(compute, more), device)
    if len(low) != len(high):  # other operations: the peaks alone can be compared
        low, high = low.max(keepdims=True), high.max(keepdims=True)
    kept = _line(np.array([low_kept]), np.array([high_kept]), few, more)[:, 0]
    return Growth(_line(low, high, few, more), (float(kept[0]), float(kept[1])))


def _line(low: NDArray[np.float64], high: NDArray[np.float64], few: int, more: int) -> NDArray[np.float64]:
    slope = np.maximum(high - low, 0.0) / (more - few) if more > few else low
    return np.array([np.maximum(low - slope * few, 0.0), slope])


def levels_and_kept(compute: Callable[[], Any], device: torch.device) -> tuple[NDArray[np.float64], float]:
    """Return the bytes that a computation has allocated at each moment, and those that live on with its result.

    They are told by torch's allocator of the device (on CUDA the peak alone, whose statistics begin anew), so that what
    a kernel takes for itself, as the patches of a convolution, is in. On other devices, and on a CPU that a profiler
    watches already, the tensors that operations return are counted.

    Parameters
    ----------
    compute
        Computes and returns what is kept; runs on one thread of the CPU.
    device
        Where it computes.

    Returns
    -------
    tuple
        Bytes (moment,) and bytes kept.
    """
    with threads_inside(1), _uncollected():
        if device.type == "cuda":
            return _of_cuda(compute, device)
        if device.type == "cpu" and not _PROFILER._profiler_enabled():
            return _of_the_cpu(compute)
        with _Allocations() as allocations:
            result = compute()
        kept = allocations.held()
        del result
    return np.array([0.0, allocations.peak]), kept


def _of_the_cpu(compute: Callable[[], Any]) -> tuple[NDArray[np.float64], float]:
    settings = (False, True, False, False, False, torch._C._profiler._ExperimentalConfig())  # memory alone
    _PROFILER._enable_profiler_legacy(_PROFILER.ProfilerConfig(_PROFILER.ProfilerState.CPU, *settings))
    try:
        result = compute()
    finally:
        threads = _PROFILER._disable_profiler_legacy()
    del result
    changes = [e.cpu_memory_usage() for events in threads for e in events if e.kind() == "memory_alloc"]
    levels = np.cumsum([0.0, *changes])
    return levels, max(float(levels[-1]), 0.0)


def _of_cuda(compute: Callable[[], Any], device: torch.device) -> tuple[NDArray[np.float64], float]:
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    result = compute()
    kept = torch.cuda.memory_allocated(device) - before
    del result
    return np.array([0.0, torch.cuda.max_memory_allocated(device) - before]), max(float(kept), 0.0)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep Python from collecting, inside, tensors that were left before."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


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


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in _pytree.tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def _storage(tensor: torch.Tensor) -> torch.UntypedStorage:
    return tensor.untyped_storage()
