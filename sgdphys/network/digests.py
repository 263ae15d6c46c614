"""What tells a network from another one of the same size: hashes of its data, of what is fixed in it, of its loss."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import torch

from sgdphys.network.batches import leaves
from sgdphys.network.tensors import to_numpy
from sgdphys.provenance import source_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from sgdphys.network.objective import Objective

__all__ = ["difference", "digests_of"]


def digests_of(objective: Objective) -> dict[str, str | None]:
    """Return a hash of each part of a network that its trainable parameters do not tell.

    Parameters
    ----------
    objective
        Loss, model and data; where they are, CPU or GPU, does not matter.

    Returns
    -------
    dict
        ``data``: the bytes of inputs and targets. ``model``: layers and their settings, frozen parameters, buffers.
        ``loss``: the source of a function, settings and buffers of a module; None where nothing of it can be read.
    """
    model: Any = objective.model
    if model.module is None:
        told = source_hash(model.function)
    else:
        fixed = (tensor for name, tensor in model.module.named_parameters() if name not in model.names)
        told = _module(model.module, fixed)
    loss: Any = getattr(objective.loss, "module", objective.loss)
    own = _module(loss, loss.parameters()) if isinstance(loss, torch.nn.Module) else source_hash(loss)
    return {"data": _tensors([*leaves(objective.inputs), *leaves(objective.targets)]), "model": told, "loss": own}


def difference(told: dict[str, Any], here: dict[str, Any]) -> str | None:
    """Return what a configuration tells differently of two networks, or None; one without hashes is not held to them.

    Parameters
    ----------
    told, here
        What ``Network.configuration`` returned for one and the other.

    Returns
    -------
    str or None
        Names of the entries, for a message.
    """
    one, other = (dict(each) for each in (told, here))
    hashes = [each.pop("digests", None) for each in (one, other)]
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    if None not in hashes:
        names += [name for name in hashes[1] if hashes[0].get(name) != hashes[1][name]]
    return ", ".join(dict.fromkeys(names)) or None


def _module(module: torch.nn.Module, fixed: Iterable[Tensor]) -> str:
    forwards = {type(part).forward for part in module.modules() if not _is_of_torch(part)}
    sources = [source_hash(forward) for forward in sorted(forwards, key=lambda forward: forward.__qualname__)]
    layers = [(name, type(part).__qualname__, _settings(part)) for name, part in module.named_modules()]
    text = repr((layers, sources)) + _tensors([*fixed, *module.buffers()])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _is_of_torch(module: torch.nn.Module) -> bool:
    return type(module).__module__.startswith("torch.")


def _settings(module: torch.nn.Module) -> list[tuple[str, Any]]:
    """Return what a layer is set to, mode included; not the whole numbers of a user's layer, which may count calls."""
    kinds = (bool, float, str, int, tuple) if _is_of_torch(module) else (bool, float, str)
    own = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    return [(name, value) for name, value in sorted(own.items()) if isinstance(value, kinds)]


def _tensors(tensors: Iterable[Tensor]) -> str:
    found = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        values = to_numpy(tensor.detach().contiguous())
        found.update(f"{values.dtype}{values.shape}".encode())
        found.update(values.reshape(-1).view("uint8").data)
    return found.hexdigest()
