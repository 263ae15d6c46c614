"""Data in any of the usual forms, brought to one pair of trees of tensors: inputs and targets of all samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset

from sgdphys.network.batches import count, leaves
from sgdphys.network.tensors import to_tensor

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ToBatch", "samples_of", "tree_of"]

ToBatch: TypeAlias = Callable[[Any], tuple[Any, Any]]
_ROWS = 256  # of a batch in which a data set without batches is read


def samples_of(data: Any, to_batch: ToBatch | None, device: torch.device, dtype: torch.dtype) -> tuple[Any, Any]:
    """Return inputs and targets of all samples, in the order of the data set.

    Parameters
    ----------
    data
        ``(inputs, targets)``; a torch Dataset; a DataLoader, whose shuffling is left out and whose random augmentations
        are drawn once; a dictionary of arrays; or a list of batches.
    to_batch
        Makes the pair (inputs, targets) of a batch of another form. A tuple of inputs is handed to the model as its
        arguments, a dictionary as its keyword arguments. Without it a batch is a pair, or a dictionary whose
        ``"labels"`` are the targets.
    device, dtype
        Where the samples are kept, and the type of their floating values.

    Returns
    -------
    tuple
        Trees of tensors.

    Raises
    ------
    ValueError
        A batch is no such pair, the lengths differ, batches do not fit together, there is no sample, or one is not
        finite.
    """
    pieces = [_pair(batch, to_batch) for batch in _batches(data)]
    if not pieces:
        raise ValueError("data hold no sample")
    joined = [_joined([tree_of(piece[i], device, dtype) for piece in pieces]) for i in (0, 1)]
    for name, tree in zip(("inputs", "targets"), joined, strict=True):
        _check_finite(name, tree)
    inputs, targets = joined
    _check_lengths(inputs, targets)
    return inputs, targets


def tree_of(value: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """Return tuples and dictionaries of arrays as the same of tensors, an array as a tensor."""
    if isinstance(value, Mapping):
        return {str(name): tree_of(part, device, dtype) for name, part in value.items()}
    if isinstance(value, tuple):
        return tuple(tree_of(part, device, dtype) for part in value)
    array = value if isinstance(value, torch.Tensor) else np.asarray(value)
    if not isinstance(array, torch.Tensor) and array.dtype.kind not in "fiub":
        raise ValueError(f"data must be numbers, got an array of type {array.dtype}; use to_batch= to make tensors")
    return to_tensor(array, device=device, dtype=dtype)


def _batches(data: Any) -> Iterable[Any]:
    if isinstance(data, DataLoader):
        if isinstance(data.dataset, IterableDataset):
            return data
        return DataLoader(data.dataset, batch_size=data.batch_size or _ROWS, collate_fn=data.collate_fn)
    if isinstance(data, IterableDataset):
        return DataLoader(data, batch_size=_ROWS)
    if isinstance(data, Dataset):
        return DataLoader(data, batch_size=_ROWS)
    if isinstance(data, list) and data and all(isinstance(batch, tuple | list | Mapping) for batch in data):
        return data if not _is_number_list(data) else [data]
    return [data]


def _is_number_list(data: list[Any]) -> bool:
    # [inputs, targets] written as plain lists, not two batches
    return len(data) == 2 and all(isinstance(part, list) and not isinstance(part[0], torch.Tensor) for part in data)


def _pair(batch: Any, to_batch: ToBatch | None) -> tuple[Any, Any]:
    if to_batch is not None:
        pair = to_batch(batch)
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ValueError(f"to_batch must return the pair (inputs, targets), got {type(pair).__name__}")
        return pair[0], pair[1]
    if isinstance(batch, Mapping):
        if "labels" not in batch:
            names = ", ".join(map(str, batch))
            raise ValueError(f"a batch holds {names} and no 'labels'; give to_batch=batch -> (inputs, targets)")
        return {name: part for name, part in batch.items() if name != "labels"}, batch["labels"]
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise ValueError(
            f"data must be the pair (inputs, targets), a Dataset, a DataLoader or batches, got {type(batch).__name__}; "
            "give to_batch=batch -> (inputs, targets) for another form"
        )
    return batch[0], batch[1]


def _joined(trees: list[Any]) -> Any:
    if len(trees) == 1:
        return trees[0]
    first = trees[0]
    if isinstance(first, dict):
        return {name: _joined([tree[name] for tree in trees]) for name in first}
    if isinstance(first, tuple):
        return tuple(_joined(list(parts)) for parts in zip(*trees, strict=True))
    return _concatenated(trees)


def _concatenated(tensors: list[Tensor]) -> Tensor:
    shapes = {tuple(tensor.shape[1:]) for tensor in tensors}
    if len(shapes) > 1:
        raise ValueError(
            f"samples of different batches have different shapes, {' and '.join(map(str, sorted(shapes)[:2]))}; "
            "pad them to one shape in the data set or in to_batch="
        )
    return torch.cat(tensors)


def _check_finite(name: str, tree: Any) -> None:
    if not all(bool(torch.isfinite(tensor).all()) for tensor in leaves(tree)):
        raise ValueError(f"{name} hold NaN or infinity")


def _check_lengths(inputs: Any, targets: Any) -> None:
    found = [*leaves(inputs), *leaves(targets)]
    if not leaves(inputs) or not leaves(targets):
        raise ValueError("inputs and targets need at least one array each")
    if any(tensor.ndim < 1 for tensor in found) or len({len(tensor) for tensor in found}) > 1 or count(targets) == 0:
        shapes = [" and ".join(str(tuple(t.shape)) for t in leaves(tree)) for tree in (inputs, targets)]
        raise ValueError(
            f"inputs and targets need the same number of rows, at least one, got shapes {shapes[0]} and {shapes[1]}"
        )
