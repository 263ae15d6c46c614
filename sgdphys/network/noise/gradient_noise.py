"""Centred covariance of the per-sample gradients, mostly without ever forming it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr

from sgdphys import schema
from sgdphys.network.noise.per_sample import SampleJacobian, gradient_rows, sample_gradients
from sgdphys.network.tensors import by_columns, like, to_numpy, to_tensor
from sgdphys.network.threads import few_threads
from sgdphys.simulation.memory import refuse_above_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from sgdphys.network.objective import Objective

    Matrix = NDArray[np.float64]

__all__ = ["GradientNoise"]


@dataclass(frozen=True)
class GradientNoise:
    r"""Population covariance of the per-sample gradients at one point.

    .. math:: C = \frac1N \sum_i (g_i - g)(g_i - g)^T

    over the whole data set, centred, in loss^2/x^2. A batch of B gradients drawn with replacement has covariance C/B.
    Weight decay moves every gradient alike and drops out.

    Parameters
    ----------
    objective
        The regularised loss.
    point
        Flat parameters (d,) as a tensor.
    """

    objective: Objective
    point: Tensor

    def __repr__(self) -> str:
        return f"GradientNoise(d={self.dim}, N={self.n_samples})"

    @property
    def dim(self) -> int:
        """Number of parameters d."""
        return self.objective.dim

    @property
    def n_samples(self) -> int:
        """Number of samples N."""
        return self.objective.n_samples

    @few_threads
    def matvec(self, v: Any) -> Any:
        """Return C v for ``v`` (d,) or (d, k), as the same kind of array; no per-sample gradient is formed."""
        return by_columns(self._product, v, self.point)

    @few_threads
    def project(self, directions: Any) -> Any:
        """Return V' C V, (k, k), for directions V (d, k), as the same kind of array; C is not formed."""
        columns = to_tensor(directions, device=self.point.device, dtype=self.point.dtype)
        along = torch.stack([_centred(self._jacobian.times(column)) for column in columns.T], dim=1)
        return like(directions, along.T @ along / self.n_samples)

    @few_threads
    def trace(self) -> float:
        """Return tr C, the mean squared distance of a sample's gradient from the mean gradient, in loss^2/x^2."""
        return (
            sum(float(self._centred_gradients(rows).square().sum()) for rows in gradient_rows(self.objective))
            / self.n_samples
        )

    @few_threads
    def dense(self) -> Matrix:
        """Return C, (d, d); refused with MemoryLimitError when it does not fit into memory."""
        refuse_above_memory(
            2 * self.dim**2 * 8, f"the dense covariance of {self.dim} parameters", "use matvec, project or low_rank"
        )
        matrix = torch.zeros(self.dim, self.dim, dtype=self.point.dtype, device=self.point.device)
        for rows in gradient_rows(self.objective):
            gradients = self._centred_gradients(rows)
            matrix += gradients.T @ gradients
        return to_numpy(matrix / self.n_samples)

    @few_threads
    def gram(self) -> Matrix:
        """Return (g_i - g)'(g_j - g) of all pairs of samples, (N, N); gram/N has the nonzero eigenvalues of C."""
        return to_numpy(self._gram)

    @few_threads
    def spectrum(self) -> xr.Dataset:
        """Return the eigenvalues of C in falling order, from C itself or from the Gram matrix, whichever is smaller.

        Returns
        -------
        xr.Dataset
            ``eigenvalue`` (mode), the min(N - 1, d) values that can differ from zero, in loss^2/x^2.

        Raises
        ------
        MemoryLimitError
            Neither matrix fits into memory.
        """
        matrix = self.dense() if self.dim <= self.n_samples else self.gram() / self.n_samples
        values = torch.linalg.eigvalsh(torch.as_tensor(matrix)).numpy()[::-1]
        values = values[: max(min(self.n_samples - 1, self.dim), 1)]
        return xr.Dataset(
            {"eigenvalue": (schema.MODE, np.maximum(values, 0.0), schema.describe("eigenvalue"))},
            attrs={"n_samples": self.n_samples, "dim": self.dim},
        )

    @few_threads
    def low_rank(self, k: int) -> Matrix:
        """Return a factor F (d, k) of the k leading eigenpairs: F F' is the best approximation of C of that rank.

        Parameters
        ----------
        k
            Rank, 1 to min(N, d).

        Returns
        -------
        Matrix
            Columns are eigenvectors times the root of their eigenvalue, in loss/x.

        Raises
        ------
        ValueError
            ``k`` is out of range.
        MemoryLimitError
            The matrix to diagonalise does not fit into memory.
        """
        if not 1 <= k <= min(self.n_samples, self.dim):
            raise ValueError(f"k must lie between 1 and min(n_samples, dim) = {min(self.n_samples, self.dim)}, got {k}")
        if self.dim <= self.n_samples:
            values, vectors = (part.numpy() for part in torch.linalg.eigh(torch.as_tensor(self.dense())))
            return np.asarray(vectors[:, ::-1][:, :k] * np.sqrt(np.maximum(values[::-1][:k], 0.0)))
        _, weights = torch.linalg.eigh(self._gram)
        leading = [_centred(w) / self.n_samples**0.5 for w in weights.T.flip(0)[:k]]
        return to_numpy(torch.stack([self._jacobian.transposed_times(w) for w in leading], dim=1))

    def _product(self, v: Tensor) -> Tensor:
        return self._jacobian.transposed_times(_centred(self._jacobian.times(v))) / self.n_samples

    @cached_property
    def _jacobian(self) -> SampleJacobian:
        return SampleJacobian(self.objective, self.point)

    @cached_property
    def _mean(self) -> Tensor:
        return self.objective.gradient(self.point[None])[0] - self.objective.weight_decay * self.point

    def _centred_gradients(self, rows: slice) -> Tensor:
        return sample_gradients(self.objective, self.point, rows) - self._mean

    @property
    def _gram(self) -> Tensor:
        n_bytes = self.point.element_size()
        refuse_above_memory(
            2 * self.n_samples**2 * n_bytes, f"the Gram matrix of {self.n_samples} samples", "use matvec or project"
        )
        matrix = torch.empty(self.n_samples, self.n_samples, dtype=self.point.dtype, device=self.point.device)
        pieces = gradient_rows(self.objective)
        for index, rows in enumerate(pieces):
            gradients = self._centred_gradients(rows)
            matrix[rows, rows] = gradients @ gradients.T
            for earlier in pieces[:index]:  # made again, so that never more than two pieces are in memory
                matrix[rows, earlier] = gradients @ self._centred_gradients(earlier).T
                matrix[earlier, rows] = matrix[rows, earlier].T
        return matrix


def _centred(values: Tensor) -> Tensor:
    return values - values.mean()
