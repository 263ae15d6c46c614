"""How much stationary variance a network's noise makes along its leading curvatures and beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn

import numpy as np
import torch

from sgdphys.network.tensors import to_tensor
from sgdphys.network.threads import few_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from sgdphys.network.curvature.hessian import Curvature
    from sgdphys.network.objective import Objective
    from sgdphys.network.problem import Network

    Array = NDArray[np.float64]

__all__ = ["StationaryTraces", "stationary_traces"]

_DENSE = 2000  # most parameters for which dense matrices are the fast way
_PROBES = 32
_SOLVED = 1e-3  # relative residual of a linear solve, far below the error of the probes


class StationaryTraces(NamedTuple):
    """tr C (loss^2/x^2), tr(H^-1 C) (loss), and the curvature (loss/x^2) of the other directions that keeps it."""

    noise: float
    variance: float
    matched: float


@few_threads
def stationary_traces(
    network: Network, h: Array, V: Array, covariance: Array, dense: bool | None = None
) -> StationaryTraces:
    r"""Return tr C and tr(H^-1 C), and the curvature :math:`\operatorname{tr}(PC) / \operatorname{tr}(P H^{-1} C)`.

    Up to 2000 parameters from the dense matrices. Beyond, :math:`\operatorname{tr}(P H^{-1} C)` is the mean of
    :math:`u^T P H^{-1} P u` over 32 random :math:`u = N^{-1/2} J^T w`, with w of centred random signs, by conjugate
    gradients. Where all noise lies along V, as with no more samples than eigenvectors, the curvature beside it makes no
    difference, and is the last one of V.

    Parameters
    ----------
    network
        The network at a minimum.
    h, V
        Leading eigenvalues (k,) and eigenvectors (d, k) of H.
    covariance
        V'CV.
    dense
        Whether to use dense matrices; None decides by the number of parameters.

    Returns
    -------
    StationaryTraces
        The traces.

    Raises
    ------
    ValueError
        A curvature is not positive, or there is no noise.
    """
    if h[-1] <= 0:
        _refuse(float(h[-1]))
    along = np.diag(covariance)
    noise = float(network.noise().trace())
    if noise <= 0:
        raise ValueError(
            "all samples have the same gradient, so there is no noise to stand for; take another point or data"
        )
    if noise - along.sum() <= noise * torch.finfo(network.objective.model.initial.dtype).eps ** 0.5:
        return StationaryTraces(noise, float((along / h).sum()), float(h[-1]))
    dense = network.dim <= _DENSE if dense is None else dense
    beside = _beside_dense(network, h, along) if dense else _beside_by_probes(network, V)
    return StationaryTraces(noise, float((along / h).sum()) + beside, (noise - float(along.sum())) / beside)


def _beside_dense(network: Network, h: Array, along: Array) -> float:
    curvatures, U = np.linalg.eigh(network.curvature().dense())
    if curvatures[0] <= 0:
        _refuse(float(curvatures[0]))
    C = network.noise().dense()
    return float((np.einsum("ij,ij->j", U, C @ U) / curvatures).sum() - (along / h).sum())


def _beside_by_probes(network: Network, V: Array) -> float:
    point = to_tensor(network.parameters, device=network.device, dtype=network.objective.model.initial.dtype)
    directions = to_tensor(V, device=point.device, dtype=point.dtype)
    curvature = network.curvature()
    generator = torch.Generator().manual_seed(0)
    total = 0.0
    for _ in range(_PROBES):
        signs = (torch.randint(0, 2, (network.n_samples,), generator=generator) * 2 - 1).to(point)
        u = _weighted_gradient(network.objective, point, signs - signs.mean()) / network.n_samples**0.5
        u = u - directions @ (directions.T @ u)
        total += float(u @ _solve(curvature, u, directions)) / _PROBES
    return total


def _weighted_gradient(objective: Objective, point: Tensor, weights: Tensor) -> Tensor:
    """Return J'w, the sum of the samples' gradients with these weights."""
    result, leaf = torch.zeros_like(point), point.clone().requires_grad_()
    for rows in objective.rows():
        result += torch.autograd.grad(objective.sample_losses(leaf, rows) @ weights[rows], leaf)[0]
    return result


def _solve(curvature: Curvature, target: Tensor, V: Tensor) -> Tensor:
    """Return the solution of H z = u beside the directions V, by conjugate gradients."""
    z, residual = torch.zeros_like(target), target.clone()
    direction, square = residual.clone(), float(residual.square().sum())
    accuracy = square * _SOLVED**2
    for _ in range(2 * len(target)):
        image = curvature.product(direction)
        image = image - V @ (V.T @ image)
        bend = float(direction @ image)
        if bend <= 0:
            _refuse(bend / float(direction.square().sum()))
        z = z + square / bend * direction
        residual = residual - square / bend * image
        square, previous = float(residual.square().sum()), square
        if square <= accuracy:
            break
        direction = residual + square / previous * direction
    return z


def _refuse(curvature: float) -> NoReturn:
    raise ValueError(
        f"the network has a curvature of {curvature:.3g}, not positive, so no stationary state to stand for: give it "
        "weight_decay > 0 and call minimum(), or use the quadratic twin in leading directions"
    )
