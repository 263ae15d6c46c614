"""Points of a network relaxed over all directions but a few: constrained minima of the loss."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sgdphys.network.curvature.hessian import Curvature
from sgdphys.network.tensors import to_numpy, to_tensor
from sgdphys.network.threads import few_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from sgdphys.network.objective import Objective
    from sgdphys.network.problem import Network

    Array = NDArray[np.float64]

__all__ = ["relaxed"]

_NEWTON_STEPS = 60
_PRODUCTS = 200  # most Hessian products of a Newton step
_SETTLED = 1e-6  # gradient across the directions, in loss/x


@few_threads
def relaxed(network: Network, points: Array, directions: Array) -> Array:
    r"""Return the points moved across the directions V to minima of f, coordinates :math:`V^T x` as they are.

    Newton steps with conjugate gradients in the complement of V, halved until f falls. The knots are taken from
    the centre outwards, and each starts from the displacement of a neighbour, so that a valley is followed.

    Parameters
    ----------
    network
        The network.
    points
        Knots of a table, (knots of each axis, d).
    directions
        V, (d, k), orthonormal.

    Returns
    -------
    Array
        (knot, d), the last axis of the table fastest.

    Warns
    -----
    RuntimeWarning
        Some knots did not settle; how many.

    References
    ----------
    Nocedal & Wright, "Numerical optimization", algorithm 7.1 (Newton-CG).
    """
    kind: dict[str, Any] = {"device": network.device, "dtype": network.objective.model.initial.dtype}
    V, grid = to_tensor(directions, **kind), to_tensor(points, **kind)
    result, unsettled = grid.clone(), 0
    for knot, before in _outwards(points.shape[:-1]):
        result[knot], settled = _relax(network.objective, grid[knot] + result[before] - grid[before], V)
        unsettled += not settled
    if unsettled:
        warnings.warn(
            f"{unsettled} of {grid[..., 0].numel()} knots did not settle at a minimum over the other directions: the "
            "loss may have none there; use a smaller half_width or relax=False",
            RuntimeWarning,
            stacklevel=7,
        )
    return to_numpy(result.view(-1, grid.shape[-1]))


def _outwards(shape: tuple[int, ...]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return the indices of a grid from its centre outwards, each with a neighbour that comes before it."""
    centre = np.array(shape) // 2
    indices = np.argwhere(np.ones(shape, dtype=bool))
    path = []
    for index in indices[np.argsort(np.abs(indices - centre).sum(axis=1), kind="stable")]:
        axis = int(np.argmax(np.abs(index - centre)))
        before = index.copy()
        before[axis] += np.sign(centre[axis] - index[axis])
        path.append((tuple(index.tolist()), tuple(before.tolist())))
    return path


def _relax(objective: Objective, point: Tensor, V: Tensor) -> tuple[Tensor, bool]:
    def across(vector: Tensor) -> Tensor:
        return vector - V @ (V.T @ vector)

    value, gradient = (part[0] for part in objective.value_and_gradient(point[None]))
    for _ in range(_NEWTON_STEPS):
        slope = across(gradient)
        if float(slope.norm()) <= _SETTLED:
            return point, True
        curvature = Curvature(objective, point)
        step = _solve(lambda vector, at=curvature: across(at.product(across(vector))), slope)  # type: ignore[misc]
        length = 1.0
        while True:
            candidate = point - length * step
            new_value, new_gradient = (part[0] for part in objective.value_and_gradient(candidate[None]))
            if bool(new_value <= value + 1e-14 * value.abs()) or length < 1e-3:
                break
            length /= 2
        point, value, gradient = candidate, new_value, new_gradient
    return point, float(across(gradient).norm()) <= _SETTLED


def _solve(product: Callable[[Tensor], Tensor], target: Tensor) -> Tensor:
    """Return an approximate solution of A s = b by conjugate gradients, stopped where A bends downwards."""
    step, residual = torch.zeros_like(target), target.clone()
    direction, square = residual.clone(), float(residual.square().sum())
    accuracy = square * min(0.01, square**0.5)  # of the squared residual
    for _ in range(_PRODUCTS):
        image = product(direction)
        bend = float(direction @ image)
        if bend <= 0:
            return step if bool(step.any()) else target
        step = step + square / bend * direction
        residual = residual - square / bend * image
        square, previous = float(residual.square().sum()), square
        if square <= accuracy:
            break
        direction = residual + square / previous * direction
    return step
