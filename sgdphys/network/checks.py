"""What is checked once, when a network is made."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from sgdphys.network.batches import leaves, take
from sgdphys.network.functional import batch_statistics_layer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from sgdphys.network.objective import Objective

__all__ = ["check_evaluation", "check_loss", "explained", "obstacle_to_samples"]

_SAMPLES = 8
_WAY_OUT = "; call model.eval() first (or Network(..., mode='eval')), or ask for the noise of batches, unit='batch'"


def check_evaluation(objective: Objective) -> None:
    """Refuse model, loss and data that do not fit each other, from a first look at some samples.

    Raises
    ------
    ValueError
        Model or loss fail on the data, or the losses are not finite, no floating numbers or have no gradient.
    """
    rows = slice(0, min(objective.n_samples, _SAMPLES))
    point = objective.model.initial.clone().requires_grad_()
    with torch.enable_grad(), torch.random.fork_rng():
        with explained(f"the model cannot be called on the data, inputs {_shapes(objective.inputs)}{_hint(objective)}"):
            output = objective.outputs_of(point, rows)
        targets = take(objective.targets, rows)
        with explained(f"the loss cannot be called on outputs {_shapes(output)} and targets {_shapes(targets)}"):
            objective.loss(output, targets)
        losses = objective.losses_of(output, rows)
    if not (losses.is_floating_point() and losses.requires_grad):
        raise ValueError(
            f"the loss has no gradient ({losses.dtype}): it must depend on the parameters through torch operations, "
            "without detach(), whole numbers or NumPy"
        )
    if not bool(torch.isfinite(losses).all()):
        raise ValueError("the loss of a sample is NaN or infinite at the parameters given; start from others")


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn whatever the user's model or loss raises inside into a ValueError of one line that begins with ``what``."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # whatever the user's own code raises
        reason = (str(error).splitlines() or [""])[0]
        raise ValueError(f"{what}: {type(error).__name__}: {reason}") from error


def _shapes(tree: Any) -> str:
    return " and ".join(f"{tuple(leaf.shape)}" for leaf in leaves(tree) if isinstance(leaf, torch.Tensor))


def _hint(objective: Objective) -> str:
    whole = objective.model.module is not None and not all(x.is_floating_point() for x in leaves(objective.inputs))
    return " (whole numbers stay whole, as embeddings want them; give floats to other layers)" if whole else ""


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
        return f"the loss of a sample changes with the other samples of its batch{_broadcast(objective)}{_WAY_OUT}"
    return None


def _broadcast(objective: Objective) -> str:
    rows = slice(0, min(objective.n_samples, _SAMPLES))
    with torch.no_grad(), torch.random.fork_rng():
        output = objective.outputs_of(objective.model.initial, rows)
    targets = take(objective.targets, rows)
    tensors = isinstance(output, torch.Tensor) and isinstance(targets, torch.Tensor)
    if not tensors or output.ndim == targets.ndim or not targets.is_floating_point():
        return ""
    return f" (outputs {_shapes(output)} and targets {_shapes(targets)} broadcast against each other?)"


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
