"""Some replicas of a network under real SGD: stacked weights, one forward and one backward pass for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.func import vmap

from sgdphys.network.batches import map_leaves, take
from sgdphys.network.losses import sample_values

if TYPE_CHECKING:
    from torch import Tensor

    from sgdphys.network.clouds.indices import IndexStream
    from sgdphys.network.objective import Objective
    from sgdphys.sgd import SGD

__all__ = ["ReplicaGroup"]

_INDICES = 2**17  # made at once: enough to hide the overhead, little enough to stay in cache


class ReplicaGroup:
    """Replicas ``first``, ``first + 1``, ... that advance together.

    The sum over replicas of their batch losses has the gradient of each replica in its own rows, so a replica that
    diverges leaves the others as they are.

    Parameters
    ----------
    objective
        The regularised loss with the data.
    sgd
        Learning rate, batch size, momentum and its form.
    stream
        Where the minibatch indices come from.
    first
        Number of the first replica in the whole cloud.
    positions, velocities
        State (replica, d); velocities are None without momentum.
    """

    def __init__(
        self,
        objective: Objective,
        sgd: SGD,
        stream: IndexStream,
        first: int,
        positions: Tensor,
        velocities: Tensor | None,
    ) -> None:
        self.objective, self.sgd, self.stream, self.first = objective, sgd, stream, first
        self.count = len(positions)
        model = objective.model.clone()
        self._outputs = vmap(model.call)
        self._weights = [piece.clone().requires_grad_() for piece in model.pieces(positions)]
        self._velocities = None if velocities is None else [piece.clone() for piece in model.pieces(velocities)]

    @property
    def positions(self) -> Tensor:
        """Weights (replica, d)."""
        return torch.cat([weight.detach().flatten(1) for weight in self._weights], dim=1)

    @property
    def velocities(self) -> Tensor | None:
        """Heavy-ball velocities (replica, d), in loss/x, or None without momentum."""
        return None if self._velocities is None else torch.cat([v.flatten(1) for v in self._velocities], dim=1)

    def advance(self, first_step: int, n_steps: int) -> None:
        """Take ``n_steps`` steps, the first of them with the number ``first_step``."""
        at_once = max(1, _INDICES // (self.count * self.sgd.batch_size))
        for start in range(first_step, first_step + n_steps, at_once):
            some = min(at_once, first_step + n_steps - start)
            for step, indices in enumerate(self.stream.draw(start, some, self.first, self.count), start=start):
                self._step(indices, intake=1.0 if step == 0 else 1 - self.sgd.dampening)

    def _step(self, indices: Tensor, intake: float) -> None:
        gradients = torch.autograd.grad(self._total_loss(indices), self._weights)
        lr, decay, momentum = self.sgd.lr, self.objective.weight_decay, self.sgd.momentum
        with torch.no_grad():
            if self._velocities is None:
                for weight, gradient in zip(self._weights, gradients, strict=True):
                    weight.mul_(1 - lr * decay).sub_(gradient, alpha=lr)
                return
            for weight, gradient, velocity in zip(self._weights, gradients, self._velocities, strict=True):
                velocity.mul_(momentum).add_(gradient, alpha=intake).add_(weight, alpha=intake * decay)
                if self.sgd.nesterov:  # x - lr (g + wd x + mu v); dampening is 0
                    weight.mul_(1 - lr * decay).sub_(gradient, alpha=lr).sub_(velocity, alpha=lr * momentum)
                else:
                    weight.sub_(velocity, alpha=lr)

    def _total_loss(self, indices: Tensor) -> Tensor:
        data = self.objective
        output = map_leaves(lambda leaf: leaf.flatten(0, 1), self._outputs(self._weights, take(data.inputs, indices)))
        return sample_values(data.loss, output, take(data.targets, indices.reshape(-1))).sum() / self.sgd.batch_size
