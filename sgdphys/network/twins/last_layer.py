"""The twin of a network whose last layer alone learns by squared errors: least squares with real minibatches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from sgdphys.network.tensors import to_numpy
from sgdphys.simulation.memory import refuse_above_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from sgdphys.network.objective import Objective
    from sgdphys.network.problem import Network
    from sgdphys.network.twins.embedding import EmbeddedLeastSquares
    from sgdphys.noises import Minibatch

    Array = NDArray[np.float64]

__all__ = ["LastLayerTwin", "last_layer_twin_of"]

_AGREEMENT = 1e-4  # relative, at which a float32 network still counts as least squares


@dataclass(frozen=True)
class LastLayerTwin:
    """Least squares and its minibatches that stand for a network; ``simulate(*twin, sgd=sgd, ...)`` runs them.

    Attributes
    ----------
    landscape
        Least squares in the weights, then the bias, of one output of the last layer, with their places in parameter
        space as ``fixed_parameters`` and ``basis``.
    noise
        Minibatches of the data set itself.
    weight_decay
        That of the network. It is no part of the landscape: give it to ``SGD(weight_decay=...)``.
    """

    landscape: EmbeddedLeastSquares
    noise: Minibatch
    weight_decay: float

    def __iter__(self) -> Iterator[Any]:
        return iter((self.landscape, self.noise))

    def __repr__(self) -> str:
        decay = f", run with SGD(weight_decay={self.weight_decay:g})" if self.weight_decay else ""
        return f"LastLayerTwin(N={self.landscape.n_samples}, {self.landscape.dim} weights{decay})"


class _Readout(NamedTuple):
    """The last layer at work: its name, its input (n, feature) and the model's output (n, output)."""

    name: str
    layer: torch.nn.Linear
    features: Tensor
    output: Tensor


def last_layer_twin_of(network: Network, output: int | None = None) -> LastLayerTwin:
    r"""Return least squares in the weights of one output of the last layer, all other parameters as they are.

    With the features :math:`a_i` that reach the last layer (and a 1 where it has a bias that is trained) and a loss of
    :math:`\tfrac{c}{2} \sum_o (y_{io} - a_i \cdot x_o)^2` a sample, output o is least squares with inputs
    :math:`\sqrt c\, a_i` and targets :math:`\sqrt c\, y_{io}`: c = 1 for half the squared residual, 2/m for
    ``torch.nn.MSELoss`` of m outputs. It is measured from the loss. Gradients of different outputs do not depend on
    each other's weights, so that each problem is exact for its own weights; the correlation between the outputs, which
    share their minibatches, is in none of them. Up to 40 weights, ``theory.exact_sgd_covariance(landscape.inputs,
    landscape.targets, sgd)`` is its stationary covariance.

    Parameters
    ----------
    network
        A network, at any point. Its real counterpart trains these weights alone.
    output
        Number of the output, from 0; may be left out where there is one.

    Returns
    -------
    LastLayerTwin
        Landscape, ``Minibatch()`` noise and the weight decay to run them with.

    Raises
    ------
    ValueError
        The model does not end in a Linear layer that is trained, the loss is no squared error, or there is no such
        output.
    """
    from sgdphys.network.twins import embedding  # loads the compiler
    from sgdphys.noises import Minibatch

    if network.objective.obstacle is not None:
        raise ValueError(network.objective.obstacle)
    readout = _readout(network.objective, network.parameters)
    chosen = _chosen_output(output, readout.output.flatten(1).shape[1])
    scale, targets = _squared_error(network.objective, readout.output)
    inputs, wanted, places = _design(network.objective, readout, targets, chosen)
    fixed = network.parameters.astype(np.float64)
    fixed[places] = 0.0
    what = f"the basis of {len(places)} weights among {network.dim} parameters"
    refuse_above_memory(2 * 8 * network.dim * len(places), what, "freeze the other layers, so that they are none")
    basis = np.zeros((network.dim, len(places)))
    basis[places, np.arange(len(places))] = 1.0
    landscape = embedding.EmbeddedLeastSquares(scale**0.5 * inputs, scale**0.5 * wanted, fixed, basis)
    _check_least_squares(network, landscape)
    return LastLayerTwin(landscape, Minibatch(), network.weight_decay)


def _readout(objective: Objective, parameters: Array) -> _Readout:
    module = objective.model.module
    if module is None:
        raise ValueError("a network of a function has no layers, so no twin of kind 'last layer'; give a torch module")
    name = objective.model.names[-1].rpartition(".")[0]
    layer = module.get_submodule(name)
    if not (isinstance(layer, torch.nn.Linear) and _parameter(name, "weight") in objective.model.names):
        raise ValueError(
            f"the last trained layer is {name or 'the model'!r} ({type(layer).__name__}), and a twin of kind 'last "
            "layer' needs a Linear layer whose weights are trained there"
        )
    seen: list[tuple[Tensor, Tensor]] = []
    slices = list(objective.rows())  # which runs the model, so before anything is seen
    handle = layer.register_forward_hook(lambda _layer, inputs, output: seen.append((inputs[0], output)))
    try:
        with torch.no_grad():
            point = torch.as_tensor(parameters).to(objective.model.initial)
            pieces = [objective.outputs_of(point, rows) for rows in slices]
    finally:
        handle.remove()
    _check_end(name, pieces, seen)
    return _Readout(name, layer, torch.cat([inputs for inputs, _ in seen]), torch.cat(pieces))


def _check_end(name: str, outputs: list[Any], seen: list[tuple[Tensor, Tensor]]) -> None:
    once = len(seen) == len(outputs) and all(inputs.ndim == 2 for inputs, _ in seen)
    same = once and all(
        isinstance(output, torch.Tensor) and output.numel() == last.numel() and torch.equal(output.view_as(last), last)
        for output, (_, last) in zip(outputs, seen, strict=True)
    )
    if not same:
        raise ValueError(
            f"the output of the model is not that of its last trained layer {name or 'the model'!r}, called once with "
            "features (sample, feature): a twin of kind 'last layer' needs a model that ends there"
        )


def _squared_error(objective: Objective, output: Tensor) -> tuple[float, Array]:
    """Return c and y of a loss c/2 |output - y|^2 of each sample, y as (sample, output); other losses are refused."""
    move = torch.randn(output.shape, generator=torch.Generator().manual_seed(0), dtype=output.dtype).to(output)
    losses, slope = _loss_and_slope(objective, output)
    change = _loss_and_slope(objective, output + move)[1] - slope
    scale = float((change * move).sum() / move.square().sum())
    targets = output - slope / (scale or 1.0)
    squares = 0.5 * scale * (output - targets).square().flatten(1).sum(dim=1)
    wrong = float((change - scale * move).abs().max()), float((losses - squares).abs().max())
    if not (scale > 0 and wrong[0] <= _AGREEMENT * scale and wrong[1] <= _AGREEMENT * float(1 + losses.abs().max())):
        raise ValueError(
            "a twin of kind 'last layer' needs a loss of squared errors, the same for all outputs and samples, such as "
            "torch.nn.MSELoss or half the squared residual; this one has another form"
        )
    return scale, to_numpy(targets).reshape(len(output), -1).astype(np.float64)


def _loss_and_slope(objective: Objective, output: Tensor) -> tuple[Tensor, Tensor]:
    leaf = output.detach().clone().requires_grad_()
    losses = objective.losses_of(leaf, slice(0, objective.n_samples))
    return losses.detach(), torch.autograd.grad(losses.sum(), leaf)[0]


def _chosen_output(output: Any, count: int) -> int:
    if output is None and count == 1:
        return 0
    if isinstance(output, bool) or not (isinstance(output, int | np.integer) and 0 <= output < count):
        raise ValueError(
            f"the last layer has {count} outputs, each a problem of its own: output must be 0 to {count - 1}, got "
            f"{output}"
        )
    return int(output)


def _design(objective: Objective, readout: _Readout, targets: Array, output: int) -> tuple[Array, Array, list[int]]:
    """Return inputs and targets of one output without the factor c, and the places of its weights in x."""
    model, width = objective.model, readout.features.shape[1]
    starts = dict(zip(model.names, np.cumsum((0, *model.sizes)), strict=False))
    weight, bias = (_parameter(readout.name, which) for which in ("weight", "bias"))
    places = [int(starts[weight]) + output * width + feature for feature in range(width)]
    inputs, wanted = to_numpy(readout.features).astype(np.float64), targets[:, output]
    if bias in starts:
        return np.column_stack([inputs, np.ones(len(inputs))]), wanted, [*places, int(starts[bias]) + output]
    if readout.layer.bias is not None:
        wanted = wanted - float(readout.layer.bias[output])
    return inputs, wanted, places


def _check_least_squares(network: Network, landscape: EmbeddedLeastSquares) -> None:
    """Refuse a loss that changes otherwise with the weights of the last layer, because they act elsewhere too."""
    own = network.parameters.astype(np.float64) @ landscape.basis
    x = np.stack([own, own + np.random.default_rng(0).normal(size=own.shape)])
    points = landscape.fixed_parameters + x @ landscape.basis.T
    losses = network.potential(points) - 0.5 * network.weight_decay * np.square(points).sum(axis=1)
    squares = 0.5 * np.square(x @ landscape.inputs.T - landscape.targets).mean(axis=1)
    if abs(np.diff(losses - squares)[0]) > _AGREEMENT * float(1 + np.abs(losses).max()):
        raise ValueError(
            "the loss is not least squares in the weights of the last layer: another layer shares them, which a twin "
            "of kind 'last layer' cannot stand for"
        )


def _parameter(layer: str, name: str) -> str:
    return f"{layer}.{name}" if layer else name
