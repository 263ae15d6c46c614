"""How much memory an evaluation takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sgdphys.network.batches import leaves

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

__all__ = ["WORKING_BYTES", "saved_bytes"]

WORKING_BYTES = 256 * 2**20  # activations and per-sample gradients held at once


def saved_bytes(evaluate: Callable[[], Tensor]) -> int:
    """Return the bytes that a differentiable evaluation keeps for its backward pass.

    Where it differentiates by ``torch.func`` inside, which lets nobody see what is kept, all that it makes counts.

    Returns
    -------
    int
        Bytes.

    Raises
    ------
    RuntimeError
        Whatever the evaluation raises.
    """
    sizes: list[int] = []

    def count(tensor: Tensor) -> Any:  # who gives the tensor back here makes a cycle that is never freed
        sizes.append(tensor.numel() * tensor.element_size())

    try:
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(count, _forgotten):
            evaluate()
    except RuntimeError as error:
        if "saved tensor hooks" not in str(error):
            raise
        return _made_bytes(evaluate)
    return sum(sizes)


def _made_bytes(evaluate: Callable[[], Tensor]) -> int:
    made = _Made()
    with torch.enable_grad(), made:
        evaluate()
    return made.n_bytes


class _Made(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of every tensor that an operation returns."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.n_bytes: int = 0

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = operation(*args, **(kwargs or {}))
        self.n_bytes += sum(each.numel() * each.element_size() for each in leaves(result) if torch.is_tensor(each))
        return result


def _forgotten(_: Any) -> Any:
    return None
