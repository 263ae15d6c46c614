"""Curvature of the regularised loss: the Hessian by its products, its leading eigenpairs, its trace."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
import xarray as xr

from sgdphys import schema
from sgdphys.network.curvature.lanczos import leading_eigenpairs
from sgdphys.network.tensors import by_columns, to_numpy
from sgdphys.network.threads import few_threads
from sgdphys.simulation.memory import refuse_above_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from sgdphys.network.objective import Objective

__all__ = ["Curvature"]


@dataclass(frozen=True)
class Curvature:
    """Hessian H of the regularised loss f at one point; weight decay adds wd on the diagonal.

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
        return f"Curvature(d={self.dim}, N={self.objective.n_samples})"

    @property
    def dim(self) -> int:
        """Number of parameters d."""
        return self.objective.dim

    @few_threads
    def matvec(self, v: Any) -> Any:
        """Return H v for ``v`` (d,) or (d, k), as the same kind of array; two backward passes a column."""
        return by_columns(self.product, v, self.point)

    def product(self, v: Tensor) -> Tensor:
        """Return H v for a tensor (d,)."""
        result = self.objective.weight_decay * v
        with self.objective.context():
            for leaf, g in self._gradients():
                result = result + torch.autograd.grad(g, leaf, v, retain_graph=True)[0]
        return result

    @few_threads
    def dense(self) -> NDArray[np.float64]:
        """Return H, (d, d), symmetric; refused with MemoryLimitError when it does not fit into memory."""
        refuse_above_memory(2 * self.dim**2 * 8, f"the dense Hessian of {self.dim} parameters", "use matvec or top(k)")
        identity = torch.eye(self.dim, dtype=self.point.dtype, device=self.point.device)
        matrix = torch.stack([self.product(column) for column in identity])
        return to_numpy((matrix + matrix.T) / 2)

    @few_threads
    def top(self, k: int, *, tolerance: float = 1e-9, max_iterations: int | None = None, seed: int = 0) -> xr.Dataset:
        """Return the k largest eigenvalues of H with eigenvectors and residual norms, by Lanczos iteration.

        Parameters
        ----------
        k
            Number of eigenpairs.
        tolerance
            Residual relative to the largest absolute eigenvalue at which the iteration stops.
        max_iterations
            Most Hessian products before it stops all the same; default d.
        seed
            Seed of the start vector.

        Returns
        -------
        xr.Dataset
            ``eigenvalue`` (mode), ``eigenvector`` (parameter, mode), ``residual_norm`` (mode).
        """
        generator = torch.Generator().manual_seed(seed)
        start = torch.randn(self.dim, generator=generator, dtype=self.point.dtype).to(self.point.device)
        pairs = leading_eigenpairs(self.product, start, k, tolerance=tolerance, max_iterations=max_iterations)
        return xr.Dataset(
            {
                "eigenvalue": (schema.MODE, to_numpy(pairs.values), schema.describe("eigenvalue")),
                "eigenvector": (
                    (schema.PARAMETER, schema.MODE),
                    to_numpy(pairs.vectors),
                    schema.describe("eigenvector"),
                ),
                "residual_norm": (schema.MODE, to_numpy(pairs.residuals), schema.describe("residual_norm")),
            },
            attrs={"products": pairs.products, "dim": self.dim},
        )

    def trace(self) -> float:
        """Return tr H, in loss/x^2; exact, from d Hessian products."""
        return float(self.dense().trace())

    @cached_property
    def _pieces(self) -> list[slice]:
        return list(self.objective.rows(factor=4))

    @cached_property
    def _single_gradient(self) -> tuple[Tensor, Tensor]:
        return self._gradient(self._pieces[0])

    def _gradients(self) -> Iterator[tuple[Tensor, Tensor]]:
        # the graph of the gradient is kept between products when the whole data set is one piece
        if len(self._pieces) == 1:
            yield self._single_gradient
        else:
            yield from map(self._gradient, self._pieces)

    def _gradient(self, rows: slice) -> tuple[Tensor, Tensor]:
        leaf = self.point.detach().clone().requires_grad_()
        total = self.objective.sample_losses(leaf, rows).sum() / self.objective.n_samples
        (g,) = torch.autograd.grad(total, leaf, create_graph=True)
        return leaf, g
