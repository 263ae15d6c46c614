"""Centred covariance of the per-sample gradients, mostly without ever forming it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr
from scipy.sparse.linalg import LinearOperator

from sgdphys import schema
from sgdphys.checks import whole_number
from sgdphys.network.noise.per_sample import sample_gradients
from sgdphys.network.noise.sample_gradients import SampleGradients
from sgdphys.network.tensors import by_columns, like, numbers_like, to_numpy
from sgdphys.network.threads import few_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Matrix = NDArray[np.float64]

__all__ = ["NoiseCovariance"]


class NoiseCovariance(SampleGradients):
    """The covariance C of per-sample gradients as a matrix: products, Gram matrix, spectrum, factor, diagonal."""

    @few_threads
    def matvec(self, v: Any) -> Any:
        """Return C v for ``v`` (d,) or (d, k), as the same kind of array; no per-sample gradient is formed."""
        self._columns(v, 1, 2)
        return by_columns(self.product, v, self.point)

    def product(self, v: Tensor) -> Tensor:
        """Return C v for a tensor (d,)."""
        scattered = self._jacobian.scattered(self._wide(v))
        return self._narrow(scattered) * (self.correction / self.n_samples)

    def to_scipy(self) -> LinearOperator:
        """Return C as a SciPy operator on NumPy vectors."""
        dtype = to_numpy(self.point[:0]).dtype

        def flat(v: Matrix) -> Any:
            return self.matvec(v.reshape(-1))

        products: Any = {"matvec": flat, "rmatvec": flat, "matmat": self.matvec}
        return LinearOperator((self.dim, self.dim), **products, dtype=dtype)

    @few_threads
    def project(self, directions: Any) -> Any:
        """Return V' C V, (k, k), for directions V (d, k), as the same kind of array; C is not formed."""
        along = self.products_along(self._columns(directions, 2))
        return like(directions, along.T @ along * (self.correction / self.n_samples))

    @few_threads
    def along(self, directions: Any) -> Any:
        """Return (g_i - g)' V, (n, k), for directions V (d, k), as the same kind of array."""
        return like(directions, self.products_along(self._columns(directions, 2)))

    @few_threads
    def trace(self, by: str | None = None) -> Any:
        """Return tr C, the mean squared distance of a sample's gradient from the mean gradient, in loss^2/x^2.

        Parameters
        ----------
        by
            ``"layer"`` for the share of each layer; None for all of it.

        Returns
        -------
        float or xr.Dataset
            tr C, or ``layer_trace`` (layer), whose sum it is.

        Raises
        ------
        ValueError
            ``by`` is neither.
        """
        squares = self._maker.norms(self._names)
        means = self.objective.model.named(self.objective.model.pieces(self._mean))
        spread = {name: float(squares[name].mean() - means[name].square().sum()) for name in squares}
        each = {name: max(value, 0.0) * self.correction for name, value in spread.items()}
        if _checked(by) is None:
            return sum(each.values())
        traces = [sum(each[name] for name in names) for names in self._layers.values()]
        attributes = {**schema.describe("layer_trace"), "units": "loss^2/x^2"}
        return xr.Dataset({"layer_trace": ("layer", traces, attributes)}, {"layer": list(self._layers)})

    @few_threads
    def diagonal(self) -> Matrix:
        """Return the diagonal of C, (d,), in loss^2/x^2; where the layers are known without per-sample gradients."""
        squares = self._maker.second_moments(self._names)
        mean = self._narrow(self._mean)
        flat = torch.cat([squares[name].reshape(-1) for name in self._names]) - mean.square()
        return to_numpy(flat.clamp(min=0.0) * self.correction)

    @few_threads
    def dense(self) -> Matrix:
        """Return C, (d, d); refused with MemoryLimitError when it does not fit into memory."""
        size = self.point.element_size()
        needed = (2 * self.dim + 3) * self.dim * size + self.objective.bytes_per_sample
        self._refuse_above_limits(needed, f"the dense covariance of {self.dim} parameters", "use matvec or low_rank")
        matrix = torch.zeros(self.dim, self.dim, dtype=self.point.dtype, device=self.point.device)
        mean = self._narrow(self._mean)
        for rows in self._maker.gradient_rows(self._names):
            gradients = sample_gradients(self.objective, self.point, rows, self._names) - mean
            matrix.addmm_(gradients.T, gradients)
        return to_numpy(matrix * (self.correction / self.n_samples))

    @few_threads
    def gram(self, centred: bool = True) -> Matrix:
        """Return the scalar products of the gradients of all pairs of samples, (n, n), in loss^2/x^2.

        Made layer by layer from one forward and one backward pass (linear, convolution, embedding and normalisation
        layers; other parameters from per-sample gradients), never more than two pieces of the data set in memory.

        Parameters
        ----------
        centred
            Subtract the mean gradient: (g_i - g)'(g_j - g). The eigenvalues of that over n are those of C from these
            samples. Else the gradients g_i of f, weight decay included: their mean is the gradient of f.

        Returns
        -------
        Matrix
            Symmetric.

        Raises
        ------
        ValueError
            The products do not add up to the gradient of the data set: the model mixes its samples.
        MemoryLimitError
            It does not fit into memory, or into ``max_memory``.
        """
        n, double = self.n_samples, self.point.element_size() == 8
        needed = n**2 * (8 if double else self.point.element_size() + 8)
        way_out = "take fewer by n_samples=, or use matvec or project"
        self._refuse_above_limits(needed, f"the Gram matrix of {n} samples", way_out)
        (raw,) = self._maker.matrices([self._names])
        return to_numpy(_centred_twice(raw.double()) if centred else self._decayed(raw.double()))

    @few_threads
    def spectrum(self, by: str | None = None) -> xr.Dataset:
        """Return the eigenvalues of C in falling order, from C itself or from the Gram matrix, whichever is smaller.

        Parameters
        ----------
        by
            ``"layer"`` for the eigenvalues of each layer's block of C; None for C.

        Returns
        -------
        xr.Dataset
            ``eigenvalue`` (mode), the min(n - 1, d) values that can differ from zero, or (layer, mode) with NaN where a
            layer has fewer, in loss^2/x^2.

        Raises
        ------
        MemoryLimitError
            Neither matrix fits into memory.
        ValueError
            ``by`` is neither.
        """
        attributes = {"n_samples": self.n_samples, "dim": self.dim}
        if _checked(by) is None:
            small = self.dim <= self.n_samples
            way_out = "take fewer by n_samples=, or use matvec"
            self._refuse_above_limits(16 * min(self.dim, self.n_samples) ** 2, "the spectrum", way_out)
            matrix = self.dense() if small else self.gram()
            matrix *= 1.0 if small else self.correction / self.n_samples
            values = self._eigenvalues(torch.as_tensor(matrix), self.dim)
            return xr.Dataset({"eigenvalue": (schema.MODE, values, schema.describe("eigenvalue"))}, attrs=attributes)
        blocks = zip(self._maker.matrices(list(self._layers.values())), self._layers.values(), strict=True)
        rows = [self._eigenvalues(_centred_twice(block.double()), self._size(names)) for block, names in blocks]
        padded = np.full((len(rows), max(map(len, rows))), np.nan)
        for place, row in zip(padded, rows, strict=True):
            place[: len(row)] = row * (self.correction / self.n_samples)
        variables = {"eigenvalue": (("layer", schema.MODE), padded, schema.describe("eigenvalue"))}
        return xr.Dataset(variables, {"layer": list(self._layers)}, attributes)

    @few_threads
    def low_rank(self, k: int) -> Matrix:
        """Return a factor F (d, k) of the k leading eigenpairs: F F' is the best approximation of C of that rank.

        Parameters
        ----------
        k
            Rank, 1 to min(n, d).

        Returns
        -------
        Matrix
            Columns are eigenvectors times the root of their eigenvalue, in loss/x.

        Raises
        ------
        ValueError
            ``k`` is no whole number or out of range.
        MemoryLimitError
            The matrix to diagonalise does not fit into memory.
        """
        k, most = whole_number("k", k, least=0), min(self.n_samples, self.dim)
        if not 1 <= k <= most:
            raise ValueError(f"k must lie between 1 and min(n_samples, dim) = {most}, got {k}")
        needed = 3 * min(self.dim, self.n_samples) ** 2 * 8 + 2 * self.dim * k * self.point.element_size()
        self._refuse_above_limits(needed, f"a factor of rank {k}", "take a smaller k, or use matvec")
        if self.dim <= self.n_samples:
            values, vectors = (part.numpy() for part in torch.linalg.eigh(torch.as_tensor(self.dense())))
            return np.asarray(vectors[:, ::-1][:, :k] * np.sqrt(np.maximum(values[::-1][:k], 0.0)))
        _, weights = torch.linalg.eigh(torch.as_tensor(self.gram()))
        leading = weights.T.flip(0)[:k].to(self.point) * (self.correction / self.n_samples) ** 0.5
        return to_numpy(torch.stack([self._narrow(self._jacobian.transposed_times(w - w.mean())) for w in leading], 1))

    def _columns(self, array: Any, *axes: int) -> Tensor:
        """Return directions as a tensor, refusing any other shape than (d,) or (d, k), and NaN or infinity."""
        columns = numbers_like("directions", array, self.point)
        if columns.ndim not in axes or len(columns) != self.dim or columns.shape[-1] == 0:
            wanted = " or ".join(f"({self.dim},)" if n == 1 else f"({self.dim}, k)" for n in axes)
            raise ValueError(f"directions must have shape {wanted}, got {tuple(columns.shape)}")
        if not columns.isfinite().all():
            raise ValueError("directions must be finite, got NaN or infinity")
        return columns

    def _decayed(self, raw: Tensor) -> Tensor:
        if not self.objective.weight_decay:
            return raw
        decay = self._decay
        along = (self.products_along(decay[:, None])[:, 0] + self._narrow(self._mean) @ decay).double()
        return raw.add_(along[:, None]).add_(along + decay.double().square().sum())

    def _eigenvalues(self, matrix: Tensor, dim: int) -> Matrix:
        values = to_numpy(torch.linalg.eigvalsh(matrix))[::-1]
        return np.asarray(np.maximum(values[: max(min(self.n_samples - 1, dim), 1)], 0.0))


def _centred_twice(raw: Tensor) -> Tensor:
    rows = raw.mean(dim=1)
    return raw.sub_(rows[:, None]).sub_(rows - rows.mean())


def _checked(by: str | None) -> str | None:
    if by not in {None, "layer"}:
        raise ValueError(f"by must be 'layer' or None, got {by!r}")
    return by
