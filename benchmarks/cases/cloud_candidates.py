"""Clouds of a small classifier under SGD: sgdphys, a loop over plain torch models, and torch's stacked models."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from cases.network_problems import Problem, convolution, perceptron

__all__ = ["CLOUDS", "Candidate", "CloudSetup", "candidates"]

CLOUDS = {
    "mlp": Problem("MLP 196-32-10 on MNIST 14x14", lambda: perceptron(196, 32, 10), (1, 14, 14)),
    "cnn": Problem("CNN of 8 and 16 channels on MNIST 28x28", lambda: convolution((8, 16)), (1, 28, 28)),
}
_MOST_LOOPED = 128  # replicas that sgdphys' loop, which has no short cut, is timed with
_LOOPED = 8  # models of the plain loop that are timed; the others take as long each


@dataclass(frozen=True)
class CloudSetup:
    """A cloud: ``replicas`` copies of one start, each with its own batches, drawn with replacement.

    ``threads`` of sgdphys' engine; torch's own are set by the script.
    """

    problem: Problem
    replicas: int
    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    n_samples: int = 2000
    batch_size: int = 32
    lr: float = 0.05
    threads: int | None = None

    @cached_property
    def model(self) -> torch.nn.Module:
        """The common start; candidates take copies."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return self.problem.make().to(self.device, self.dtype)

    @cached_property
    def data(self) -> tuple[torch.Tensor, torch.Tensor]:
        """MNIST's images and labels, or random numbers of the same shape where ``SGDPHYS_DATA`` is not set."""
        if os.environ.get("SGDPHYS_DATA"):
            import sgdphys.data

            split = sgdphys.data.mnist(self.n_samples, size=self.problem.shape[-1])
            images, labels = torch.as_tensor(split.train_inputs), torch.as_tensor(split.train_labels)
        else:
            generator = torch.Generator().manual_seed(1)
            images = torch.rand(self.n_samples, *self.problem.shape, generator=generator)
            labels = torch.randint(10, (self.n_samples,), generator=generator)
        return images.to(self.device, self.dtype), labels.to(self.device)

    @cached_property
    def network(self) -> Any:
        """The same as sgdphys takes it."""
        import sgdphys as sp

        return sp.Network(self.model, torch.nn.CrossEntropyLoss(), self.data, dtype=self.dtype, device=self.device)

    @property
    def dim(self) -> int:
        """Number of parameters d."""
        return sum(value.numel() for value in self.model.parameters())

    def losses(self, points: Any) -> Any:
        """Return the loss over all data at some of the points (replica, d)."""
        return torch.as_tensor(self.network.potential(points[:32])).double().cpu()


@dataclass(frozen=True)
class Candidate:
    """One way to train a cloud: ``run(steps)`` returns the final parameters of the ``timed`` replicas (replica, d)."""

    name: str
    run: Callable[[int], Any]
    timed: int


def candidates(setup: CloudSetup, *, compiled: bool = False) -> list[Candidate]:
    """Return who takes part; sgdphys, with which the others are compared, comes first."""
    found = [Candidate("sgdphys", trained(setup), setup.replicas)]
    ways = ("vectorised", "loop") if setup.replicas <= _MOST_LOOPED else ("vectorised",)
    found += [Candidate(f"sgdphys, {way}", trained(setup, engine=way), setup.replicas) for way in ways]
    looped = min(setup.replicas, _LOOPED)
    found.append(Candidate("plain torch, a loop over models", plain_loop(setup, looped), looped))
    found.append(Candidate("plain torch, stacked models by vmap", stacked(setup), setup.replicas))
    if compiled:
        found.append(Candidate("sgdphys, compiled", trained(setup, compile=True), setup.replicas))
        found.append(Candidate("stacked models, compiled", stacked(setup, compiled=True), setup.replicas))
    return found


def trained(setup: CloudSetup, **options: Any) -> Callable[[int], Any]:
    import sgdphys as sp

    def run(steps: int) -> Any:
        sgd = sp.SGD(lr=setup.lr, batch_size=setup.batch_size)
        cloud = sp.train(
            setup.network,
            sgd,
            n_replicas=setup.replicas,
            n_steps=steps,
            save_at=1,
            storage="float32",
            threads=setup.threads,
            progress=False,
            **options,
        )
        return cloud["position"].values[-1]

    return run


def plain_loop(setup: CloudSetup, count: int) -> Callable[[int], Any]:
    images, labels = setup.data

    def run(steps: int) -> torch.Tensor:
        finals = []
        for _ in range(count):
            model = copy.deepcopy(setup.model)
            optimiser = torch.optim.SGD(model.parameters(), lr=setup.lr)
            for _ in range(steps):
                rows = torch.randint(setup.n_samples, (setup.batch_size,), device=setup.device)
                optimiser.zero_grad()
                torch.nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
                optimiser.step()
            finals.append(torch.cat([one.detach().flatten() for one in model.parameters()]))
        return torch.stack(finals)

    return run


def stacked(setup: CloudSetup, *, compiled: bool = False) -> Callable[[int], Any]:
    """Return the loop over steps of models stacked as torch's manual on ensembles does, one backward pass for all."""
    images, labels = setup.data

    def loss(parameters: dict[str, torch.Tensor], batch: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(torch.func.functional_call(setup.model, parameters, (batch,)), target)

    def step(parameters: dict[str, torch.Tensor], rows: torch.Tensor) -> dict[str, torch.Tensor]:
        total = torch.func.vmap(loss)(parameters, images[rows], labels[rows]).sum()
        gradients = torch.autograd.grad(total, list(parameters.values()))
        moved = zip(parameters.items(), gradients, strict=True)
        return {name: (one - setup.lr * g).detach().requires_grad_() for (name, one), g in moved}

    advance = torch.compile(step) if compiled else step

    def run(steps: int) -> torch.Tensor:
        start = {name: one.detach() for name, one in setup.model.named_parameters()}
        parameters = {
            name: one.expand(setup.replicas, *one.shape).clone().requires_grad_() for name, one in start.items()
        }
        for _ in range(steps):
            rows = torch.randint(setup.n_samples, (setup.replicas, setup.batch_size), device=setup.device)
            parameters = advance(parameters, rows)
        return torch.cat([one.detach().flatten(1) for one in parameters.values()], dim=1)

    return run
