"""What the layers of a model do with their parameters in one forward and one backward pass."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import nn
from torch.autograd.graph import get_gradient_edge
from torch.nn import functional

from sgdphys.network.batches import take
from sgdphys.network.noise.layer_uses import BiasUse, ConvolutionUse, DirectUse, EmbeddingUse, LinearUse

if TYPE_CHECKING:
    from torch import Tensor

    from sgdphys.network.noise.layer_uses import Use
    from sgdphys.network.objective import Objective

__all__ = ["LayerRecords", "LayoutError", "Layouts", "record_layers"]

Layouts: TypeAlias = "list[tuple[str | None, frozenset[str]]]"  # of each call: where its samples lie, its parameters


class LayoutError(Exception):
    """The samples do not lie where they lay in the trial with few of them."""


@dataclass(frozen=True)
class LayerRecords:
    """Uses of the parameters by layers, for some samples.

    Parameters
    ----------
    uses
        By name of the parameter, in the order of the calls.
    gradients
        Gradient of the summed losses of the samples by each parameter, by name.
    layouts
        Where each call had its samples (on its first axis, on its second, merged with another one on the first, or None
        where it cannot be told), and the names of its parameters.
    """

    uses: dict[str, list[Use]]
    gradients: dict[str, Tensor]
    layouts: Layouts

    @property
    def matrix_of_bias(self) -> dict[str, str]:
        """Name of the matrix that has exactly the same uses, by name of the bias."""
        matrices = {
            tuple(id(use.slopes) for use in uses if isinstance(use, LinearUse)): name
            for name, uses in self.uses.items()
            if all(isinstance(use, LinearUse) for use in uses)
        }
        slopes = {
            name: tuple(id(use.slopes) for use in uses if isinstance(use, BiasUse)) for name, uses in self.uses.items()
        }
        return {name: matrices[own] for name, own in slopes.items() if own in matrices}


@dataclass
class _Call:
    layer: nn.Module
    inputs: Tensor
    edge: Any
    shape: torch.Size  # of the output
    parameters: dict[str, str]  # own name in the layer -> name in the model

    def where(self, n: int) -> tuple[str | None, frozenset[str]]:
        """Return where the samples lie, as the shapes tell, and the names of the parameters."""
        names = frozenset(self.parameters.values())
        for layout in ("first", "second", "merged"):
            if all(_fits(shape, n, layout) for shape in (self.shape, self.inputs.shape)):
                return layout, names
        return None, names


@dataclass
class _Recorder:
    """Forward hook of the layers whose parameters are asked for."""

    names: dict[int, str]  # by identity of the tensor that stands for the parameter
    calls: list[_Call] = field(default_factory=list)

    def __call__(self, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        own = {name: self.names.get(id(p)) for name, p in layer._parameters.items() if p is not None}
        known = {name: found for name, found in own.items() if found is not None}
        if not known or not output.requires_grad:
            return None
        kept = output.clone() if output._is_view() else output  # a view that is overwritten loses its own edge
        inputs = (args[0] if args else kwargs["input"]).detach()
        self.calls.append(_Call(layer, inputs, get_gradient_edge(kept), output.shape, known))
        return kept


def record_layers(
    objective: Objective, point: Tensor, rows: slice, weights: Tensor | None = None, layouts: Layouts | None = None
) -> LayerRecords:
    """Run some samples forward and backward once and return what the layers did.

    Parameters
    ----------
    objective
        The loss of a module.
    point
        Flat parameters (d,).
    rows
        The samples.
    weights
        Weights (n,) of the losses in the gradients that are returned, at the price of a second backward pass; the uses
        are of the plain losses all the same.
    layouts
        Where the calls have to have their samples, from an earlier record.

    Returns
    -------
    LayerRecords
        The uses. Layers of unknown kind leave none.

    Raises
    ------
    LayoutError
        The samples do not lie as ``layouts`` says.
    """
    model = objective.model
    pieces = [piece.detach().requires_grad_() for piece in model.pieces(point)]
    n = rows.stop - rows.start
    recorder = _Recorder({id(piece): name for piece, name in zip(pieces, model.names, strict=True)})
    with objective.context(), ExitStack() as hooks:
        for layer in model.module.modules() if model.module is not None and layouts != [] else ():
            if type(layer) in _RULES:
                hooks.enter_context(_removed(layer.register_forward_hook(recorder, with_kwargs=True)))
        losses = objective.losses_of(model.call(pieces, take(objective.inputs, rows)), rows)
    edges = [call.edge for call in recorder.calls]
    slopes, gradients = _backward(losses, edges, pieces, weights)
    found = [call.where(n) for call in recorder.calls] if layouts is None else layouts
    if len(found) != len(recorder.calls):
        raise LayoutError
    uses = _uses(recorder.calls, slopes, found, n)
    return LayerRecords(uses, dict(zip(model.names, gradients, strict=True)), found)


def _backward(
    losses: Tensor, edges: list[Any], pieces: list[Tensor], weights: Tensor | None
) -> tuple[list[Tensor | None], list[Tensor]]:
    asked = (*edges, *pieces) if weights is None else tuple(edges)
    found = (
        torch.autograd.grad(losses.sum(), asked, allow_unused=True, retain_graph=weights is not None) if asked else ()
    )
    gradients = found[len(edges) :]
    if weights is not None:
        gradients = torch.autograd.grad(losses, pieces, weights, allow_unused=True)
    filled = [torch.zeros_like(p) if g is None else g for g, p in zip(gradients, pieces, strict=True)]
    return list(found[: len(edges)]), filled


def _uses(calls: list[_Call], slopes: list[Tensor | None], layouts: Layouts, n: int) -> dict[str, list[Use]]:
    uses: dict[str, list[Use]] = {}
    for call, slope, (layout, names) in zip(calls, slopes, layouts, strict=True):
        if slope is None or layout is None or not names:
            continue
        if not all(_fits(tensor.shape, n, layout) for tensor in (call.inputs, slope)):
            raise LayoutError
        arranged, own_slopes = (_by_sample(tensor, n, layout) for tensor in (call.inputs, slope))
        if isinstance(call.layer, nn.Linear):
            own_slopes = own_slopes.flatten(1, -2)
        for own, name in call.parameters.items():
            if name in names:
                uses.setdefault(name, []).append(_RULES[type(call.layer)](call.layer, own, arranged, own_slopes))
    return uses


def _removed(handle: Any) -> ExitStack:
    stack = ExitStack()
    stack.callback(handle.remove)
    return stack


def _fits(shape: torch.Size, n: int, layout: str) -> bool:
    if layout == "second":
        return len(shape) > 1 and shape[1] == n
    return len(shape) > 0 and (shape[0] == n if layout == "first" else shape[0] % n == 0)


def _by_sample(tensor: Tensor, n: int, layout: str) -> Tensor:
    """Return the tensor as (n, position, ...)."""
    if layout == "second":
        return tensor.transpose(0, 1)
    return tensor.reshape(n, -1, *tensor.shape[1:])


def _of_linear(layer: nn.Module, own: str, inputs: Tensor, slopes: Tensor) -> Use:  # noqa: ARG001
    return BiasUse(slopes) if own == "bias" else LinearUse(inputs.flatten(1, -2), slopes)


def _of_convolution(layer: nn.Module, own: str, inputs: Tensor, slopes: Tensor) -> Use:
    if own == "bias":
        return DirectUse(slopes.flatten(3).sum(dim=(1, 3)))
    return ConvolutionUse(layer, inputs, slopes)


def _of_embedding(layer: nn.Module, own: str, inputs: Tensor, slopes: Tensor) -> Use:  # noqa: ARG001
    padding: Any = layer.padding_idx
    tokens = inputs if padding is None else inputs.masked_fill(inputs == padding, -1)
    return EmbeddingUse(tokens.flatten(1), slopes.flatten(1, -2))


def _of_last_axes(layer: nn.Module, own: str, inputs: Tensor, slopes: Tensor) -> Use:
    shape, options = tuple(layer.normalized_shape), {"eps": layer.eps}  # type: ignore[arg-type]
    if own == "weight":
        norm: Any = functional.rms_norm if isinstance(layer, nn.RMSNorm) else functional.layer_norm
        slopes = slopes * norm(inputs, shape, **options)
    return DirectUse(slopes.flatten(1, -1 - len(shape)).sum(dim=1))


def _of_channels(layer: nn.Module, own: str, inputs: Tensor, slopes: Tensor) -> Use:
    if own == "weight":
        slopes = slopes * _normalised(layer, inputs.flatten(0, 1)).view_as(inputs)
    return DirectUse(slopes.unsqueeze(-1).flatten(3).sum(dim=(1, 3)))


def _normalised(layer: Any, inputs: Tensor) -> Tensor:
    if isinstance(layer, nn.GroupNorm):
        return functional.group_norm(inputs, layer.num_groups, eps=layer.eps)
    if isinstance(layer, nn.modules.batchnorm._BatchNorm):
        return functional.batch_norm(inputs, layer.running_mean, layer.running_var, training=False, eps=layer.eps)
    return functional.instance_norm(inputs, eps=layer.eps)


_RULES: dict[type[nn.Module], Callable[[nn.Module, str, Tensor, Tensor], Use]] = {
    nn.Linear: _of_linear,
    nn.Embedding: _of_embedding,
    nn.LayerNorm: _of_last_axes,
    nn.RMSNorm: _of_last_axes,
    **dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.Conv3d), _of_convolution),
    **dict.fromkeys((nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d), _of_channels),
    **dict.fromkeys((nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d), _of_channels),
}
