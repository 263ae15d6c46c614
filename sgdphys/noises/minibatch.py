"""The real thing: the noise of minibatches drawn from a finite sum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sgdphys.kernels import BlockTerm, KickKernel
from sgdphys.kernels.kicks import isotropic_kick
from sgdphys.noises.base import BlockNoise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.protocols import Landscape

    Array = NDArray[np.float64]

__all__ = ["Minibatch"]

_NONE = KickKernel(isotropic_kick)


@dataclass(frozen=True)
class Minibatch(BlockNoise):
    """Real minibatches of a finite-sum landscape, drawn as the SGD settings say; for ``simulate`` with ``sgd=``.

    No Gaussian stands in for the gradient noise: each particle takes the mean gradient of its own minibatch at each
    step. ``sgd.sampling`` is "replacement" (independent draws), "without" (distinct samples within a step) or
    "shuffle" (epochs of a shuffled order, the last short batch dropped).

    Parameters
    ----------
    landscape
        The finite sum; filled in by ``simulate``.
    """

    landscape: Landscape | None = None
    is_minibatch: ClassVar[bool] = True
    additive = False
    gaussian = False

    def bound(self, landscape: Any) -> Minibatch:
        """Return the noise of this landscape; raise ValueError if it is no finite sum."""
        if not hasattr(landscape, "sample_term"):
            raise ValueError(
                f"noise Minibatch needs a finite-sum landscape such as landscapes.LeastSquares(inputs, targets), got "
                f"{type(landscape).__name__}; give a Gaussian noise such as noises.Isotropic(1.0)"
            )
        return replace(self, landscape=landscape)

    def diffusion(self, x: Array) -> Array:
        """Return C(x), the population covariance of the per-sample gradients, (particle, coordinate, coordinate)."""
        return np.asarray(self._finite_sum().gradient_covariance(x))

    def channels(self, dim: int) -> int:  # noqa: ARG002
        """Return 0: minibatches use no normals."""
        return 0

    def kick_term(self, dim: int) -> BlockTerm:  # noqa: ARG002
        """Return a kick of nothing; the steps of SGD take the gradients of samples instead."""
        return BlockTerm(_NONE, np.zeros(1))

    def work_rows(self, dim: int) -> int:  # noqa: ARG002
        """Return the scratch of the landscape's per-sample gradients, and a row of weights."""
        return int(self._finite_sum().sample_work_rows()) + 1

    def configuration(self) -> dict[str, Any]:
        """Return the name."""
        return {"noise": "Minibatch"}

    def _finite_sum(self) -> Any:
        if self.landscape is None:
            raise ValueError("this Minibatch has no landscape yet; use Minibatch().bound(landscape)")
        return self.landscape
