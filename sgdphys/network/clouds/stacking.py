"""Whether replicas of a model can be stacked, found out by doing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sgdphys.network.clouds.generators import forked_generator
from sgdphys.network.clouds.gradients import BatchLoss

if TYPE_CHECKING:
    from torch import Tensor

    from sgdphys.network.clouds.replica_group import Rule, State

__all__ = ["obstacle_to_stacking"]

_SAMPLES = 32


def obstacle_to_stacking(rule: Rule, state: State) -> str | None:
    """Return why replicas of the model cannot be stacked, or None.

    Some operations have no rule for stacked parameters (recurrent layers, writes into fresh tensors), and some have a
    wrong one: torch's gradient of a stacked embedding forgets its padding index. So the gradients of two replicas on
    some samples are computed together and one after the other. A model that draws random numbers is only tried.

    Parameters
    ----------
    rule
        How replicas move.
    state
        Where they are.

    Returns
    -------
    str or None
        The reason, in torch's words where it refuses.
    """
    few = state.take(range(min(2, len(state.positions))))
    with rule.objective.context(), forked_generator(state.positions.device):
        try:
            together = _gradients(rule, few, stacked=True)
        except RuntimeError as error:
            return " ".join(str(error).split())[:200]
        if rule.behaviour.random:
            return None
        alone = torch.cat([_gradients(rule, few.take([row]), stacked=False) for row in range(len(few.positions))])
    tolerance = torch.finfo(alone.dtype).eps ** 0.5 * (1 + alone.abs().nan_to_num().max())
    if torch.allclose(together, alone, rtol=0, atol=float(tolerance), equal_nan=True):
        return None
    return f"stacked gradients differ from those of single models by {float((together - alone).abs().max()):.2g}"


def _gradients(rule: Rule, state: State, *, stacked: bool) -> Tensor:
    """Return the gradients of some replicas on the first samples, (replica, d)."""
    count, model = len(state.positions), rule.objective.model
    some = min(rule.objective.n_samples, _SAMPLES)
    rows = torch.arange(some, device=state.positions.device).expand(count, -1)
    pieces = model.pieces(state.positions if stacked else state.positions[0])
    weights: list[Tensor] = [torch.nn.Parameter(piece.clone()) for piece in pieces]
    buffers = {name: buffer.clone() if stacked else buffer[0].clone() for name, buffer in state.buffers.items()}
    loss = BatchLoss(rule.objective, rule.behaviour, stacked=stacked)
    _, gradients = loss.of_minibatches(weights, buffers, rows, some)
    return torch.cat([gradient.reshape(count, -1) for gradient in gradients], dim=1)
