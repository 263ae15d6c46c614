"""A module that holds the parameters of one replica itself, called without the cost of a functional call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from sgdphys.network.functional import FlatFunction, FlatModel

__all__ = ["PlacedModel"]


class PlacedModel:
    """A model as it stands, with parameters and buffers put in their places when they are others than before.

    Parameters
    ----------
    model
        A private copy, which is changed.
    """

    def __init__(self, model: FlatModel | FlatFunction) -> None:
        self._model, self._placed = model, None
        self._parameters = [] if model.module is None else _owners(model.module, model.names)

    _placed: list[Tensor] | None

    def __call__(self, weights: list[Tensor], inputs: Any, buffers: dict[str, Tensor]) -> Any:
        """Return the output.

        Parameters
        ----------
        weights
            Parameters, of type ``torch.nn.Parameter``; the same list means the same parameters.
        inputs
            As the model takes them.
        buffers
            Buffers that the call changes in place.

        Returns
        -------
        Tensor or tree of them
            The output.
        """
        module = self._model.module
        if module is None:
            return self._model.call(weights, inputs)
        if self._placed is not weights:
            for weight, owners in zip(weights, self._parameters, strict=True):
                for owner, name in owners:
                    setattr(owner, name, weight)
            for name, buffer in buffers.items():
                owner, own = _owner(module, name)
                setattr(owner, own, buffer)
            self._placed = weights
        if isinstance(inputs, dict):
            return module(**inputs)
        return module(*inputs) if isinstance(inputs, tuple) else module(inputs)


def _owner(module: torch.nn.Module, name: str) -> tuple[torch.nn.Module, str]:
    prefix, _, own = name.rpartition(".")
    return module.get_submodule(prefix), own


def _owners(module: torch.nn.Module, names: tuple[str, ...]) -> list[list[tuple[torch.nn.Module, str]]]:
    """Return where each parameter stands: in several places, if layers share it."""
    everywhere = list(module.named_parameters(remove_duplicate=False))
    firsts = [module.get_parameter(name) for name in names]
    return [[_owner(module, name) for name, parameter in everywhere if parameter is first] for first in firsts]
