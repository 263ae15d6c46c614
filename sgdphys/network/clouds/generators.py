"""The generator that torch itself draws from on a device, dropout masks say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["forked_generator", "generator_of"]


def generator_of(device: torch.device) -> torch.Generator:
    """Return the default generator of a device."""
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        generator: torch.Generator = torch.cuda.default_generators[index]
        return generator
    return torch.default_generator


def forked_generator(device: torch.device) -> AbstractContextManager[None]:
    """Return a context at whose end the generators of this device and of the processor are as they were."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
