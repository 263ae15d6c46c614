"""The data and the model of a network on another device."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from sgdphys.network.batches import map_leaves

if TYPE_CHECKING:
    from sgdphys.network.clouds.replica_group import Rule
    from sgdphys.network.objective import Objective

__all__ = ["on_device"]


def on_device(rule: Rule, device: torch.device) -> Rule:
    """Return the rule with data, model and loss on another device; itself where they are there already."""
    if rule.objective.model.initial.device == device:
        return rule
    return replace(rule, objective=_moved(rule.objective, device))


def _moved(objective: Objective, device: torch.device) -> Objective:
    model: Any = copy.copy(objective.model)
    if model.module is not None:
        model = model.clone()
        model.module.to(device)
    model.initial = model.initial.to(device)
    loss: Any = objective.loss
    if isinstance(getattr(loss, "module", None), torch.nn.Module):  # that of a torch loss; its class weights move too
        loss = replace(loss, module=copy.deepcopy(loss.module).to(device))
    inputs, targets = (map_leaves(lambda leaf: leaf.to(device), tree) for tree in (objective.inputs, objective.targets))
    return replace(objective, model=model, loss=loss, inputs=inputs, targets=targets)
