"""Gradients of single samples: all of them by piece, or only their products with vectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch.func import grad, vmap

from sgdphys.network.batches import map_leaves, take
from sgdphys.network.losses import sample_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from sgdphys.network.objective import Objective

__all__ = ["SampleJacobian", "gradient_rows", "sample_gradients"]


def gradient_rows(objective: Objective) -> list[slice]:
    """Return the pieces of the data set whose per-sample gradients fit the working memory."""
    return list(objective.rows(extra_bytes=3 * objective.dim * objective.model.initial.element_size()))


def sample_gradients(objective: Objective, point: Tensor, rows: slice) -> Tensor:
    """Return the gradients (n, d) of the unregularised losses of some samples at one point."""

    def loss_of_one(flat: Tensor, sample: Any, target: Any) -> Tensor:
        one, its_target = (map_leaves(lambda leaf: leaf[None], tree) for tree in (sample, target))
        return sample_values(objective.loss, objective.model(flat, one), its_target)[0]

    gradients = vmap(grad(loss_of_one), in_dims=(None, 0, 0))
    with objective.context():
        result: Tensor = gradients(point, take(objective.inputs, rows), take(objective.targets, rows))
    return result


@dataclass(frozen=True)
class SampleJacobian:
    """The derivative J (sample, parameter) of the vector of sample losses at one point, known by its products.

    Both products run backward only: J' w is one backward pass, and J v differentiates J' u, which is linear in u, by u.
    """

    objective: Objective
    point: Tensor

    def times(self, v: Tensor) -> Tensor:
        """Return J v, (sample,)."""
        with self.objective.context():
            return torch.cat([torch.autograd.grad(g, u, v, retain_graph=True)[0] for _, _, _, u, g in self._graphs()])

    def transposed_times(self, w: Tensor) -> Tensor:
        """Return J' w, (parameter,)."""
        result = torch.zeros_like(self.point)
        with self.objective.context():
            for rows, leaf, losses, _, _ in self._graphs():
                result += torch.autograd.grad(losses, leaf, w[rows], retain_graph=True)[0]
        return result

    @cached_property
    def _pieces(self) -> list[slice]:
        return list(self.objective.rows(factor=4))

    @cached_property
    def _single_graph(self) -> tuple[slice, Tensor, Tensor, Tensor, Tensor]:
        return self._graph(self._pieces[0])

    def _graphs(self) -> Iterator[tuple[slice, Tensor, Tensor, Tensor, Tensor]]:
        if len(self._pieces) == 1:
            yield self._single_graph
        else:
            yield from map(self._graph, self._pieces)

    def _graph(self, rows: slice) -> tuple[slice, Tensor, Tensor, Tensor, Tensor]:
        leaf = self.point.detach().clone().requires_grad_()
        losses = self.objective.sample_losses(leaf, rows)
        u = torch.ones_like(losses, requires_grad=True)
        (g,) = torch.autograd.grad(losses, leaf, u, create_graph=True)
        return rows, leaf, losses, u, g
