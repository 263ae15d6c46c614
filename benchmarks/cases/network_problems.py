"""Networks of usual sizes with data of the right shape, in plain torch."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

__all__ = ["PROBLEMS", "Problem", "Setup", "convolution", "perceptron"]


def perceptron(*widths: int) -> torch.nn.Module:
    """Return linear layers with tanh between them."""
    layers: list[torch.nn.Module] = [torch.nn.Flatten()]
    for before, after in itertools.pairwise(widths):
        layers += [torch.nn.Linear(before, after), torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])


def convolution(channels: tuple[int, int], edge: int = 28, colours: int = 1) -> torch.nn.Module:
    """Return two convolutions, each with tanh and an average over blocks of four pixels, and a linear layer."""
    layers: list[torch.nn.Module] = []
    for before, after in itertools.pairwise((colours, *channels)):
        layers += [torch.nn.Conv2d(before, after, 3, padding=1), torch.nn.Tanh(), torch.nn.AvgPool2d(2)]
    return torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(channels[1] * (edge // 4) ** 2, 10))


@dataclass(frozen=True)
class Problem:
    """A classifier of ten classes, and the shape of an image."""

    title: str
    make: Callable[[], torch.nn.Module]
    shape: tuple[int, ...]


PROBLEMS = {
    "mlp": Problem("MLP 784-300-100-10", lambda: perceptron(784, 300, 100, 10), (1, 28, 28)),
    "mlp-large": Problem("MLP 784-1200-800-10", lambda: perceptron(784, 1200, 800, 10), (1, 28, 28)),
    "cnn": Problem("CNN of 16 and 24 channels on 28x28", lambda: convolution((16, 24)), (1, 28, 28)),
    "tiny": Problem("MLP 16-8-10", lambda: perceptron(16, 8, 10), (1, 4, 4)),
}


@dataclass(frozen=True)
class Setup:
    """A problem with weights and random data from a fixed seed: what a candidate is given.

    The loss is the mean cross-entropy over ``n_samples``; ``v`` (d,) and ``w`` (n,) are random vectors for products.
    """

    problem: Problem
    n_samples: int
    dtype: torch.dtype
    device: str = "cpu"

    @cached_property
    def model(self) -> torch.nn.Module:
        """The module; candidates that change it take a copy."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return self.problem.make().to(self.device, self.dtype)

    @cached_property
    def inputs(self) -> torch.Tensor:
        """Images (n, ...)."""
        return self._random(1, self.n_samples, *self.problem.shape)

    @cached_property
    def targets(self) -> torch.Tensor:
        """Classes (n,)."""
        generator = torch.Generator().manual_seed(2)
        return torch.randint(10, (self.n_samples,), generator=generator).to(self.device)

    @cached_property
    def v(self) -> torch.Tensor:
        """A direction in the space of parameters (d,)."""
        return self._random(3, self.dim)

    @cached_property
    def w(self) -> torch.Tensor:
        """Weights of the samples (n,)."""
        return self._random(4, self.n_samples)

    @cached_property
    def network(self) -> Any:
        """The same as sgdphys takes it, without weight decay."""
        import sgdphys as sp

        loss = torch.nn.CrossEntropyLoss()
        return sp.Network(self.model, loss, (self.inputs, self.targets), dtype=self.dtype, device=self.device)

    @cached_property
    def function_network(self) -> Any:
        """The same from a function of parameters and data, whose layers sgdphys does not see."""
        import sgdphys as sp

        def per_sample(parameters: dict[str, torch.Tensor], batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
            scores = torch.func.functional_call(self.model, parameters, (batch[0],))
            return torch.nn.functional.cross_entropy(scores, batch[1], reduction="none")

        kind = {"dtype": self.dtype, "device": self.device}
        return sp.Network.from_function(per_sample, self.parameters, (self.inputs, self.targets), **kind)

    @property
    def parameters(self) -> dict[str, torch.Tensor]:
        """Parameters by name, outside of any graph."""
        return {name: value.detach() for name, value in self.model.named_parameters()}

    @property
    def dim(self) -> int:
        """Number of parameters d."""
        return sum(value.numel() for value in self.model.parameters())

    @property
    def bytes_of_gradients(self) -> int:
        """Bytes of all per-sample gradients together."""
        return self.n_samples * self.dim * self.dtype.itemsize

    def losses(self, parameters: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the losses of all samples (n,)."""
        return self.loss_of(self.outputs(parameters))

    def outputs(self, parameters: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the scores of all samples (n, 10)."""
        scores: torch.Tensor = torch.func.functional_call(self.model, parameters, (self.inputs,))
        return scores

    def loss_of(self, scores: torch.Tensor) -> torch.Tensor:
        """Return the loss of each sample (n,)."""
        return torch.nn.functional.cross_entropy(scores, self.targets, reduction="none")

    def flat(self, parameters: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return tensors by name as one vector (d,), or (n, d) where they have a sample axis."""
        few = next(iter(self.parameters.values())).ndim
        leading = next(iter(parameters.values())).ndim - few
        return torch.cat([value.flatten(leading) for value in parameters.values()], dim=-1)

    def by_name(self, vector: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return a vector (d,) as tensors by name."""
        shapes = {name: value.shape for name, value in self.parameters.items()}
        parts = vector.split([shape.numel() for shape in shapes.values()])
        return {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}

    def gradient(self) -> torch.Tensor:
        """Return the plain gradient of the mean loss (d,), the unit of cost: one forward and one backward pass."""
        loss = torch.nn.functional.cross_entropy(self.model(self.inputs), self.targets)
        return torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(self.model.parameters()))])

    def _random(self, seed: int, *shape: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(self.device, self.dtype)
