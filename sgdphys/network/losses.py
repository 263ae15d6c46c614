"""Per-sample losses from a callable or from a torch loss module."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from sgdphys.network.batches import count

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PerSampleLoss", "per_sample_loss", "sample_values"]

PerSampleLoss: TypeAlias = "Callable[[Any, Any], Tensor]"


def per_sample_loss(loss: Any, device: torch.device, dtype: torch.dtype) -> PerSampleLoss:
    """Return a function (output, target) -> one value per sample.

    A torch module with ``reduction="mean"`` is copied with ``reduction="none"``, and its values are averaged over all
    but the first axis. So ``torch.nn.MSELoss`` is the mean over outputs of the squared residual: for one output twice
    the half squared residual.

    Returns
    -------
    PerSampleLoss
        The function; a callable is returned as it is.

    Raises
    ------
    ValueError
        The module sums over the samples.
    TypeError
        The loss cannot be called, or is a class.
    """
    if not callable(loss) or isinstance(loss, type):
        got = f"the class {loss.__name__}; call it" if isinstance(loss, type) else type(loss).__name__
        raise TypeError(f"loss must be a callable (output, target) -> (n,) or a torch loss module, got {got}")
    if not isinstance(loss, torch.nn.Module):
        return loss  # type: ignore[no-any-return]
    module: Any = copy.deepcopy(loss).to(device=device, dtype=dtype)
    reduction = getattr(module, "reduction", "none")
    if reduction == "sum":
        raise ValueError(
            f"{type(loss).__name__} sums over the samples; the loss is their mean here: use reduction='mean'"
        )
    if reduction == "mean":
        module.reduction = "none"
    return _ModuleLoss(module)


@dataclass(frozen=True)
class _ModuleLoss:
    """A loss module sample by sample; the Fisher matrix asks which module it is."""

    module: Any

    def __call__(self, output: Any, target: Any) -> Tensor:
        return _average_of_outputs(self.module(output, target))


def _average_of_outputs(values: Tensor) -> Tensor:
    return values if values.ndim <= 1 else values.flatten(1).mean(dim=1)


def sample_values(loss: PerSampleLoss, output: Any, target: Any) -> Tensor:
    """Return the losses of a batch.

    Returns
    -------
    Tensor
        One value per sample, (n,).

    Raises
    ------
    ValueError
        The loss does not return one value per sample.
    """
    values = loss(output, target)
    n_samples = count(target)
    if not isinstance(values, torch.Tensor) or values.shape != (n_samples,):
        shape = tuple(getattr(values, "shape", ()))
        raise ValueError(
            f"loss must return one value per sample, shape ({n_samples},), got shape {shape}; "
            "return the values before averaging"
        )
    return values
