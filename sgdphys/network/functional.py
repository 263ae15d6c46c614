"""A torch module seen as a function of one flat parameter vector; the user's module is never touched."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import torch
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "FlatFunction",
    "FlatModel",
    "batch_statistics_layer",
    "differentiable_kernels",
    "name_patterns",
    "selected_parameters",
]


@contextmanager
def differentiable_kernels(module: torch.nn.Module | None) -> Iterator[None]:
    """Use, inside, the kernels that have second derivatives, forward mode and vmap.

    The mathematical form of attention, encoder layers without their fast path, recurrent layers without cuDNN (which
    has no double backward). These are settings of the process: enter it around threads, not inside each of them.

    Parameters
    ----------
    module
        The model that will run; cuDNN is left alone unless it has a recurrent layer.

    Yields
    ------
    None
    """
    recurrent = module is not None and any(isinstance(layer, torch.nn.RNNBase) for layer in module.modules())
    fast_path = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        torch.backends.mha.set_fastpath_enabled(False)
        stack.callback(torch.backends.mha.set_fastpath_enabled, fast_path)
        if recurrent and torch.cuda.is_available():
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        yield


class _Flat:
    """Named parameters of given shapes, laid out in one vector."""

    def __init__(self, parameters: Mapping[str, Tensor]) -> None:
        self.names = tuple(parameters)
        self.shapes = tuple(p.shape for p in parameters.values())
        self.sizes = tuple(math.prod(shape) for shape in self.shapes)
        self.dim = sum(self.sizes)
        self.initial = torch.cat([p.detach().reshape(-1) for p in parameters.values()])

    def pieces(self, flat: Tensor) -> list[Tensor]:
        """Cut flat vectors (..., dim) into the parameters, each (..., *shape)."""
        parts = torch.split(flat, list(self.sizes), dim=-1)
        return [part.reshape((*flat.shape[:-1], *shape)) for part, shape in zip(parts, self.shapes, strict=True)]

    def named(self, pieces: list[Tensor]) -> dict[str, Tensor]:
        """Return the parameters by name."""
        return dict(zip(self.names, pieces, strict=True))

    @property
    def layers(self) -> dict[str, slice]:
        """Where each layer (the module that owns parameters) lies in the flat vector."""
        bounds: dict[str, slice] = {}
        end = 0
        for name, size in zip(self.names, self.sizes, strict=True):
            layer = name.rpartition(".")[0] or name
            start = bounds[layer].start if layer in bounds else end
            end += size
            bounds[layer] = slice(start, end)
        return bounds


class FlatModel(_Flat):
    """A private copy of a module, called with parameters cut from a flat vector.

    The vector lists the trainable parameters in the order of ``named_parameters``, each row by row; a weight that
    several layers share stands there once. Frozen parameters and buffers stay as they are in the module.

    Parameters
    ----------
    module
        The model; it is copied.
    device, dtype
        Where the copy lives and its floating type.
    select
        Patterns of the names of the parameters to take, as ``"layer3.*"``; None for all that are trainable.

    Raises
    ------
    ValueError
        The module has no trainable parameter, or none of that name; some are complex or not made yet.
    TypeError
        It is no module.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        device: torch.device,
        dtype: torch.dtype,
        select: tuple[str, ...] | None = None,
    ) -> None:
        _refuse_other_than_real_modules(module)
        self.module = copy.deepcopy(module).to(device=device, dtype=dtype)
        trainable = {name: p for name, p in self.module.named_parameters() if p.requires_grad}
        if not trainable:
            raise ValueError(f"{type(module).__name__} has no trainable parameter")
        super().__init__(selected_parameters(trainable, select))
        self.module.requires_grad_(False)

    @property
    def keeps_statistics(self) -> bool:
        """Whether a call may change buffers: running statistics in training mode, or buffers of a user's own layer."""
        normalising = (torch.nn.modules.batchnorm._NormBase,)
        return any(
            layer.training if isinstance(layer, normalising) else True
            for layer in self.module.modules()
            if next(layer.buffers(recurse=False), None) is not None
        )

    def set_mode(self, *, training: bool) -> None:
        """Put the private copy into training or evaluation mode."""
        self.module.train(training)

    @property
    def buffers(self) -> dict[str, Tensor]:
        """Buffers of the module by name: running statistics and whatever else it keeps."""
        return dict(self.module.named_buffers())

    def call(self, pieces: list[Tensor], inputs: Any, buffers: Mapping[str, Tensor] | None = None) -> Any:
        """Return the module's output with these parameters.

        Parameters
        ----------
        pieces
            The parameters.
        inputs
            A tensor, a tuple of arguments or a dictionary of keyword arguments.
        buffers
            Buffers to use and, for running statistics, to change in place; default copies of the module's.

        Returns
        -------
        Tensor or tree of them
            The output.
        """
        state = self.named(pieces)
        if buffers is not None:
            state.update(buffers)
        elif self.keeps_statistics:
            state.update({name: buffer.clone() for name, buffer in self.module.named_buffers()})
        if isinstance(inputs, dict):
            return functional_call(self.module, state, (), inputs)
        return functional_call(self.module, state, inputs if isinstance(inputs, tuple) else (inputs,))

    def __call__(self, flat: Tensor, inputs: Any) -> Any:
        """Return the module's output at one flat parameter vector (dim,)."""
        return self.call(self.pieces(flat), inputs)

    def clone(self) -> FlatModel:
        """Return a second copy: calls on one copy are not safe in two threads at once."""
        twin = copy.copy(self)
        twin.module = copy.deepcopy(self.module)
        return twin


def _refuse_other_than_real_modules(module: Any) -> None:
    if not isinstance(module, torch.nn.Module):
        got = f"the class {module.__name__}" if isinstance(module, type) else type(module).__name__
        raise TypeError(f"model must be a torch.nn.Module, got {got}; Network.from_function takes functions")
    for name, parameter in module.named_parameters():
        if torch.nn.parameter.is_lazy(parameter):
            raise ValueError(f"parameter {name!r} has no shape yet (a lazy layer): call the model on some inputs first")
        if parameter.is_complex():
            raise ValueError(f"parameter {name!r} is complex; give its real and imaginary parts as two real ones")


class FlatFunction(_Flat):
    """A function (parameters by name, batch) -> losses (n,), called with parameters cut from a flat vector.

    It is a model whose output is the loss itself, so all that holds of models and losses holds of it.

    Parameters
    ----------
    function
        The per-sample losses.
    parameters
        Parameters by name; they are copied.
    """

    module = None
    keeps_statistics = False

    def __init__(self, function: Callable[[dict[str, Tensor], Any], Tensor], parameters: Mapping[str, Tensor]) -> None:
        super().__init__(parameters)
        self.function = function

    @property
    def buffers(self) -> dict[str, Tensor]:
        """A function keeps none."""
        return {}

    def call(self, pieces: list[Tensor], inputs: Any, buffers: Mapping[str, Tensor] | None = None) -> Any:  # noqa: ARG002
        """Return the losses of a batch with these parameters."""
        return self.function(self.named(pieces), inputs)

    def __call__(self, flat: Tensor, inputs: Any) -> Any:
        """Return the losses of a batch at one flat parameter vector (dim,)."""
        return self.call(self.pieces(flat), inputs)

    def clone(self) -> FlatFunction:
        """Return itself: a function has no state."""
        return self


def name_patterns(params: Any) -> tuple[str, ...] | None:
    """Return one pattern of names or several as a tuple.

    Returns
    -------
    tuple of str or None
        None where all are meant, for None and no pattern.

    Raises
    ------
    ValueError
        One is no text.
    """
    if params is None or isinstance(params, str):
        return None if params is None else (params,)
    if not isinstance(params, tuple | list) or not all(isinstance(pattern, str) for pattern in params):
        raise ValueError(f"params must be a pattern of parameter names, as 'layer3.*', or several, got {params!r:.60}")
    return tuple(params) or None


def selected_parameters(parameters: Mapping[str, Tensor], select: tuple[str, ...] | None) -> Mapping[str, Tensor]:
    """Return those of the tensors by name that fit a pattern, in their order; all for None.

    Returns
    -------
    Mapping
        Tensors by name.

    Raises
    ------
    ValueError
        A pattern fits none.
    """
    if select is None:
        return parameters
    for pattern in select:
        if not any(fnmatchcase(name, pattern) for name in parameters):
            raise ValueError(f"params={pattern!r} fits none of the trainable parameters {', '.join(parameters)}")
    return {name: p for name, p in parameters.items() if any(fnmatchcase(name, pattern) for pattern in select)}


def batch_statistics_layer(module: torch.nn.Module) -> str | None:
    """Return the name and kind of a layer that normalises with the statistics of its batch, or None."""
    for name, layer in module.named_modules():
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm) and (layer.training or layer.running_mean is None):
            kind = type(layer).__name__
            return f"layer {name or kind!r} is {kind} with batch statistics"
    return None
