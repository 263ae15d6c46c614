"""How much memory an evaluation takes, and refusals before it is too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sgdphys.errors import MemoryLimitError
from sgdphys.simulation.memory import available_memory, readable

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

__all__ = ["WORKING_BYTES", "refuse_above_memory", "saved_bytes"]

WORKING_BYTES = 256 * 2**20  # activations and per-sample gradients held at once


def saved_bytes(evaluate: Callable[[], Tensor]) -> int:
    """Return the bytes that a differentiable evaluation keeps for its backward pass."""
    sizes: list[int] = []

    def count(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel() * tensor.element_size())
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        evaluate()
    return sum(sizes)


def refuse_above_memory(n_bytes: int, what: str, way_out: str) -> None:
    """Refuse a result that does not fit into the memory that is free.

    Parameters
    ----------
    n_bytes
        Its size.
    what
        What it is, the beginning of the message.
    way_out
        What to do instead, the end of the message.

    Raises
    ------
    MemoryLimitError
        It does not fit.
    """
    limit = available_memory()
    if n_bytes > limit:
        raise MemoryLimitError(f"{what} takes {readable(n_bytes)}, {readable(limit)} are free; {way_out}")
