"""What is checked once, when a network is made."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

    from sgdphys.network.objective import Objective

__all__ = ["check_data", "check_loss"]

_SAMPLES = 8


def check_data(data: Any) -> tuple[Any, Any]:
    """Return ``data`` as a pair of arrays with one row a sample.

    Returns
    -------
    tuple
        Inputs and targets.

    Raises
    ------
    ValueError
        It is no pair, the lengths differ, it is empty or not finite.
    """
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise ValueError(f"data must be the pair (inputs, targets), got {type(data).__name__}")
    inputs, targets = (array if isinstance(array, torch.Tensor) else np.asarray(array) for array in data)
    if inputs.ndim < 1 or targets.ndim < 1 or len(inputs) != len(targets) or len(inputs) == 0:
        raise ValueError(
            "inputs and targets need the same number of rows, at least one, "
            f"got shapes {tuple(inputs.shape)} and {tuple(targets.shape)}"
        )
    for name, array in (("inputs", inputs), ("targets", targets)):
        if not bool(torch.isfinite(torch.as_tensor(array)).all()):
            raise ValueError(f"{name} hold NaN or infinity")
    return inputs, targets


def check_loss(objective: Objective, loss: Any) -> None:
    """Refuse a loss that is not the mean of per-sample losses.

    Raises
    ------
    ValueError
        A sample's loss depends on the other samples or on chance, or a module's own mean is another one.
    """
    rows = slice(0, min(objective.n_samples, _SAMPLES))
    point = objective.model.initial
    with torch.no_grad(), torch.random.fork_rng():
        together = objective.sample_losses(point, rows)
        alone = torch.cat([objective.sample_losses(point, slice(i, i + 1)) for i in range(rows.stop)])
        output = objective.model(point, objective.inputs[rows])
        own = _own_mean(objective, loss, output, objective.targets[rows])
    if not _close(together, alone):
        raise ValueError(
            "the loss of a sample changes with the other samples of its batch, or from call to call (dropout in "
            "training mode?), so it has no gradient of its own; call model.eval() or use another loss"
        )
    if own is not None and not _close(own, together.mean()):
        raise ValueError(
            f"{type(loss).__name__} returns {float(own):.6g}, but the mean of its per-sample values is "
            f"{float(together.mean()):.6g} (class weights?); give a callable (output, target) -> (n,) instead"
        )


def _own_mean(objective: Objective, loss: Any, output: Tensor, target: Tensor) -> Tensor | None:
    if not isinstance(loss, torch.nn.Module) or getattr(loss, "reduction", "none") != "mean":
        return None
    own: Tensor = copy.deepcopy(loss).to(objective.model.initial)(output, target)
    return own


def _close(a: Tensor, b: Tensor) -> bool:
    tolerance = 1e3 * torch.finfo(a.dtype).eps
    return bool(((a - b).abs() <= tolerance * (1 + b.abs())).all())
