"""Trees of tensors (a tensor, or tuples and dictionaries of them) whose first axis counts the samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.utils import _pytree  # what torch.func itself walks trees with; knows the output classes that libraries add

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

__all__ = ["count", "leaves", "map_leaves", "take"]


def leaves(tree: Any) -> list[Any]:
    """Return the tensors of a tree, in a fixed order."""
    found: list[Any] = _pytree.tree_leaves(tree)
    return found


def map_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return the tree with ``function`` applied to each of its tensors."""
    return _pytree.tree_map(function, tree)


def take(tree: Any, rows: slice | Tensor) -> Any:
    """Return some samples: a slice of the first axis, or those with the numbers ``rows`` of any shape."""
    if isinstance(rows, slice):
        return map_leaves(lambda tensor: tensor[rows], tree)
    flat = rows.reshape(-1)
    return map_leaves(lambda tensor: tensor.index_select(0, flat).view(*rows.shape, *tensor.shape[1:]), tree)


def count(tree: Any) -> int:
    """Return the number of samples."""
    return len(leaves(tree)[0])
