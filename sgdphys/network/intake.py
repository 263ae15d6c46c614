"""Data in any of the usual forms, brought to one pair of trees of tensors: inputs and targets of all samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
)

from sgdphys.network.batches import count, leaves
from sgdphys.network.tensors import to_tensor

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ToBatch", "row_numbers", "samples_of", "tree_of"]

ToBatch: TypeAlias = Callable[[Any], tuple[Any, Any]]
_ROWS = 256  # of a batch in which a data set without batches is read


def samples_of(data: Any, to_batch: ToBatch | None, device: torch.device, dtype: torch.dtype) -> tuple[Any, Any]:
    """Return inputs and targets of all samples, in the order of the data set.

    Parameters
    ----------
    data
        ``(inputs, targets)``; a torch Dataset; a DataLoader, whose shuffling is left out and whose random augmentations
        are drawn once; a dictionary of arrays; or a list of batches. Of a DataLoader with a SubsetRandomSampler the
        samples are those of the subset, in its order. torch's random state stays as it is.
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
        A batch is no such pair, the lengths differ, batches do not fit together, there is no sample, one is not finite,
        or the sampler of a DataLoader is none whose samples are known.
    TypeError
        ``to_batch`` cannot be called.
    """
    if not (to_batch is None or callable(to_batch)):
        raise TypeError(f"to_batch must be a function batch -> (inputs, targets), got {to_batch!r:.60}")
    with torch.random.fork_rng(devices=[]):
        pieces = [_pair(batch, to_batch) for batch in _batches(data)]
    if not pieces:
        raise ValueError("data hold no sample")
    joined = [_joined([tree_of(piece[i], device, dtype) for piece in pieces]) for i in (0, 1)]
    for name, tree in zip(("inputs", "targets"), joined, strict=True):
        _check_finite(name, tree)
    inputs, targets = joined
    _check_lengths(inputs, targets)
    return inputs, targets


def row_numbers(data: Any) -> Any:
    """Return 0, 1, ... for the samples of an array, or of a tuple or dictionary of arrays.

    Returns
    -------
    numpy.ndarray
        (sample,).

    Raises
    ------
    ValueError
        There is no array, or it has no axis.
    """
    first = data
    while isinstance(first, Mapping | tuple) and len(first):
        first = next(iter(first.values())) if isinstance(first, Mapping) else first[0]
    if isinstance(first, Mapping | tuple) or np.ndim(first) == 0:
        raise ValueError(
            "data must be an array, or a tuple or dictionary of arrays, with the samples on the first axis, got "
            f"{type(data).__name__}"
        )
    return np.arange(len(first))


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
        return data if isinstance(data.dataset, IterableDataset) else _in_order(data)
    if isinstance(data, IterableDataset):
        return DataLoader(data, batch_size=_ROWS)
    if isinstance(data, Dataset):
        return DataLoader(data, batch_size=_ROWS)
    if isinstance(data, list) and data and all(isinstance(batch, tuple | list | Mapping) for batch in data):
        return data if not _is_number_list(data) else [data]
    return [data]


def _in_order(loader: Any) -> Iterable[Any]:
    """Return the samples that a DataLoader draws from, in the order of its data set, in batches of its size."""
    batches = loader.batch_sampler  # None where each item of the data set is a batch already
    sampler = loader.sampler if batches is None else getattr(batches, "sampler", None)
    usual = batches is None or type(batches) is BatchSampler
    if not (usual and isinstance(sampler, SequentialSampler | RandomSampler | SubsetRandomSampler)):
        kind = type(sampler if usual else batches).__name__
        raise ValueError(f"a DataLoader with {kind} does not tell its data set; give the Dataset, or a list of batches")
    dataset = loader.dataset
    if isinstance(sampler, SubsetRandomSampler):
        dataset = Subset(dataset, list(sampler.indices))
    size = None if batches is None else batches.batch_size
    return DataLoader(dataset, batch_size=size, collate_fn=loader.collate_fn)


def _is_number_list(data: list[Any]) -> bool:
    # [inputs, targets] written as plain lists, not two batches
    return len(data) == 2 and all(isinstance(p, list) and p and not isinstance(p[0], torch.Tensor) for p in data)


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
    if any(_form(tree) != _form(first) for tree in trees):
        raise ValueError("batches have different forms; let all hold the same arrays in the data set or in to_batch=")
    if isinstance(first, dict):
        return {name: _joined([tree[name] for tree in trees]) for name in first}
    if isinstance(first, tuple):
        return tuple(_joined(list(parts)) for parts in zip(*trees, strict=True))
    return _concatenated(trees)


def _form(tree: Any) -> Any:
    return sorted(tree) if isinstance(tree, dict) else len(tree) if isinstance(tree, tuple) else None


def _concatenated(tensors: list[Tensor]) -> Tensor:
    shapes = {tuple(tensor.shape[1:]) if tensor.ndim else None for tensor in tensors}
    if len(shapes) > 1:
        two = " and ".join(sorted(map(str, shapes))[:2])
        raise ValueError(
            f"samples of different batches have different shapes, {two}; "
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
