"""Losses that are -ln p of a label, with the outputs as natural parameters of p."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["refuse_without_likelihood"]

_LIKELIHOODS = (torch.nn.CrossEntropyLoss, torch.nn.BCEWithLogitsLoss, torch.nn.MSELoss)


def refuse_without_likelihood(loss: Any) -> None:
    """Refuse a loss whose labels have no distribution that the model itself gives.

    Raises
    ------
    ValueError
        It is a callable, another loss module, or weighs its classes.
    """
    module = getattr(loss, "module", None)
    weights = [getattr(module, name, None) for name in ("weight", "pos_weight")]
    if not isinstance(module, _LIKELIHOODS) or any(weight is not None for weight in weights):
        known = ", ".join(kind.__name__ for kind in _LIKELIHOODS)
        raise ValueError(
            f"kind='fisher' needs a loss that is -ln p of a label: {known} without weights; use kind='gauss-newton' "
            "(equal to the Fisher matrix where the loss is -ln p of an exponential family), or 'empirical-fisher'"
        )
