"""Who computes what at one point of a network: sgdphys, plain torch written out, and the libraries that are installed.

A candidate is made from a ``Setup`` and returns a function that is timed. What it returns is compared with plain torch
before: vectors and numbers as they are, Gram matrices and per-sample gradients by their product with a random vector,
so that nothing of the size samples times parameters is needed for that.
"""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from cases import network_by_hand as by_hand
from cases.network_problems import Setup

__all__ = ["CANDIDATES", "QUANTITIES", "Candidate", "Quantity"]

Run = Callable[[], Any]


@dataclass(frozen=True)
class Candidate:
    """One way to a quantity; ``make(setup)`` prepares what is kept between calls and returns what is timed.

    ``needs`` are the modules it imports; ``forms_gradients`` says that all per-sample gradients are in memory at once;
    ``goal`` is the number of plain gradients that it is to cost at most.
    """

    quantity: str
    name: str
    make: Callable[[Setup], Run]
    needs: tuple[str, ...] = ()
    forms_gradients: bool = False
    goal: float | None = None

    @property
    def present(self) -> bool:
        """Whether its modules are installed."""
        return all(importlib.util.find_spec(name) for name in self.needs)


@dataclass(frozen=True)
class Quantity:
    """What is computed: the right answer, and what of a candidate's answer is compared with it."""

    name: str
    right: Callable[[Setup], torch.Tensor]
    seen: Callable[[Setup, Any], torch.Tensor] = lambda _setup, answer: torch.as_tensor(answer, dtype=torch.float64)


def opacus_gradients(setup: Setup) -> Callable[[], torch.Tensor]:
    from opacus import GradSampleModule

    module = GradSampleModule(copy.deepcopy(setup.model), loss_reduction="sum")

    def run() -> torch.Tensor:
        torch.nn.functional.cross_entropy(module(setup.inputs), setup.targets, reduction="sum").backward()
        rows = torch.cat([one.grad_sample.flatten(1) for one in module.parameters()], dim=1)
        module.zero_grad(set_to_none=True)
        for one in module.parameters():
            one.grad_sample = None
        return rows

    return run


def backpack_gradients(setup: Setup) -> Callable[[], torch.Tensor]:
    from backpack import backpack, extend
    from backpack.extensions import BatchGrad

    module = extend(copy.deepcopy(setup.model))
    loss = extend(torch.nn.CrossEntropyLoss(reduction="sum"))

    def run() -> torch.Tensor:
        with backpack(BatchGrad()):
            loss(module(setup.inputs), setup.targets).backward()
        rows = torch.cat([one.grad_batch.flatten(1) for one in module.parameters()], dim=1)
        for one in module.parameters():
            del one.grad_batch
            one.grad = None
        return rows

    return run


def curvlinops(kind: str) -> Callable[[Setup], Run]:
    def make(setup: Setup) -> Run:
        import curvlinops as library

        module = copy.deepcopy(setup.model)
        parameters = list(module.parameters())
        data = [(setup.inputs, setup.targets)]
        operator = getattr(library, kind)(
            module, torch.nn.CrossEntropyLoss(), parameters, data, check_deterministic=False
        )
        return lambda: operator @ setup.v

    return make


def uncentred(setup: Setup) -> Run:
    """Return curvlinops' product C v + g g'v less the last term, which costs it nothing here."""
    product, gradient = curvlinops("EFLinearOperator")(setup), setup.gradient()
    return lambda: product() - gradient * (gradient @ setup.v)


def noise(method: str, **options: Any) -> Callable[[Setup], Run]:
    """Return the maker of a call of a method of a new noise object, as after a step of training."""

    def make(setup: Setup) -> Run:
        arguments = (setup.v,) if method == "matvec" else ()
        return lambda: getattr(setup.network.noise(**options), method)(*arguments)

    return make


def further_noise(**options: Any) -> Callable[[Setup], Run]:
    def make(setup: Setup) -> Run:
        kept = setup.network.noise(**options)
        return lambda: kept.matvec(setup.v)

    return make


def further_gram(setup: Setup) -> Run:
    return setup.network.noise().gram


def generic_gram(setup: Setup) -> Run:
    """Return the Gram matrix by sgdphys of a network whose layers it does not see, from per-sample gradients."""
    return lambda: setup.function_network.noise().gram()


def curvature(*kind: str, **options: Any) -> Callable[[Setup], Run]:
    return lambda setup: lambda: setup.network.curvature(*kind, **options).matvec(setup.v)


def further_curvature(*kind: str) -> Callable[[Setup], Run]:
    def make(setup: Setup) -> Run:
        kept = setup.network.curvature(*kind)
        return lambda: kept.matvec(setup.v)

    return make


def gram_by(gradients: Callable[[Setup], Callable[[], torch.Tensor]]) -> Callable[[Setup], Run]:
    def make(setup: Setup) -> Run:
        rows = gradients(setup)
        return lambda: by_hand.gram_of(rows())

    return make


def by_vmap(setup: Setup) -> Callable[[], torch.Tensor]:
    return lambda: by_hand.sample_gradients(setup)


def plain(function: Callable[[Setup], torch.Tensor]) -> Callable[[Setup], Run]:
    return lambda setup: lambda: function(setup)


def kept_rows(setup: Setup, rows: torch.Tensor) -> torch.Tensor:
    return rows.T @ setup.w


def gram_seen(setup: Setup, matrix: Any) -> torch.Tensor:
    return torch.as_tensor(matrix).to(setup.w) @ setup.w


QUANTITIES = [
    Quantity("C v", by_hand.covariance_product),
    Quantity("Hessian product", by_hand.hessian_product),
    Quantity("Gauss-Newton product", by_hand.gauss_newton_product),
    Quantity("Gram matrix", by_hand.gram_times, gram_seen),
    Quantity("trace of C", by_hand.trace),
    Quantity("per-sample gradients", lambda setup: by_hand.times_jacobian(setup, setup.w), kept_rows),
]

CANDIDATES = [
    Candidate("C v", "sgdphys, new object", noise("matvec"), goal=3.0),
    Candidate("C v", "sgdphys, new object, forward", noise("matvec", route="forward"), goal=3.0),
    Candidate("C v", "sgdphys, further products", further_noise(), goal=3.0),
    Candidate("C v", "sgdphys, further products, forward", further_noise(route="forward"), goal=3.0),
    Candidate("C v", "plain torch, jvp and vjp", plain(by_hand.covariance_product)),
    Candidate("C v", "curvlinops, uncentred", uncentred, ("curvlinops",)),
    Candidate("Hessian product", "sgdphys, new object", curvature()),
    Candidate("Hessian product", "sgdphys, new object, forward", curvature(route="forward")),
    Candidate("Hessian product", "sgdphys, further products", further_curvature("hessian")),
    Candidate("Hessian product", "plain torch, two backward passes", plain(by_hand.double_backward)),
    Candidate("Hessian product", "plain torch, forward over backward", plain(by_hand.hessian_product)),
    Candidate("Hessian product", "curvlinops", curvlinops("HessianLinearOperator"), ("curvlinops",)),
    Candidate("Gauss-Newton product", "sgdphys, new object", curvature("gauss-newton")),
    Candidate("Gauss-Newton product", "sgdphys, further products", further_curvature("gauss-newton")),
    Candidate("Gauss-Newton product", "plain torch, jvp and vjp", plain(by_hand.gauss_newton_product)),
    Candidate("Gauss-Newton product", "curvlinops", curvlinops("GGNLinearOperator"), ("curvlinops",)),
    Candidate("Gram matrix", "sgdphys, new object", noise("gram"), goal=2.0),
    Candidate("Gram matrix", "sgdphys, once more", further_gram, goal=2.0),
    Candidate("Gram matrix", "sgdphys, layers unknown", generic_gram, forms_gradients=True),
    Candidate("Gram matrix", "vmap, G G'", gram_by(by_vmap), forms_gradients=True),
    Candidate("Gram matrix", "opacus, G G'", gram_by(opacus_gradients), ("opacus",), forms_gradients=True),
    Candidate("Gram matrix", "BackPACK, G G'", gram_by(backpack_gradients), ("backpack",), forms_gradients=True),
    Candidate("trace of C", "sgdphys, new object", noise("trace")),
    Candidate("per-sample gradients", "vmap", by_vmap, forms_gradients=True),
    Candidate("per-sample gradients", "opacus", opacus_gradients, ("opacus",), forms_gradients=True),
    Candidate("per-sample gradients", "BackPACK", backpack_gradients, ("backpack",), forms_gradients=True),
]
