"""The minimum of the regularised loss: limited-memory quasi-Newton steps, then Newton steps with Hessian products."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.optimize
import torch

from sgdphys.network.curvature.hessian import Curvature
from sgdphys.network.tensors import to_numpy

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from sgdphys.network.objective import Objective

__all__ = ["minimise"]

_NEWTON_STEPS = 20
_NEWTON_REGION = 1e-2  # gradient norm below which Newton steps take over


def minimise(objective: Objective, start: Tensor, tolerance: float, max_iterations: int) -> Tensor:
    """Find a minimum of f near ``start`` (d,) with gradient norm below ``tolerance`` (loss/x).

    Returns
    -------
    Tensor
        The minimum, (d,).

    Warns
    -----
    RuntimeWarning
        The tolerance was not reached.

    References
    ----------
    Nocedal & Wright, "Numerical optimization", algorithms 7.1 (Newton-CG) and 7.5 (L-BFGS).
    """
    point, ended = _quasi_newton(objective, start, tolerance, max_iterations)
    norm = _gradient_norm(objective, point)
    for _ in range(_NEWTON_STEPS):
        if norm <= tolerance or norm > _NEWTON_REGION:
            break
        candidate = point - _newton_step(objective, point, tolerance)
        new_norm = _gradient_norm(objective, candidate)
        if not new_norm < norm:
            break
        point, norm = candidate, new_norm
    if norm > tolerance:
        warnings.warn(
            f"the minimum was not reached: gradient norm {norm:.2e} above tolerance={tolerance:.1e}; "
            + _way_out(ended, max_iterations, objective.weight_decay),
            RuntimeWarning,
            stacklevel=4,
        )
    return point


def _way_out(ended: bool, max_iterations: int, weight_decay: float) -> str:
    ways = [
        f"raise max_iterations={max_iterations}, at which the search ended"
        if ended
        else "the search stalled, as at the kinks of ReLU or in the rounding of float32: smooth activations and "
        "dtype=torch.float64 reach further"
    ]
    if not weight_decay:
        ways.append("give weight_decay > 0 (separable classes have no minimum without it)")
    return ", or ".join(ways)


def _quasi_newton(objective: Objective, start: Tensor, tolerance: float, max_iterations: int) -> tuple[Tensor, bool]:
    def value_and_gradient(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        point = torch.as_tensor(x).to(start)[None]
        values, gradients = objective.value_and_gradient(point)
        return float(values[0]), to_numpy(gradients[0]).astype(np.float64)

    options: dict[str, Any] = {
        "maxiter": max_iterations,
        "maxfun": 2 * max_iterations,
        "maxcor": 30,
        "ftol": 0.0,
        "gtol": tolerance / objective.dim**0.5,
    }
    result = scipy.optimize.minimize(
        value_and_gradient, to_numpy(start).astype(np.float64), jac=True, method="L-BFGS-B", options=options
    )
    return torch.as_tensor(result.x).to(start), result.status == 1  # 1: as many iterations as were allowed


def _newton_step(objective: Objective, point: Tensor, tolerance: float) -> Tensor:
    gradient = objective.gradient(point[None])[0]
    curvature = Curvature(objective, point)
    accuracy = max(0.1 * tolerance, float(gradient.norm()) * min(0.1, float(gradient.norm()) ** 0.5))
    step, residual = torch.zeros_like(gradient), gradient.clone()
    direction, square = residual.clone(), float(residual.square().sum())
    for _ in range(2 * objective.dim):
        image = curvature.product(direction)
        bend = float(direction @ image)
        if square**0.5 <= accuracy or bend <= 0:
            break
        step += square / bend * direction
        residual -= square / bend * image
        square, previous = float(residual.square().sum()), square
        direction = residual + square / previous * direction
    return step


def _gradient_norm(objective: Objective, point: Tensor) -> float:
    return float(objective.gradient(point[None])[0].norm())
