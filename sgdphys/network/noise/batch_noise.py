"""The noise of minibatch gradients where a sample has no gradient of its own: from independent batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
import xarray as xr

from sgdphys import schema
from sgdphys.analysis.gradient_noise_moments import noise_moments
from sgdphys.analysis.gradient_noise_scales import noise_scale
from sgdphys.analysis.spectrum_ranks import noise_ranks
from sgdphys.kernels.philox import key_of
from sgdphys.network.batches import take
from sgdphys.network.clouds.indices import IndexStream
from sgdphys.network.losses import sample_values
from sgdphys.network.noise.data_pieces import add_block, cut, pairs
from sgdphys.network.noise.plans import memory_limit
from sgdphys.network.tensors import to_numpy
from sgdphys.network.threads import few_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from sgdphys.network.objective import Objective

    Matrix = NDArray[np.float64]

__all__ = ["BatchNoise"]


@dataclass(frozen=True)
class BatchNoise:
    r"""Covariance of the gradients of independent batches, times their size.

    .. math:: C_B = \frac{B}{K - 1} \sum_k (g_k - \bar g)(g_k - \bar g)^T

    of K batches of B samples drawn with replacement, with the model in its own mode: batch normalisation uses the
    statistics of the batch, dropout is drawn anew for each batch. Where samples have gradients of their own its mean
    is C, for every B; else it depends on B, and holds for batches of that size alone. Weight decay moves every gradient
    alike: it drops out of C_B and belongs to |G|^2.

    Parameters
    ----------
    objective
        The loss.
    point
        Flat parameters (d,).
    batch_size
        Samples a batch, B.
    n_batches
        Number of batches K, 4 or more.
    seed
        Seed of the batches and of what the model draws.
    max_memory
        Bytes, or a text as "2GB", that gradients may take; default a quarter of what is free.

    Raises
    ------
    ValueError
        Fewer than 4 batches, or a ``max_memory`` that is no size.
    """

    objective: Objective
    point: Tensor
    batch_size: int
    n_batches: int
    seed: int = 0
    max_memory: int | str | None = None

    def __post_init__(self) -> None:
        if self.n_batches < 4:
            raise ValueError(f"n_batches must be at least 4, got {self.n_batches}")
        memory_limit(self.max_memory, self.point)

    def __repr__(self) -> str:
        return f"BatchNoise(d={self.dim}, {self.n_batches} batches of {self.batch_size})"

    @property
    def dim(self) -> int:
        """Number of parameters d."""
        return self.objective.dim

    @few_threads
    def gram(self, centred: bool = True) -> Matrix:
        """Return the scalar products of the gradients of all pairs of batches, (K, K), in loss^2/x^2.

        Returns
        -------
        Matrix
            Symmetric; not centred, of the gradients of f, weight decay included.
        """
        raw = to_numpy(self._gram.double()).copy()
        return raw if not centred else raw - raw.mean(axis=0) - raw.mean(axis=1)[:, None] + raw.mean()

    def trace(self) -> float:
        """Return tr C_B, without bias, in loss^2/x^2."""
        return float(self.moments()["noise_trace"])

    def moments(self) -> xr.Dataset:
        """Return |G|^2 and tr C_B, tr C_B^2 and participation ratio with errors, see ``analysis.noise_moments``."""
        result = noise_moments(self.gram(centred=False))
        for name, power in (("noise_trace", 1), ("noise_trace_of_square", 2)):
            for twin in (name, f"{name}_standard_error"):
                result[twin] = result[twin] * float(self.batch_size**power)
        return result.assign_attrs(self._attributes)

    def spectrum(self) -> xr.Dataset:
        """Return the K - 1 eigenvalues of C_B that these batches resolve, in falling order."""
        values = np.linalg.eigvalsh(self.gram())[::-1][: min(self.n_batches - 1, self.dim)]
        scaled = np.maximum(values, 0.0) * (self.batch_size / (self.n_batches - 1))
        return xr.Dataset({"eigenvalue": (schema.MODE, scaled, schema.describe("eigenvalue"))}, attrs=self._attributes)

    def rank(self) -> xr.Dataset:
        """Return the rank of the empirical C_B at named thresholds, see ``analysis.noise_ranks``."""
        return noise_ranks(self.spectrum(), self.dim)

    def scale(self, level: float = 0.95) -> xr.Dataset:
        """Return tr C_B/|G|^2 in samples with its interval, see ``analysis.noise_scale``."""
        result = noise_scale(self.gram(centred=False), None, level)
        for name, variable in result.data_vars.items():
            if variable.dtype != bool:
                result[name] = variable.copy(data=np.asarray(variable * float(self.batch_size)))
        return result.assign_attrs({**result.attrs, **self._attributes})

    @property
    def _attributes(self) -> dict[str, int]:
        return {"batch_size": self.batch_size, "n_batches": self.n_batches, "dim": self.dim, "seed": self.seed}

    @cached_property
    def _gram(self) -> Tensor:
        limit, size = memory_limit(self.max_memory, self.point), self.dim * self.point.element_size()
        matrix = self.point.new_zeros(self.n_batches, self.n_batches)
        for rows, others, first, second in pairs(cut(self.n_batches, limit // 2, 2 * size), self._gradients):
            add_block(matrix, rows, others, first @ second.T)
        return matrix

    def _gradients(self, batches: slice) -> Tensor:
        stream = IndexStream(
            key_of(self.seed), self.objective.n_samples, self.batch_size, "replacement", self.point.device
        )
        indices = stream.draw(batches.start, batches.stop - batches.start, 0, 1)[:, 0]
        return torch.stack([self._gradient(number, rows) for number, rows in enumerate(indices, batches.start)])

    def _gradient(self, number: int, rows: Tensor) -> Tensor:
        inputs, targets = (take(tree, rows) for tree in (self.objective.inputs, self.objective.targets))
        leaf = self.point.detach().clone().requires_grad_()
        with _seeded(key_of(self.seed, number), self.point.device):
            losses = sample_values(self.objective.loss, self.objective.model(leaf, inputs), targets)
        return torch.autograd.grad(losses.mean(), leaf)[0] + self.objective.weight_decay * self.point


@contextmanager
def _seeded(key: int, device: torch.device) -> Iterator[None]:
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(key & (2**63 - 1))
        yield
