"""A torch module seen as a function of one flat parameter vector; the user's module is never touched."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import torch
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from torch import Tensor

__all__ = ["FlatModel", "plain_attention"]


def plain_attention() -> AbstractContextManager[Any]:
    """Return a context in which attention uses the kernel that has second derivatives and vectorises."""
    return sdpa_kernel(SDPBackend.MATH)


class FlatModel:
    """A private copy of a module, called with parameters cut from a flat vector.

    The vector lists the trainable parameters in the order of ``named_parameters``, each row by row. Frozen parameters
    and buffers stay as they are in the module.

    Parameters
    ----------
    module
        The model; it is copied.
    device, dtype
        Where the copy lives and its floating type.

    Raises
    ------
    ValueError
        The module has no trainable parameter, or a layer that mixes the samples of a batch.
    """

    def __init__(self, module: torch.nn.Module, device: torch.device, dtype: torch.dtype) -> None:
        _refuse_batch_statistics(module)
        self.module = copy.deepcopy(module).to(device=device, dtype=dtype)
        trainable = [(name, p) for name, p in self.module.named_parameters() if p.requires_grad]
        if not trainable:
            raise ValueError(f"{type(module).__name__} has no trainable parameter")
        self.names = tuple(name for name, _ in trainable)
        self.shapes = tuple(p.shape for _, p in trainable)
        self.sizes = tuple(math.prod(shape) for shape in self.shapes)
        self.dim = sum(self.sizes)
        self.initial = torch.cat([p.detach().reshape(-1) for _, p in trainable])
        self.module.requires_grad_(False)

    def pieces(self, flat: Tensor) -> list[Tensor]:
        """Cut flat vectors (..., dim) into the parameters, each (..., *shape)."""
        parts = torch.split(flat, list(self.sizes), dim=-1)
        return [part.reshape(*flat.shape[:-1], *shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def call(self, pieces: list[Tensor], inputs: Tensor) -> Tensor:
        """Return the module's output with these parameters."""
        return functional_call(self.module, dict(zip(self.names, pieces, strict=True)), (inputs,))  # type: ignore[no-any-return]

    def __call__(self, flat: Tensor, inputs: Tensor) -> Tensor:
        """Return the module's output at one flat parameter vector (dim,)."""
        return self.call(self.pieces(flat), inputs)

    def clone(self) -> FlatModel:
        """Return a second copy: calls on one copy are not safe in two threads at once."""
        twin = copy.copy(self)
        twin.module = copy.deepcopy(self.module)
        return twin


def _refuse_batch_statistics(module: torch.nn.Module) -> None:
    for name, layer in module.named_modules():
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm) and (layer.training or layer.running_mean is None):
            kind = type(layer).__name__
            raise ValueError(
                f"layer {name or kind!r} is {kind} with batch statistics, so a sample has no gradient of its own; "
                "call model.eval() (with running statistics) or use another normalisation"
            )
