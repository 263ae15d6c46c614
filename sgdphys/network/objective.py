"""The regularised loss of a network as a function of flat parameter tensors."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch.func import vmap

from sgdphys.network.batches import count, leaves, map_leaves, take
from sgdphys.network.digests import digests_of
from sgdphys.network.functional import differentiable_kernels
from sgdphys.network.losses import sample_values
from sgdphys.network.memory import WORKING_BYTES, saved_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from torch import Tensor

    from sgdphys.network.functional import FlatFunction, FlatModel
    from sgdphys.network.losses import PerSampleLoss

__all__ = ["Objective"]


@dataclass(frozen=True)
class Objective:
    r"""The regularised loss on tensors, evaluated in pieces that fit into memory.

    .. math:: f(x) = \frac1N \sum_i \ell_i(x) + \frac{\mathrm{wd}}{2} |x|^2

    ``inputs`` and ``targets`` are trees of tensors with the samples on their first axis. ``obstacle`` says why a sample
    has no loss of its own (batch statistics, dropout), or is None: then f is no function and only batches are.
    """

    model: FlatModel | FlatFunction
    loss: PerSampleLoss
    inputs: Any
    targets: Any
    weight_decay: float
    obstacle: str | None = None

    @property
    def dim(self) -> int:
        """Number of parameters d."""
        return self.model.dim

    @property
    def n_samples(self) -> int:
        """Number of samples N."""
        return count(self.targets)

    @cached_property
    def bytes_per_sample(self) -> int:
        """Bytes that one sample keeps for a backward pass, its inputs included."""
        many = min(self.n_samples, 8)
        few = many // 2
        kept = self._kept_bytes(many) - (
            self._kept_bytes(few) if few else 0
        )  # what does not grow with the batch drops out
        own: int = sum(leaf[0].numel() * leaf.element_size() for leaf in leaves(self.inputs))
        return max(kept // (many - few), 0) + own + 64

    @cached_property
    def digests(self) -> dict[str, str | None]:
        """Hashes of data, of what is fixed in the model, and of the loss."""
        return digests_of(self)

    def _kept_bytes(self, n_samples: int) -> int:
        point = self.model.initial.clone().requires_grad_()
        with torch.random.fork_rng():
            return saved_bytes(lambda: self.sample_losses(point, slice(0, n_samples)).sum())

    def context(self) -> AbstractContextManager[None]:
        """Return a context in which the model has second derivatives, forward mode and vmap."""
        return differentiable_kernels(self.model.module)

    def rows(self, extra_bytes: int = 0, factor: int = 1) -> Iterator[slice]:
        """Yield pieces of the data set whose activations, times ``factor``, and ``extra_bytes`` a sample fit memory."""
        size = max(1, WORKING_BYTES // (factor * self.bytes_per_sample + extra_bytes))
        for start in range(0, self.n_samples, size):
            yield slice(start, min(start + size, self.n_samples))

    def outputs_of(self, point: Tensor, rows: slice) -> Any:
        """Return the model's outputs for some samples at one point: a tensor (n, ...) or a tree of them."""
        return self.model(point, take(self.inputs, rows))

    def losses_of(self, output: Any, rows: slice) -> Tensor:
        """Return the unregularised losses (n,) of some samples, given the model's outputs for them."""
        return sample_values(self.loss, output, take(self.targets, rows))

    def sample_losses(self, point: Tensor, rows: slice) -> Tensor:
        """Return the unregularised losses of some samples at one point, (n,)."""
        return self.losses_of(self.outputs_of(point, rows), rows)

    def outputs(self, points: Tensor, inputs: Any) -> Any:
        """Return the model's outputs at points (point, d), (point, sample, ...) or a tree of such tensors."""
        pieces = self.model.pieces(points)
        if len(points) == 1:
            return map_leaves(lambda leaf: leaf[None], self.model.call([piece[0] for piece in pieces], inputs))
        with self.context():
            return vmap(self.model.call, in_dims=(0, None))(pieces, inputs)

    def summed_losses(self, points: Tensor, rows: slice) -> Tensor:
        """Return the sum of the unregularised losses of some samples at each point, (point,)."""
        if len(points) > 1:
            with contextlib.suppress(RuntimeError, ValueError, IndexError, TypeError):  # Python that looks at numbers
                return self._summed_at_once(points, rows)
        sums = [self.sample_losses(point, rows).sum() for point in points]
        return torch.stack(sums) if sums else points.new_zeros(0)

    def _summed_at_once(self, points: Tensor, rows: slice) -> Tensor:
        output = self.outputs(points, take(self.inputs, rows))
        target = map_leaves(lambda leaf: leaf.expand(len(points), *leaf.shape).flatten(0, 1), take(self.targets, rows))
        flat = map_leaves(lambda leaf: leaf.flatten(0, 1), output)
        return sample_values(self.loss, flat, target).view(len(points), -1).sum(dim=1)

    def potential(self, points: Tensor) -> Tensor:
        """Return f at points (point, d), (point,)."""
        values = 0.5 * self.weight_decay * points.square().sum(dim=1)
        with torch.no_grad():
            for some, rows in self._blocks(len(points)):
                values[some] += self.summed_losses(points[some], rows) / self.n_samples
        return values

    def gradient(self, points: Tensor) -> Tensor:
        """Return the gradient of f at points (point, d), same shape."""
        return self.value_and_gradient(points)[1]

    def value_and_gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return f (point,) and its gradient (point, d) at points (point, d)."""
        values = 0.5 * self.weight_decay * points.square().sum(dim=1)
        gradients = self.weight_decay * points
        for some, rows in self._blocks(len(points)):
            leaf = points[some].detach().clone().requires_grad_()
            totals = self.summed_losses(leaf, rows) / self.n_samples
            gradients[some] += torch.autograd.grad(totals.sum(), leaf)[0]
            values[some] += totals.detach()
        return values, gradients

    def _blocks(self, n_points: int) -> Iterator[tuple[slice, slice]]:
        for rows in self.rows():
            size = max(1, WORKING_BYTES // (self.bytes_per_sample * (rows.stop - rows.start)))
            for start in range(0, n_points, size):
                yield slice(start, start + size), rows
