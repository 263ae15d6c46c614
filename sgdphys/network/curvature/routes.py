"""Products by the first route that a model's layers allow, and backward passes of several vectors at once."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Product", "Route", "Routes", "backward_blocks"]

Product: TypeAlias = "Callable[[Tensor], Tensor]"
Route: TypeAlias = Literal["auto", "reverse", "forward"]

_log = logging.getLogger("sgdphys.network.curvature")


class Routes:
    """A product that takes the first of several routes that runs, remembers it and logs it.

    Parameters
    ----------
    routes
        Products (d, k) -> (d, k) by the name of their route, the preferred one first.
    wanted
        One of these names, or "auto".

    Raises
    ------
    ValueError
        There is no such route.
    """

    def __init__(self, routes: Mapping[str, Product], wanted: str) -> None:
        if wanted not in ["auto", *routes]:
            raise ValueError(f"route must be 'auto', {' or '.join(map(repr, routes))}, got {wanted!r}")
        self.candidates = dict(routes) if wanted == "auto" else {wanted: routes[wanted]}
        self.taken: str | None = None

    def __call__(self, columns: Tensor) -> Tensor:
        """Return the product of the columns (d, k).

        Returns
        -------
        Tensor
            (d, k).

        Raises
        ------
        RuntimeError
            No route runs; the reason of each is told.
        torch.OutOfMemoryError
            The memory of the device is full.
        """
        if self.taken is not None:
            return self.candidates[self.taken](columns)
        reasons = []
        for name, product in self.candidates.items():
            try:
                result = product(columns)
            except torch.OutOfMemoryError:
                raise
            except (RuntimeError, NotImplementedError) as error:
                reasons.append(f"{name}: {str(error).splitlines()[0]}")
                _log.info("route %s does not run (%s)", name, reasons[-1])
            else:
                self.taken = name
                _log.info("products by route %s", name)
                return result
        raise RuntimeError("no route gives second derivatives of this model; " + "; ".join(reasons))


def backward_blocks(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], cotangents: Sequence[Tensor], *, together: bool
) -> list[Tensor]:
    """Return w'J of the outputs' Jacobian J with respect to the inputs, for a block of vectors w.

    Parameters
    ----------
    outputs, inputs
        Tensors of one graph, which is kept.
    cotangents
        For each output, vectors (block, *shape of the output).
    together
        Whether to try one batched backward pass before one pass for each vector.

    Returns
    -------
    list of Tensor
        For each input, (block, *shape of the input); zeros where nothing depends on it.
    """
    size = len(cotangents[0])
    live = [i for i, output in enumerate(outputs) if output.requires_grad]
    if not live:
        return [torch.zeros(size, *x.shape, dtype=x.dtype, device=x.device) for x in inputs]
    ys, ws = [outputs[i] for i in live], [cotangents[i] for i in live]
    found = _batched(ys, inputs, ws) if together and size > 1 else None
    if found is None:
        rows = [_backward(ys, inputs, [w[i] for w in ws]) for i in range(size)]
        found = [
            torch.stack([x.new_zeros(x.shape) if g is None else g for g in column])
            for x, column in zip(inputs, zip(*rows, strict=True), strict=True)
        ]
    return [x.new_zeros(size, *x.shape) if g is None else g for x, g in zip(inputs, found, strict=True)]


def _backward(outputs: list[Tensor], inputs: Sequence[Tensor], cotangents: list[Tensor], **options: Any) -> list[Any]:
    return list(torch.autograd.grad(outputs, list(inputs), cotangents, retain_graph=True, allow_unused=True, **options))


def _batched(outputs: list[Tensor], inputs: Sequence[Tensor], cotangents: list[Tensor]) -> list[Any] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch warns where it would only loop over the vectors itself
        try:
            return _backward(outputs, inputs, cotangents, is_grads_batched=True)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, UserWarning) as error:
            _log.info("backward passes one by one (%s)", str(error).splitlines()[0])
            return None
