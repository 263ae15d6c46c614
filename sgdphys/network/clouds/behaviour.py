"""What a call of a model does besides returning its output: changing buffers, drawing random numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from sgdphys.network.batches import take
from sgdphys.network.clouds.generators import forked_generator, generator_of
from sgdphys.network.functional import batch_statistics_layer

if TYPE_CHECKING:
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
    """Return what a call of the model does, found by a call of a copy on some samples."""
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
    changed = (name for name, buffer in model.buffers.items() if not torch.equal(buffer, buffers[name]))
    mixes = batch_statistics_layer(model.module) is not None or (objective.obstacle is not None and not random)
    return Behaviour(tuple(changed), random, mixes)


def _draws(objective: Objective) -> bool:
    device = objective.model.initial.device
    with torch.no_grad(), forked_generator(device):
        before = generator_of(device).get_state()
        objective.sample_losses(objective.model.initial, slice(0, 1))
        return not torch.equal(before, generator_of(device).get_state())
