"""The Gaussian noise of the stochastic differential equation of a finite sum: its exact C(x)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels import BlockTerm, KickKernel
from sgdphys.kernels.covariance_kicks import (
    factored_covariance_kick,
    factored_work_rows,
    sampled_covariance_kick,
    sampled_work_rows,
)
from sgdphys.kernels.nested_terms import address_number
from sgdphys.noises.base import BlockNoise
from sgdphys.noises.state_dependent import landscape_of

if TYPE_CHECKING:
    from sgdphys.protocols import Landscape

__all__ = ["GradientCovariance"]

Array = NDArray[np.float64]
_SAMPLED = KickKernel(sampled_covariance_kick)
_FACTORED = KickKernel(factored_covariance_kick)
FEW_COORDINATES = 3  # above, the factor costs more than its fewer normals save
MOST_FACTORED = 64  # coordinates of a factor in the scratch of a block
MOST_CHANNELS = 4096  # samples that have a normal each


@dataclass(frozen=True, eq=False)
class GradientCovariance(BlockNoise):
    r"""Gaussian noise with the exact covariance of the per-sample gradients of a finite sum, read as Ito.

    .. math:: D(x) = C(x) = \frac1N \sum_i (g_i - g)(g_i - g)^T, \qquad g_i = \nabla f_i(x)

    This is the noise of the stochastic differential equation of SGD, dx = -grad f dt + sqrt(2 T C(x)) dW with T =
    lr/(2B); what it leaves out are the higher cumulants of real minibatches (``noises.Minibatch``) and, with
    ``integrators.EulerMaruyama`` at a small dt, the finite step. Every kick reads all samples.

    Parameters
    ----------
    landscape
        The finite sum, such as ``landscapes.LeastSquares``; that of the simulation if not given.
    method
        ``"samples"``: the kick :math:`N^{-1/2} \sum_i (g_i - g) \xi_i` with N normals; ``"cholesky"``: the factor of
        C(x) with a normal for each of at most 64 coordinates; ``"auto"``: the factor for up to 3 coordinates or above
        4096 samples, where the other is slower or impossible. Both have the same law.

    Raises
    ------
    ValueError
        The method is unknown.

    References
    ----------
    Li, Tai & E 2019, J. Mach. Learn. Res. 20, 40, for the equation.
    """

    landscape: Landscape | None = None
    method: str = "auto"
    additive = False
    has_divergence = False

    def __post_init__(self) -> None:
        if self.method not in {"auto", "samples", "cholesky"}:
            raise ValueError(f'method must be "auto", "samples" or "cholesky", got {self.method!r}')

    def __repr__(self) -> str:
        return f"GradientCovariance(method={self.method!r})"

    def bound(self, landscape: Any) -> GradientCovariance:
        """Return the noise of this landscape; raise ValueError if it is no finite sum, or too large."""
        own = landscape_of(self, landscape)
        if not hasattr(own, "sample_term"):
            raise ValueError(
                f"noise GradientCovariance needs a finite-sum landscape such as landscapes.LeastSquares(inputs, "
                f"targets), got {type(own).__name__}; give a Gaussian noise such as noises.Isotropic(1.0)"
            )
        return replace(self, landscape=own)

    def diffusion(self, x: Array) -> Array:
        """Return C(x), (particle, coordinate, coordinate)."""
        return np.asarray(self._finite_sum().gradient_covariance(x))

    def _finite_sum(self) -> Any:
        if self.landscape is None:
            raise ValueError(
                "this GradientCovariance has no landscape yet; give landscape=, or use its bound(landscape)"
            )
        return self.landscape

    def factored(self, dim: int) -> bool:
        """Return whether kicks are made with the Cholesky factor of C."""
        n_samples = self._finite_sum().n_samples
        if self.method == "auto":
            return bool(n_samples > MOST_CHANNELS or dim <= FEW_COORDINATES)
        return self.method == "cholesky"

    def channels(self, dim: int) -> int:
        """Return the number of normals per kick: one per coordinate, or one per sample."""
        return dim if self.factored(dim) else int(self._finite_sum().n_samples)

    def kick_term(self, dim: int) -> BlockTerm:
        """Return the kernel of the kick; raise ValueError where ``dim`` does not fit, or samples are too many."""
        finite_sum = self._finite_sum()
        if finite_sum.dim != dim:
            raise ValueError(f"{self!r} has {finite_sum.dim} coordinates, the landscape has {dim}: they must be equal")
        self._check_size(dim, finite_sum.n_samples)
        term = finite_sum.sample_term()
        head = np.array([address_number(term.kernel.address), term.factor, float(finite_sum.n_samples)])
        kernel = _FACTORED if self.factored(dim) else _SAMPLED
        return BlockTerm(kernel, np.concatenate([head, np.ravel(term.parameters)]))

    def _check_size(self, dim: int, n_samples: int) -> None:
        factored = self.factored(dim)
        if (dim > MOST_FACTORED) if factored else (n_samples > MOST_CHANNELS):
            raise ValueError(
                f"{self!r} is for up to {MOST_FACTORED} coordinates, or up to {MOST_CHANNELS} samples by "
                f'method="samples", got {dim} and {n_samples}; use noises.Minibatch(), or noises.Full(C) at one point'
            )

    def work_rows(self, dim: int) -> int:
        """Return the rows of scratch: those of the kick, and of the landscape's per-sample gradients."""
        own = factored_work_rows(dim) if self.factored(dim) else sampled_work_rows(dim)
        return int(own + self._finite_sum().sample_work_rows())

    def configuration(self) -> dict[str, Any]:
        """Return name and arguments."""
        return {"noise": "GradientCovariance", "method": self.method}
