"""What a call of a model does besides returning its output: changing buffers, drawing random numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from sgdphys.network.batches import take
from sgdphys.network.clouds.generators import forked_generator, generator_of
from sgdphys.network.clouds.placed_models import PlacedModel
from sgdphys.network.functional import batch_statistics_layer

if TYPE_CHECKING:
    from torch import Tensor

    from sgdphys.network.objective import Objective

__all__ = ["Behaviour", "behaviour_of"]

_SAMPLES = 8


class Behaviour(NamedTuple):
    """Side effects of a call.

    ``buffers`` are the names of the buffers that it changes, running statistics say; ``random`` tells whether it draws
    from torch's generator, as dropout does; ``mixes`` whether the samples of a batch see each other.
    """

    buffers: tuple[str, ...]
    random: bool
    mixes: bool


def behaviour_of(objective: Objective) -> Behaviour:
    """Return what a call of the model does, found by calls of a copy on some samples; ValueError for new buffers."""
    model = objective.model.clone()
    if model.module is None:
        return Behaviour((), random=_draws(objective), mixes=False)
    buffers = {name: buffer.clone() for name, buffer in model.buffers.items()}
    device = model.initial.device
    samples = take(objective.inputs, slice(0, min(objective.n_samples, _SAMPLES)))
    with torch.no_grad(), forked_generator(device):
        before = generator_of(device).get_state()
        model.call(model.pieces(model.initial), samples, buffers)
        random = not torch.equal(before, generator_of(device).get_state())
    changed = _changed(model.buffers, buffers)
    _refuse_new_buffers(objective, samples, changed)
    mixes = batch_statistics_layer(model.module) is not None or (objective.obstacle is not None and not random)
    return Behaviour(changed, random, mixes)


def _changed(buffers: dict[str, Tensor], before: dict[str, Tensor]) -> tuple[str, ...]:
    return tuple(name for name, buffer in buffers.items() if not torch.equal(buffer, before[name]))


def _refuse_new_buffers(objective: Objective, samples: Any, written: tuple[str, ...]) -> None:
    """Refuse buffers that a call replaces: of those no replica could keep its own."""
    model = objective.model.clone()
    before = {name: buffer.clone() for name, buffer in model.buffers.items()}
    weights: list[Tensor] = [torch.nn.Parameter(piece) for piece in model.pieces(model.initial)]
    with torch.no_grad(), forked_generator(model.initial.device):
        PlacedModel(model)(weights, samples, {})
    replaced = [name for name in _changed(model.buffers, before) if name not in written]
    if replaced:
        raise ValueError(
            f"the model puts a new tensor in the place of its buffer {replaced[0]!r}, so that replicas could not keep "
            "their own; let it write into the buffer, self.buffer.copy_(value)"
        )


def _draws(objective: Objective) -> bool:
    device = objective.model.initial.device
    with torch.no_grad(), forked_generator(device):
        before = generator_of(device).get_state()
        objective.sample_losses(objective.model.initial, slice(0, 1))
        return not torch.equal(before, generator_of(device).get_state())
