"""How much memory an evaluation takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

__all__ = ["WORKING_BYTES", "saved_bytes"]

WORKING_BYTES = 256 * 2**20  # activations and per-sample gradients held at once


def saved_bytes(evaluate: Callable[[], Tensor]) -> int:
    """Return the bytes that a differentiable evaluation keeps for its backward pass."""
    sizes: list[int] = []

    def count(tensor: Tensor) -> Any:  # who gives the tensor back here makes a cycle that is never freed
        sizes.append(tensor.numel() * tensor.element_size())

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(count, _forgotten):
        evaluate()
    return sum(sizes)


def _forgotten(_: Any) -> Any:
    return None
