"""How one call of a layer enters the gradients of its parameters, sample by sample: sums of products over positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

__all__ = ["BiasUse", "ConvolutionUse", "DirectUse", "EmbeddingUse", "LinearUse", "Use", "pieces_of"]

BLOCK_BYTES = 32 * 2**20  # what one intermediate product may take


class Use(Protocol):
    """One use of a parameter by a layer, for n samples."""

    @property
    def n_samples(self) -> int:
        """Number of samples n."""
        ...

    def rows(self, start: int, stop: int) -> Tensor:
        """Return each sample's gradient by rows start..stop of the parameter's first axis, (n, stop - start, ...)."""
        ...


@dataclass(frozen=True)
class DirectUse:
    """A use whose per-sample gradients (n, ...) are small and at hand, as of biases and scales."""

    gradients: Tensor

    @property
    def n_samples(self) -> int:
        """Number of samples n."""
        return len(self.gradients)

    def rows(self, start: int, stop: int) -> Tensor:
        """Return each sample's gradient by some rows of the parameter."""
        return self.gradients[:, start:stop]


@dataclass(frozen=True)
class BiasUse:
    """The bias of a linear layer.

    Parameters
    ----------
    slopes
        Gradient of the sample's loss by what came out, (n, position, unit); the tensor of the matrix's own use.
    """

    slopes: Tensor

    @property
    def n_samples(self) -> int:
        """Number of samples n."""
        return len(self.slopes)

    def rows(self, start: int, stop: int) -> Tensor:
        """Return each sample's gradient by some units, (n, stop - start)."""
        return self.slopes[:, :, start:stop].sum(dim=1)


@dataclass(frozen=True)
class LinearUse:
    """A matrix of a linear layer: its gradient is the sum over positions p of b_p a_p'.

    Parameters
    ----------
    inputs
        What went in, a (n, position, feature).
    slopes
        Gradient of the sample's loss by what came out, b (n, position, unit).
    """

    inputs: Tensor
    slopes: Tensor

    @property
    def n_samples(self) -> int:
        """Number of samples n."""
        return len(self.inputs)

    def rows(self, start: int, stop: int) -> Tensor:
        """Return each sample's gradient by some rows of the matrix, (n, stop - start, feature)."""
        return self.slopes[:, :, start:stop].mT @ self.inputs

    def until(self, stop: int) -> LinearUse:
        """Return the use by the first samples alone."""
        return LinearUse(self.inputs[:stop], self.slopes[:stop])

    def likeness(self, rows: slice, other: LinearUse) -> Tensor:
        """Return the products of the inputs of some samples with all those of the other, (sample p, sample q)."""
        return self.inputs[rows].flatten(0, 1) @ other.inputs.flatten(0, 1).T


@dataclass(frozen=True)
class EmbeddingUse:
    """The table of an embedding: a linear layer whose input is one at the token's number.

    Parameters
    ----------
    tokens
        Their numbers (n, position); negative ones have no gradient.
    slopes
        Gradient of the sample's loss by what came out, (n, position, feature).
    """

    tokens: Tensor
    slopes: Tensor

    @property
    def n_samples(self) -> int:
        """Number of samples n."""
        return len(self.tokens)

    def rows(self, start: int, stop: int) -> Tensor:
        """Return each sample's gradient by some rows of the table, (n, stop - start, feature)."""
        n, width = len(self.tokens), stop - start
        inside = (self.tokens >= start) & (self.tokens < stop)
        sample, position = torch.nonzero(inside, as_tuple=True)
        result = self.slopes.new_zeros(n * width, self.slopes.shape[2])
        result.index_add_(0, sample * width + self.tokens[sample, position] - start, self.slopes[sample, position])
        return result.view(n, width, -1)

    def until(self, stop: int) -> EmbeddingUse:
        """Return the use by the first samples alone."""
        return EmbeddingUse(self.tokens[:stop], self.slopes[:stop])

    def likeness(self, rows: slice, other: EmbeddingUse) -> Tensor:
        """Return 1 where tokens of some samples and all those of the other are the same, (sample p, sample q)."""
        own = self.tokens[rows].flatten()[:, None]
        return ((own == other.tokens.flatten()) & (own >= 0)).to(self.slopes)


@dataclass(frozen=True)
class ConvolutionUse:
    """The kernel of a convolution: a linear layer on the patches that it sees, group by group.

    Parameters
    ----------
    layer
        The convolution, for its stride, padding, dilation and groups.
    inputs
        What went in, (n, image, channel, ...).
    slopes
        Gradient of the sample's loss by what came out, (n, image, channel, ...).
    """

    layer: Any
    inputs: Tensor
    slopes: Tensor

    @property
    def n_samples(self) -> int:
        """Number of samples n."""
        return len(self.inputs)

    def rows(self, start: int, stop: int) -> Tensor:
        """Return each sample's gradient by some output channels, (n, stop - start, ...)."""
        width = self.layer.out_channels // self.layer.groups
        groups = slice(start // width, -(-stop // width))
        first = start - groups.start * width
        # of several groups all channels; of one only those asked for, which may be few of very many
        within = slice(first, first + stop - start) if groups.stop - groups.start == 1 else slice(None)
        parts = [self._rows(some, groups, within) for some in pieces_of(self.n_samples, self.patch_bytes(groups))]
        found = parts[0] if len(parts) == 1 else torch.cat(parts)
        return found if within != slice(None) else found[:, first : first + stop - start]

    def patch_bytes(self, groups: slice) -> int:
        """Return the bytes of the patches of one sample in some groups."""
        n_positions, n_weights = self.slopes[0, :, 0].numel(), self.layer.weight[0].numel()
        return int(self.inputs.element_size() * n_positions * n_weights * (groups.stop - groups.start))

    def _rows(self, some: slice, groups: slice, within: slice) -> Tensor:
        n_groups, (n, images) = self.layer.groups, self.inputs[some].shape[:2]
        patches = self._patches(some, groups)
        patches = patches.reshape(n, images, *patches.shape[1:])
        slopes = self.slopes[some].reshape(n, images, n_groups, -1, patches.shape[-1])[:, :, groups, within]
        result = torch.einsum("nmgop,nmgip->ngoi", slopes, patches)
        return result.reshape(n, -1, *self.layer.weight.shape[1:])

    def _patches(self, some: slice, groups: slice) -> Tensor:
        """Return the patches (n image, group, channel and kernel, position)."""
        layer, inputs = self.layer, self.inputs[some].flatten(0, 1)
        n_axes = inputs.ndim - 2
        mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
        patches = functional.pad(inputs, layer._reversed_padding_repeated_twice, mode=mode)
        width = layer.in_channels // layer.groups
        patches = patches[:, groups.start * width : groups.stop * width]
        for axis, (size, step, gap) in enumerate(zip(layer.kernel_size, layer.stride, layer.dilation, strict=True)):
            patches = patches.unfold(2 + axis, gap * (size - 1) + 1, step)[..., ::gap]
        kernel_first = (0, 1, *range(2 + n_axes, 2 + 2 * n_axes), *range(2, 2 + n_axes))
        patches = patches.permute(kernel_first).flatten(2 + n_axes)
        n, n_groups, n_positions = len(patches), groups.stop - groups.start, patches.shape[-1]
        return patches.reshape(n, n_groups, -1, n_positions)


def pieces_of(count: int, bytes_each: int) -> Iterator[slice]:
    """Yield consecutive pieces of ``count`` things whose intermediate products stay small."""
    size = max(1, BLOCK_BYTES // max(bytes_each, 1))
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
