"""What is measured of a network at one point, written out in plain torch: the right answers, and a rival."""

from __future__ import annotations

import torch
from torch.func import grad, jvp, vjp, vmap

from cases.network_problems import Setup

__all__ = [
    "centred", "covariance_product", "double_backward", "gauss_newton_product", "gram_of", "gram_times",
    "hessian_product", "sample_gradients", "times_jacobian", "trace",
]  # fmt: skip


def centred(values: torch.Tensor) -> torch.Tensor:
    return values - values.mean(dim=0)


def jacobian_times(setup: Setup, v: torch.Tensor) -> torch.Tensor:
    """Return J v for the derivative J of the losses of all samples by the parameters, (n,), by forward mode."""
    tangent: torch.Tensor = jvp(setup.losses, (setup.parameters,), (setup.by_name(v),))[1]
    return tangent


def times_jacobian(setup: Setup, w: torch.Tensor) -> torch.Tensor:
    """Return J' w (d,) by one backward pass."""
    _, back = vjp(setup.losses, setup.parameters)
    return setup.flat(back(w)[0])


def covariance_product(setup: Setup) -> torch.Tensor:
    """Return C v with J' (Jv - mean) / n: the centring of one factor is enough."""
    return times_jacobian(setup, centred(jacobian_times(setup, setup.v))) / setup.n_samples


def hessian_product(setup: Setup) -> torch.Tensor:
    """Return H v by forward mode over a backward pass."""
    gradient = grad(lambda parameters: setup.losses(parameters).mean())
    return setup.flat(jvp(gradient, (setup.parameters,), (setup.by_name(setup.v),))[1])


def double_backward(setup: Setup) -> torch.Tensor:
    """Return H v by two backward passes (Pearlmutter's product)."""
    parameters = list(setup.model.parameters())
    loss = torch.nn.functional.cross_entropy(setup.model(setup.inputs), setup.targets)
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    along = list(setup.by_name(setup.v).values())
    return torch.cat([part.flatten() for part in torch.autograd.grad(gradients, parameters, along)])


def gauss_newton_product(setup: Setup) -> torch.Tensor:
    """Return J' H J v with the Hessian diag(p) - p p' of the cross-entropy written out."""
    scores, along = jvp(setup.outputs, (setup.parameters,), (setup.by_name(setup.v),))
    p = scores.softmax(dim=1)
    bent = p * (along - (p * along).sum(dim=1, keepdim=True)) / setup.n_samples
    _, back = vjp(setup.outputs, setup.parameters)
    return setup.flat(back(bent)[0])


def sample_gradients(setup: Setup, rows: slice = slice(None)) -> torch.Tensor:
    """Return the gradients of the losses of some samples (n, d) by vmap, as the manual of torch.func does."""

    def loss(parameters: dict[str, torch.Tensor], image: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        scores = torch.func.functional_call(setup.model, parameters, (image[None],))
        return torch.nn.functional.cross_entropy(scores, target[None])

    found = vmap(grad(loss), (None, 0, 0))(setup.parameters, setup.inputs[rows], setup.targets[rows])
    return setup.flat(found)


def trace(setup: Setup) -> torch.Tensor:
    """Return tr C from the gradients of a few samples at a time."""
    squares, mean = 0.0, torch.zeros_like(setup.v)
    for start in range(0, setup.n_samples, 8):
        rows = sample_gradients(setup, slice(start, start + 8))
        squares, mean = squares + rows.square().sum(), mean + rows.sum(dim=0) / setup.n_samples
    return squares / setup.n_samples - mean.square().sum()


def gram_times(setup: Setup) -> torch.Tensor:
    """Return the centred Gram matrix times w, without the matrix."""
    return centred(jacobian_times(setup, times_jacobian(setup, centred(setup.w))))


def gram_of(gradients: torch.Tensor) -> torch.Tensor:
    rows = centred(gradients)
    return rows @ rows.T
