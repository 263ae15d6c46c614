"""A symmetric matrix that is known by its products, and what products tell: ends, density, trace, diagonal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
import xarray as xr
from scipy.sparse.linalg import LinearOperator

from sgdphys import schema
from sgdphys.checks import whole_number
from sgdphys.network.curvature.alignment import alignment_of
from sgdphys.network.curvature.estimates import Estimates
from sgdphys.network.curvature.lanczos import end_eigenpairs
from sgdphys.network.curvature.probes import generator_of
from sgdphys.network.tensors import like, numbers_like, to_numpy
from sgdphys.simulation.memory import refuse_above_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from sgdphys.network.noise.gradient_noise import GradientNoise

__all__ = ["GivenOperator", "SymmetricOperator"]

_BLOCK = 64  # columns of the dense matrix made at once


class SymmetricOperator(Estimates):
    """A symmetric matrix A (d, d) known by its products with blocks of vectors: ends of its spectrum, alignment."""

    def product(self, v: Tensor) -> Tensor:
        """Return A v for a tensor (d,)."""
        return self.products(v[:, None])[:, 0]

    def matvec(self, v: Any) -> Any:
        """Return A v for ``v`` (d,), or A V for ``v`` (d, k), as the same kind of array."""
        columns = numbers_like("v", v, self.like)
        if columns.ndim not in {1, 2} or len(columns) != self.dim or not columns.numel():
            raise ValueError(f"v must have shape ({self.dim},) or ({self.dim}, k), got {tuple(columns.shape)}")
        work = self.product if columns.ndim == 1 else self.products
        return like(v, self._inside(lambda: work(columns)))

    def dense(self) -> NDArray[np.float64]:
        """Return A, (d, d), symmetric; refused with MemoryLimitError when it does not fit into memory."""
        what = f"the dense {self.name} of {self.dim} parameters"
        refuse_above_memory(2 * self.dim**2 * 8, what, "use matvec or top(k)")
        identity = torch.eye(self.dim, dtype=self.like.dtype, device=self.like.device)
        blocks = self._inside(lambda: [self.products(block) for block in torch.split(identity, _BLOCK, dim=1)])
        matrix = torch.cat(blocks, dim=1)
        return to_numpy((matrix + matrix.T) / 2)

    def to_scipy(self) -> LinearOperator:
        """Return A as a SciPy linear operator, whose products go through NumPy."""
        kind = to_numpy(self.like[:0]).dtype
        return LinearOperator(
            (self.dim, self.dim), matvec=self._column, rmatvec=self._column, matmat=self.matvec, dtype=kind
        )

    def _column(self, v: NDArray[Any]) -> Any:
        return self.matvec(np.reshape(v, -1))

    def top(
        self,
        k: int,
        *,
        end: Literal["largest", "smallest", "both"] = "largest",
        tolerance: float = 1e-9,
        max_iterations: int | None = None,
        seed: int = 0,
    ) -> xr.Dataset:
        """Return k eigenvalues at an end of the spectrum with eigenvectors and residual norms, by Lanczos iteration.

        Parameters
        ----------
        k
            Number of eigenpairs; at each end for ``end="both"``.
        end
            Which eigenvalues, in the order of signed numbers.
        tolerance
            Residual relative to the largest absolute eigenvalue at which the iteration stops; not below what the
            rounding of the products allows.
        max_iterations
            Most products before it stops all the same, for each end; default d.
        seed
            Seed of the start vector.

        Returns
        -------
        xr.Dataset
            ``eigenvalue`` (mode) in falling order, ``eigenvector`` (parameter, mode), ``residual_norm`` (mode);
            attribute ``products``.

        Raises
        ------
        ValueError
            ``k``, ``end``, ``tolerance``, ``max_iterations`` or ``seed`` is out of range.
        """
        generator = generator_of(seed)
        start = torch.randn(self.dim, generator=generator, dtype=self.like.dtype).to(self.like)
        options = {"tolerance": tolerance, "max_iterations": max_iterations}
        pairs = self._inside(lambda: end_eigenpairs(self.product, start, k, end, **options))
        both = (schema.PARAMETER, schema.MODE)
        return xr.Dataset(
            {
                "eigenvalue": (schema.MODE, to_numpy(pairs.values), schema.describe("eigenvalue")),
                "eigenvector": (both, to_numpy(pairs.vectors), schema.describe("eigenvector")),
                "residual_norm": (schema.MODE, to_numpy(pairs.residuals), schema.describe("residual_norm")),
            },
            attrs={"products": pairs.products, "dim": self.dim},
        )

    def alignment(self, noise: Any, k: int = 10, *, n_probes: int | None = 100, seed: int = 0) -> xr.Dataset:
        r"""Return how gradient noise C lies to this curvature H, in its k leading eigenvectors V and in tr(HC).

        By Ito's formula the noise raises the mean loss at the rate T tr(HC); isotropic noise of equal trace at the rate
        T tr H tr C / d, less by the escape ratio. The cosine is that of the matrices as vectors.

        Parameters
        ----------
        noise
            A ``GradientNoise`` of the same parameters, or a ``SymmetricOperator``.
        k
            Number of leading eigenvectors of H and of C.
        n_probes
            Random signs z for the traces: z'HCz, z'H^2 z and so on outside of V, where H acts as it is known to. None
            takes dense matrices, without error, and so does a number not below d.
        seed
            Seed of probes and start vectors.

        Returns
        -------
        xr.Dataset
            ``eigenvalue``, ``noise_share`` = v'Cv / tr C, ``noise_curvature_ratio`` (mode), ``projected_noise`` = V'CV
            (mode, mode_2), ``principal_cosine`` (mode) between the k leading vectors of H and of C;
            ``escape_indicator`` = tr(HC), ``escape_ratio`` = d tr(HC) / (tr H tr C), ``alignment_cosine``,
            ``curvature_trace`` and ``gradient_noise_trace`` with standard errors (the jackknife over the probes).

        Raises
        ------
        ValueError
            The noise is no such matrix or has another dimension, or a number is out of range.

        References
        ----------
        Z. Zhu, J. Wu, B. Yu, L. Wu, J. Ma, "The anisotropic noise in stochastic gradient descent", ICML (2019).
        """
        if not (hasattr(noise, "dim") and hasattr(noise, "matvec")):
            kind = type(noise).__name__
            raise ValueError(
                f"alignment needs the noise as network.noise() gives it, or a SymmetricOperator, got {kind}"
            )
        if noise.dim != self.dim:
            raise ValueError(f"the noise has {noise.dim} parameters, the {self.name} {self.dim}; take the same of both")
        if n_probes is not None:
            n_probes = whole_number("n_probes", n_probes)
        other = noise if isinstance(noise, SymmetricOperator) else GivenOperator.of(noise)
        return self._inside(lambda: alignment_of(self, other, k, n_probes, seed))


@dataclass(frozen=True)
class GivenOperator(SymmetricOperator):
    """A symmetric matrix given by a function.

    Parameters
    ----------
    function
        (d, k) -> (d, k), products with tensors.
    reference
        Tensor (d,) of the dtype and on the device of the vectors.
    name, units
        What it is called in messages, and its unit.
    """

    function: Callable[[Tensor], Tensor]
    reference: Tensor
    name: str = "matrix"
    units: str = ""

    @classmethod
    def of(cls, noise: GradientNoise) -> GivenOperator:
        """Return the operator of a gradient-noise covariance, for its density, its ends and functions of it."""
        return cls(noise.matvec, noise.point.new_zeros(noise.dim), "gradient noise", "loss^2/x^2")

    @property
    def like(self) -> Tensor:
        """The reference."""
        return self.reference

    def products(self, columns: Tensor) -> Tensor:
        """Return A V for a tensor V (d, k)."""
        return self.function(columns)
