"""Products with the derivative of the sample losses by torch's forward mode."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch.autograd import forward_ad
from torch.func import jvp, vmap

from sgdphys.network.memory import WORKING_BYTES

if TYPE_CHECKING:
    from torch import Tensor

    from sgdphys.network.objective import Objective

__all__ = ["Back", "backward", "forward_columns", "forward_product", "is_adjoint", "pads"]

Back: TypeAlias = "Callable[[Tensor], Tensor]"


def forward_product(objective: Objective, point: Tensor, rows: slice, v: Tensor) -> tuple[Tensor, Back]:
    """Return J v of some samples, (sample,), and the function w -> J' w by one backward pass of the same graph."""
    leaf = point.detach().clone().requires_grad_()
    with forward_ad.dual_level(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*torch.jit.script", DeprecationWarning)  # of torch's own forward rules
        losses = objective.sample_losses(forward_ad.make_dual(leaf, v), rows)  # type: ignore[no-untyped-call]
        primal, tangent = forward_ad.unpack_dual(losses)  # type: ignore[no-untyped-call]
        along = torch.zeros_like(primal) if tangent is None else tangent.detach()
    return along, backward(primal, leaf)


def forward_columns(objective: Objective, point: Tensor, rows: slice, columns: Tensor) -> Tensor:
    """Return J V of some samples, (sample, column), as many columns at once as fit the working memory."""

    def along(v: Tensor) -> Tensor:
        tangent: Tensor = jvp(lambda x: objective.sample_losses(x, rows), (point,), (v,))[1]
        return tangent

    chunk = max(1, WORKING_BYTES // (2 * objective.bytes_per_sample * (rows.stop - rows.start)))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*torch.jit.script", DeprecationWarning)
        warnings.filterwarnings("ignore", "There is a performance drop")
        found: Tensor = vmap(along, chunk_size=chunk)(columns.T)
    return found.T


def backward(losses: Tensor, leaf: Tensor) -> Back:
    """Return the function w -> J' w of a graph, which is kept."""
    return lambda w: torch.autograd.grad(losses, leaf, w, retain_graph=True)[0]


def is_adjoint(along: Tensor, back: Back, v: Tensor) -> bool:
    """Return whether w'(J v) equals (J'w)'v for w all ones."""
    gradient = back(torch.ones_like(along))
    size = float((gradient * v).abs().sum() + along.abs().sum())
    mismatch = abs(float(along.sum() - gradient @ v))
    return bool(mismatch <= float(torch.finfo(along.dtype).eps) ** 0.6 * size)


def pads(objective: Objective) -> bool:
    """Return whether an embedding has padding, which forward mode takes for a parameter."""
    module = objective.model.module
    layers = () if module is None else module.modules()
    return any(getattr(layer, "padding_idx", None) is not None for layer in layers)
