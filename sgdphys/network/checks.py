"""What is checked once, when a network is made."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch

from sgdphys.network.batches import take
from sgdphys.network.functional import batch_statistics_layer

if TYPE_CHECKING:
    from torch import Tensor

    from sgdphys.network.objective import Objective

__all__ = ["check_loss", "obstacle_to_samples"]

_SAMPLES = 8
_WAY_OUT = "; call model.eval() first (or Network(..., mode='eval')), or ask for the noise of batches, unit='batch'"


def obstacle_to_samples(objective: Objective) -> str | None:
    """Return why a sample of the data set has no loss of its own, with the way out, or None.

    Returns
    -------
    str or None
        Batch statistics, chance (dropout), or a loss that mixes the samples.
    """
    module = objective.model.module
    layer = None if module is None else batch_statistics_layer(module)
    if layer is not None:
        return f"{layer}, so a sample has no gradient of its own{_WAY_OUT} (layers that keep no statistics always mix)"
    rows = slice(0, min(objective.n_samples, _SAMPLES))
    point = objective.model.initial
    with torch.no_grad(), torch.random.fork_rng():
        together, again = (objective.sample_losses(point, rows) for _ in range(2))
        alone = torch.cat([objective.sample_losses(point, slice(i, i + 1)) for i in range(rows.stop)])
    if not _close(together, again):
        return f"the loss of a sample changes from call to call (dropout in training mode?){_WAY_OUT}"
    if not _close(together, alone):
        return f"the loss of a sample changes with the other samples of its batch{_WAY_OUT}"
    return None


def check_loss(objective: Objective, loss: Any) -> None:
    """Refuse a loss module whose own mean is not the mean of its per-sample values.

    Raises
    ------
    ValueError
        It weighs the samples.
    """
    if not isinstance(loss, torch.nn.Module) or getattr(loss, "reduction", "none") != "mean":
        return
    rows = slice(0, min(objective.n_samples, _SAMPLES))
    with torch.no_grad(), torch.random.fork_rng():
        output = objective.outputs_of(objective.model.initial, rows)
        own = copy.deepcopy(loss).to(objective.model.initial)(output, take(objective.targets, rows))
        mean = objective.losses_of(output, rows).mean()
    if not _close(own, mean):
        raise ValueError(
            f"{type(loss).__name__} returns {float(own):.6g}, but the mean of its per-sample values is "
            f"{float(mean):.6g} (class weights?); give a callable (output, target) -> (n,) instead"
        )


def _close(a: Tensor, b: Tensor) -> bool:
    tolerance = 1e3 * torch.finfo(a.dtype).eps
    return bool(((a - b).abs() <= tolerance * (1 + b.abs())).all())
