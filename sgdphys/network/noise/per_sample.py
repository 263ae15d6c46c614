"""Gradients of single samples, formed piece by piece."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch.func import grad, vmap

from sgdphys.network.batches import map_leaves, take

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from sgdphys.network.objective import Objective

__all__ = ["gradient_rows", "loop_gradients", "sample_gradients"]

logger = logging.getLogger("sgdphys")


def gradient_rows(objective: Objective) -> list[slice]:
    """Return the pieces of the data set whose per-sample gradients fit the working memory."""
    return list(objective.rows(extra_bytes=3 * objective.dim * objective.model.initial.element_size()))


def sample_gradients(objective: Objective, point: Tensor, rows: slice, names: Sequence[str] | None = None) -> Tensor:
    """Return the gradients of the unregularised losses of some samples at one point, all at once where torch can.

    Parameters
    ----------
    objective
        The loss.
    point
        Flat parameters (d,).
    rows
        The samples.
    names
        Parameters to differentiate by, in the order of the model; default all.

    Returns
    -------
    Tensor
        (n, d), or the columns of ``names``. Layers that vmap has no rule for (recurrent ones, writes into a fresh
        tensor) go sample by sample.
    """
    chosen, fixed = _parted(objective, point, names)

    def loss_of_one(some: dict[str, Tensor], sample: Any, target: Any) -> Tensor:
        one, its_target = (map_leaves(lambda leaf: leaf[None], tree) for tree in (sample, target))
        return objective.loss(objective.model.call(_ordered(objective, some, fixed), one), its_target)[0]

    inputs, targets = take(objective.inputs, rows), take(objective.targets, rows)
    try:
        with objective.context(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "There is a performance drop")  # still faster than one by one
            found = vmap(grad(loss_of_one), in_dims=(None, 0, 0))(chosen, inputs, targets)
    except RuntimeError as error:
        logger.info("per-sample gradients one by one: %s", str(error).splitlines()[0])
        return loop_gradients(objective, point, rows, names)
    return torch.cat([found[name].reshape(len(found[name]), -1) for name in chosen], dim=1)


def loop_gradients(objective: Objective, point: Tensor, rows: slice, names: Sequence[str] | None = None) -> Tensor:
    """Return what ``sample_gradients`` returns by one backward pass a sample."""
    chosen, fixed = _parted(objective, point, names)
    leaves = {name: piece.clone().requires_grad_() for name, piece in chosen.items()}
    pieces = _ordered(objective, leaves, fixed)
    gradients = []
    with objective.context():
        for i in range(rows.start, rows.stop):
            one = slice(i, i + 1)
            loss = objective.losses_of(objective.model.call(pieces, take(objective.inputs, one)), one)
            found = torch.autograd.grad(loss.sum(), list(leaves.values()), materialize_grads=True)
            gradients.append(torch.cat([part.reshape(-1) for part in found]))
    return torch.stack(gradients)


def _parted(
    objective: Objective, point: Tensor, names: Sequence[str] | None
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    model = objective.model
    pieces = model.named(model.pieces(point.detach()))
    chosen = pieces if names is None else {name: pieces[name] for name in model.names if name in set(names)}
    return chosen, {name: piece for name, piece in pieces.items() if name not in chosen}


def _ordered(objective: Objective, some: dict[str, Tensor], others: dict[str, Tensor]) -> list[Tensor]:
    both = some | others
    return [both[name] for name in objective.model.names]
