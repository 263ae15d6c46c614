"""Loss of some replicas on their minibatches, or on the whole data set, and its gradient."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import torch
from torch.func import grad, vmap

from sgdphys.network.batches import map_leaves, take
from sgdphys.network.clouds.placed_models import PlacedModel
from sgdphys.network.losses import sample_values

if TYPE_CHECKING:
    from torch import Tensor

    from sgdphys.network.clouds.behaviour import Behaviour
    from sgdphys.network.objective import Objective

    Buffers = dict[str, Tensor]

__all__ = ["BACKEND", "BatchLoss"]

BACKEND = "inductor"  # of torch.compile

_log = logging.getLogger(__name__)


class BatchLoss:
    """The sum over replicas of their losses: its gradient is that of each replica in its own rows.

    Parameters
    ----------
    objective
        The loss with the data; weight decay is no part of what is summed here.
    behaviour
        Side effects of the model.
    stacked
        Whether parameters and buffers have the replicas on a leading axis; else they are those of one replica, and the
        model is called as it stands.
    compiled
        Whether torch compiles the forward and backward pass of minibatches.
    """

    def __init__(self, objective: Objective, behaviour: Behaviour, *, stacked: bool, compiled: bool = False) -> None:
        self._data, self.stacked, self._mixes = objective, stacked, behaviour.mixes
        self._model = objective.model.clone()
        self._alone = PlacedModel(self._model)
        self._randomness = "different" if behaviour.random else "error"
        self._compiled = torch.compile(self._compilable, dynamic=False, backend=BACKEND) if compiled else None

    def of_minibatches(
        self, weights: list[Tensor], buffers: Buffers, rows: Tensor, shares: Any
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the losses of each replica's samples, (replica,), and their gradients, arguments as in ``losses``."""
        if self._compiled is not None:
            try:
                losses, gradients = self._compiled([weight.detach() for weight in weights], rows, shares)
                return losses, tuple(gradients)
            except RuntimeError as error:  # of torch's compiler, and of a missing compiler of C++
                _log.warning("train: not compiled, %s", " ".join(str(error).split())[:300])
                self._compiled = None
        losses = self.losses(weights, buffers, rows, shares)
        return losses.detach(), torch.autograd.grad(losses.sum(), weights)

    def _compilable(self, weights: list[Tensor], rows: Tensor, shares: Any) -> tuple[Tensor, list[Tensor]]:
        """Return losses and gradients as a function without side effects."""

        def total(points: list[Tensor]) -> tuple[Tensor, Tensor]:
            losses = self.losses(points, {}, rows, shares)
            return losses.sum(), losses

        gradients, losses = grad(total, has_aux=True)(weights)
        return losses, gradients

    def losses(self, weights: list[Tensor], buffers: Buffers, rows: Tensor, shares: Any) -> Tensor:
        """Return the weighted sum of the losses of each replica's samples.

        Parameters
        ----------
        weights
            Parameters.
        buffers
            Buffers that the call may change.
        rows
            Numbers of the samples, (replica, B).
        shares
            Weight of each sample, (replica, B), or the number that divides the sum of all.

        Returns
        -------
        Tensor
            (replica,).
        """
        inputs = take(self._data.inputs, rows if self.stacked else rows[0])
        output = self._outputs(weights, buffers, inputs, shared=False)
        values = sample_values(self._data.loss, output, take(self._data.targets, rows.reshape(-1)))
        values = values.view(rows.shape)
        return (values * shares).sum(dim=1) if isinstance(shares, torch.Tensor) else values.sum(dim=1) / shares

    def of_all(self, weights: list[Tensor], buffers: Buffers) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the mean losses over all samples, (replica,), and their gradients, in pieces that fit into memory."""
        count = len(weights[0]) if self.stacked else 1
        pieces = [slice(0, self._data.n_samples)] if self._mixes else self._data.rows(factor=count)
        losses, totals = weights[0].new_zeros(count), tuple(torch.zeros_like(weight) for weight in weights)
        for rows in pieces:
            part = self._of_rows(weights, buffers, rows, count)
            gradients = torch.autograd.grad(part.sum(), weights)
            losses += part.detach()
            for total, gradient in zip(totals, gradients, strict=True):
                total += gradient
        return losses, totals

    def _of_rows(self, weights: list[Tensor], buffers: Buffers, rows: slice, count: int) -> Tensor:
        output = self._outputs(weights, buffers, take(self._data.inputs, rows), shared=True)
        targets = take(self._data.targets, rows)
        if self.stacked:
            targets = map_leaves(lambda leaf: leaf.expand(count, *leaf.shape).flatten(0, 1), targets)
        return sample_values(self._data.loss, output, targets).view(count, -1).sum(dim=1) / self._data.n_samples

    def _outputs(self, weights: list[Tensor], buffers: Buffers, inputs: Any, *, shared: bool) -> Any:
        if not self.stacked:
            return self._alone(weights, inputs, buffers)
        axes = (0, None if shared else 0, 0 if buffers else None)
        output = vmap(self._model.call, in_dims=axes, randomness=self._randomness)(weights, inputs, buffers)
        return map_leaves(lambda leaf: leaf.flatten(0, 1), output)
