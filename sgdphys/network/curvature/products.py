"""Products of the matrices of second order with blocks of vectors, piece by piece over the data set."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from sgdphys.network.batches import leaves, map_leaves
from sgdphys.network.curvature.routes import Routes, backward_blocks
from sgdphys.network.memory import WORKING_BYTES

if TYPE_CHECKING:
    from torch import Tensor

    from sgdphys.network.objective import Objective

__all__ = ["GaussNewtonProducts", "HessianProducts", "SecondMomentProducts"]

_Columns: TypeAlias = "list[Tensor]"
_Images: TypeAlias = "Callable[[Tensor, bool], Tensor]"  # vectors (block, d), whether at once -> their images


class _PieceProducts(ABC):
    """Sums the images of vectors over the pieces of the data set; a graph is kept where one piece holds all."""

    def __init__(self, objective: Objective, point: Tensor, route: str) -> None:
        self.objective, self.point = objective, point
        self._together: bool | None = None  # whether a batched backward pass has proved right
        self._routes = Routes({"reverse": self._reverse, "forward": self._forward}, route)

    @property
    def route(self) -> str | None:
        """The route that the products take, None before the first."""
        return self._routes.taken

    def __call__(self, columns: Tensor) -> Tensor:
        """Return the images of the columns (d, k), without weight decay."""
        with torch.enable_grad(), self.objective.context():
            return self._routes(columns) / self.objective.n_samples

    @abstractmethod
    def _images_of(self, rows: slice) -> _Images:
        """Return the product of one piece by backward passes, from a graph of its own."""

    @abstractmethod
    def _forward_image(self, rows: slice, v: Tensor) -> Tensor:
        """Return the product of one piece with one vector by forward mode."""

    def _reverse(self, columns: Tensor) -> Tensor:
        total = torch.zeros_like(columns)
        for images, rows in self._graphs():
            n_bytes = 4 * self.objective.bytes_per_sample * (rows.stop - rows.start)
            size = max(1, WORKING_BYTES // n_bytes)
            total += torch.cat([self._block(images, block).T for block in torch.split(columns.T, size)], dim=1)
        return total

    def _block(self, images: _Images, block: Tensor) -> Tensor:
        """Return the images of a block; what is batched is compared with a single pass once, for layers differ."""
        if len(block) == 1 or self._together is False:
            return images(block, False)
        result = images(block, True)
        if self._together is None:
            alone = images(block[:1], False)[0]
            wrong = float((result[0] - alone).norm())
            self._together = wrong <= torch.finfo(block.dtype).eps ** 0.5 * float(alone.norm())
        return result if self._together else images(block, False)

    def _forward(self, columns: Tensor) -> Tensor:
        self._refuse_padding()
        total = torch.zeros_like(columns)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*torch.jit.script", DeprecationWarning)  # torch's own forward rules
            for rows in self._pieces:
                total += torch.stack([self._forward_image(rows, v) for v in columns.T], dim=1)
        return total

    def _refuse_padding(self) -> None:
        module = self.objective.model.module
        layers = () if module is None else module.modules()
        if any(getattr(layer, "padding_idx", None) is not None for layer in layers):
            raise RuntimeError("backward passes leave out the padding of an embedding, forward mode does not")

    @cached_property
    def _pieces(self) -> list[slice]:
        return list(self.objective.rows(factor=4))

    @cached_property
    def _kept(self) -> _Images:
        return self._images_of(self._pieces[0])

    def _graphs(self) -> Iterator[tuple[_Images, slice]]:
        if len(self._pieces) == 1:
            yield self._kept, self._pieces[0]
        else:
            for rows in self._pieces:
                yield self._images_of(rows), rows

    def _leaf(self) -> Tensor:
        return self.point.detach().clone().requires_grad_()


class HessianProducts(_PieceProducts):
    """The Hessian of the mean loss: the derivative of its gradient along a vector.

    Backward passes only (the gradient is differentiated once more; its graph is kept between products), or forward mode
    over a backward pass.
    """

    def _images_of(self, rows: slice) -> _Images:
        leaf = self._leaf()
        (g,) = torch.autograd.grad(self.objective.sample_losses(leaf, rows).sum(), leaf, create_graph=True)
        return lambda block, together: backward_blocks([g], [leaf], [block], together=together)[0]

    def _forward_image(self, rows: slice, v: Tensor) -> Tensor:
        gradient = torch.func.grad(lambda x: self.objective.sample_losses(x, rows).sum())
        image: Tensor = torch.func.jvp(gradient, (self.point,), (v,))[1]
        return image


@dataclass(frozen=True)
class _Outputs:
    """Outputs of a piece, the leaf they come from, and u of J'u with its value: J v differentiates J'u by u."""

    leaf: Tensor
    outputs: _Columns
    u: _Columns
    transposed: Tensor

    @classmethod
    def of(cls, leaf: Tensor, outputs: _Columns) -> _Outputs:
        u = [torch.ones_like(z, requires_grad=True) for z in outputs]
        (transposed,) = torch.autograd.grad(outputs, leaf, u, create_graph=True)
        return cls(leaf, outputs, u, transposed)

    def times(self, block: Tensor, together: bool) -> _Columns:
        return backward_blocks([self.transposed], self.u, [block], together=together)

    def transposed_times(self, columns: _Columns, together: bool) -> Tensor:
        return backward_blocks(self.outputs, [self.leaf], columns, together=together)[0]


class GaussNewtonProducts(_PieceProducts):
    r"""The generalised Gauss-Newton matrix :math:`\frac1N \sum_i J_i^T H_i J_i` without weight decay.

    J_i is the derivative of the outputs for sample i, H_i the Hessian of its loss with respect to these outputs, by
    differentiating the loss twice. Outputs may have any shape, or be a tree of tensors.
    """

    def _images_of(self, rows: slice) -> _Images:
        leaf = self._leaf()
        tree = self.objective.outputs_of(leaf, rows)
        jacobian = _Outputs.of(leaf, _moving(tree))
        slope, moved = self._slope(tree, rows)

        def images(block: Tensor, together: bool) -> Tensor:
            bent = backward_blocks(slope, moved, jacobian.times(block, together), together=together)
            return jacobian.transposed_times(bent, together)

        return images

    def _forward_image(self, rows: slice, v: Tensor) -> Tensor:
        leaf = self._leaf()
        tree = self.objective.outputs_of(leaf, rows)
        moving = [_moves(z) for z in leaves(tree)]
        slope, moved = self._slope(tree, rows)

        def outputs(x: Tensor) -> tuple[Tensor, ...]:
            return tuple(z for z, keep in zip(leaves(self.objective.outputs_of(x, rows)), moving, strict=True) if keep)

        along = torch.func.jvp(outputs, (self.point,), (v,))[1]
        bent = backward_blocks(slope, moved, [z[None] for z in along], together=False)
        return backward_blocks(_moving(tree), [leaf], bent, together=False)[0][0]

    def _slope(self, tree: Any, rows: slice) -> tuple[_Columns, _Columns]:
        """Return the derivative of the losses by the outputs, with its graph, and the outputs that it is taken at."""
        detached = map_leaves(lambda z: z.detach().requires_grad_() if _moves(z) else z, tree)
        moved = _moving(detached)
        total = self.objective.losses_of(detached, rows).sum()
        slope = torch.autograd.grad(total, moved, create_graph=True, allow_unused=True)
        return [torch.zeros_like(z) if s is None else s for s, z in zip(slope, moved, strict=True)], moved


class SecondMomentProducts(_PieceProducts):
    r"""The uncentred second moment :math:`\frac1N \sum_i g_i g_i^T` of the gradients of the unregularised losses."""

    def _images_of(self, rows: slice) -> _Images:
        leaf = self._leaf()
        jacobian = _Outputs.of(leaf, [self.objective.sample_losses(leaf, rows)])
        return lambda block, together: jacobian.transposed_times(jacobian.times(block, together), together)

    def _forward_image(self, rows: slice, v: Tensor) -> Tensor:
        leaf = self._leaf()
        losses = self.objective.sample_losses(leaf, rows)
        along = torch.func.jvp(lambda x: self.objective.sample_losses(x, rows), (self.point,), (v,))[1]
        return backward_blocks([losses], [leaf], [along[None]], together=False)[0][0]


def _moves(leaf: Any) -> bool:
    return isinstance(leaf, torch.Tensor) and leaf.requires_grad


def _moving(tree: Any) -> _Columns:
    return [leaf for leaf in leaves(tree) if _moves(leaf)]
