"""The noise of a network, by samples or by batches, and whether its samples have gradients of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

import numpy as np
import torch
import xarray as xr

from sgdphys import schema
from sgdphys.checks import whole_number
from sgdphys.network.batches import take
from sgdphys.network.noise.batch_noise import BatchNoise
from sgdphys.network.noise.gradient_noise import GradientNoise
from sgdphys.network.noise.per_sample import loop_gradients

if TYPE_CHECKING:
    from torch import Tensor

    from sgdphys.network.noise.jacobians import Route
    from sgdphys.network.objective import Objective

__all__ = ["MeasuredNoise", "check_samples"]

Patterns: TypeAlias = str | tuple[str, ...] | None

_BATCH_SIZE, _BATCHES = 32, 64
_CHECKED = 64  # samples whose gradients are compared with that of their batch


class MeasuredNoise:
    """What a network tells about the noise of its gradient at its point."""

    _objective: Objective
    _point: Tensor

    @overload
    def noise(
        self, *, unit: Literal["sample"] = "sample", params: Patterns = ..., n_samples: int | None = ...,
        seed: int = ..., route: Route | None = ..., max_memory: int | str | None = ...,
    ) -> GradientNoise: ...  # fmt: skip
    @overload
    def noise(
        self, *, unit: Literal["batch"], batch_size: int = ..., n_batches: int = ..., seed: int = ...,
        max_memory: int | str | None = ...,
    ) -> BatchNoise: ...  # fmt: skip
    def noise(
        self,
        *,
        unit: Literal["sample", "batch"] = "sample",
        params: Patterns = None,
        n_samples: int | None = None,
        batch_size: int | None = None,
        n_batches: int | None = None,
        seed: int = 0,
        route: Route | None = None,
        max_memory: int | str | None = None,
    ) -> GradientNoise | BatchNoise:
        """Return the covariance of the gradients of samples at the point, or that of batches.

        Parameters
        ----------
        unit
            "sample": the centred covariance C of the per-sample gradients. "batch": B times the covariance of batch
            gradients with the model in its own mode, for batch statistics, dropout and losses that mix samples.
        params
            Pattern, or several, of the names of the parameters whose rows and columns to take, as ``"layer3.*"``.
        n_samples
            Measure a random subset of as many samples, drawn without replacement; estimates are then without bias
            for the whole data set.
        batch_size, n_batches
            Size (default 32) and number (default 64) of independent batches, with ``unit="batch"``.
        seed
            Seed of the subset or of the batches.
        route
            Of the products C v: "forward", "double" or "loop"; None takes the fastest that works.
        max_memory
            Bytes, or a text as "2GB", that one measurement may take at once; default a quarter of what is free.

        Returns
        -------
        GradientNoise or BatchNoise
            Nothing is computed yet.

        Raises
        ------
        ValueError
            A sample has no gradient of its own, an argument belongs to the other unit or is out of range.
        """
        seed = whole_number("seed", seed, least=0)
        if unit == "batch":
            _refused(unit, params=params, n_samples=n_samples, route=route)
            size = whole_number("batch_size", _BATCH_SIZE if batch_size is None else batch_size)
            count = whole_number("n_batches", _BATCHES if n_batches is None else n_batches)
            return BatchNoise(self._objective, self._point, size, count, seed, max_memory)
        if unit != "sample":
            raise ValueError(f"unit must be 'sample' or 'batch', got {unit!r}")
        _refused(unit, batch_size=batch_size, n_batches=n_batches)
        if self._objective.obstacle is not None:
            raise ValueError(self._objective.obstacle)
        whole, objective = self._objective.n_samples, self._objective
        population = None
        count = whole if n_samples is None else whole_number("n_samples", n_samples)
        if count != whole:
            objective, population = _subset(objective, count, seed), whole
        return GradientNoise(objective, self._point, params, route, population, max_memory)

    def check(self) -> xr.Dataset:
        """Return how far the mean of samples' own gradients is from the gradient of their batch.

        Returns
        -------
        xr.Dataset
            ``gradient_mismatch``, over the root mean square norm of the samples' gradients; rounding alone.

        Raises
        ------
        ValueError
            They differ: a sample has no gradient of its own, and ``noise(unit="batch")`` is the way out.
        """
        return check_samples(self._objective, self._point)


def check_samples(objective: Objective, point: Tensor) -> xr.Dataset:
    """Return how far the mean of some samples' own gradients is from the gradient of their batch.

    Parameters
    ----------
    objective
        The loss.
    point
        Flat parameters (d,).

    Returns
    -------
    xr.Dataset
        ``gradient_mismatch``, the norm of the difference over the root mean square norm of the samples' gradients.

    Raises
    ------
    ValueError
        They differ: a sample has no gradient of its own.
    """
    if objective.obstacle is not None:
        raise ValueError(objective.obstacle)
    rows = slice(0, min(objective.n_samples, _CHECKED))
    own = loop_gradients(objective, point, rows)
    leaf = point.detach().clone().requires_grad_()
    (batch,) = torch.autograd.grad(objective.sample_losses(leaf, rows).mean(), leaf, materialize_grads=True)
    size = float(own.square().sum(dim=1).mean().sqrt())
    mismatch = float((own.mean(dim=0) - batch).norm()) / size if size else 0.0
    if mismatch > 1e3 * torch.finfo(point.dtype).eps:
        raise ValueError(
            f"the mean of the gradients of {rows.stop} samples differs from the gradient of their batch by "
            f"{mismatch:.2g} of a sample's: the model or the loss mixes the samples; measure the noise of batches, "
            "noise(unit='batch')"
        )
    variables = {"gradient_mismatch": ((), np.asarray(mismatch), schema.describe("gradient_mismatch"))}
    return xr.Dataset(variables, attrs={"n_samples": rows.stop})


def _refused(unit: str, **options: Any) -> None:
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"{name} does not go with unit={unit!r}, got {value!r}; leave it out")


def _subset(objective: Objective, n_samples: int, seed: int) -> Objective:
    if not 2 <= n_samples <= objective.n_samples:
        raise ValueError(f"n_samples must lie between 2 and {objective.n_samples}, got {n_samples}")
    chosen = np.random.default_rng(seed).choice(objective.n_samples, n_samples, replace=False)
    rows = torch.as_tensor(np.sort(chosen), device=objective.model.initial.device)
    inputs, targets = (take(tree, rows) for tree in (objective.inputs, objective.targets))
    return replace(objective, inputs=inputs, targets=targets)
