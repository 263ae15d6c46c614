"""What is evaluated at points of parameter space: loss, gradient, Hessian, outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sgdphys.network.batches import leaves
from sgdphys.network.checks import explained
from sgdphys.network.curvature.hessian import Curvature
from sgdphys.network.intake import tree_of
from sgdphys.network.noise.per_sample import gradient_rows, sample_gradients
from sgdphys.network.tensors import like, numbers_like, to_numpy
from sgdphys.network.threads import few_threads
from sgdphys.simulation.memory import refuse_above_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from sgdphys.network.objective import Objective

    Array = NDArray[np.float64]

__all__ = ["PointEvaluation"]


class PointEvaluation:
    """The regularised loss of a network as a landscape, with an own point where nothing else is said."""

    _objective: Objective
    _point: Tensor

    @property
    def objective(self) -> Objective:
        """The regularised loss on tensors."""
        return self._objective

    @property
    def dim(self) -> int:
        """Number of parameters d."""
        return self._objective.dim

    @property
    def n_samples(self) -> int:
        """Number of samples N."""
        return self._objective.n_samples

    @property
    def weight_decay(self) -> float:
        """Coefficient wd of (wd/2)|x|^2 in the loss."""
        return self._objective.weight_decay

    @property
    def device(self) -> torch.device:
        """Device of the private copy of model and data."""
        return self._point.device

    @property
    def parameters(self) -> Array:
        """The point x, (d,)."""
        return to_numpy(self._point)

    @property
    def layers(self) -> dict[str, slice]:
        """Where the parameters of each layer lie in x."""
        return self._objective.model.layers

    @few_threads
    def potential(self, x: Any = None) -> Any:
        """Return the regularised loss f.

        Parameters
        ----------
        x
            Points (particle, d), or one point (d,); default the network's own point.

        Returns
        -------
        array
            (particle,), or a zero-dimensional array for one point; the same kind of array as ``x``, in loss.
        """
        return self._as_given(self._sampled.potential(self._rows(x)), x)

    @few_threads
    def gradient(self, x: Any = None) -> Any:
        """Return the gradient of f at points ``x`` as in ``potential``; the shape of ``x``, in loss/x."""
        return self._as_given(self._sampled.gradient(self._rows(x)), x)

    @few_threads
    def hessian(self, x: Any = None) -> Any:
        """Return the dense Hessians of f at points ``x`` as in ``potential``, (particle, d, d) or (d, d).

        Refused with MemoryLimitError when they do not fit into memory.

        Parameters
        ----------
        x
            Points as in ``potential``.

        Returns
        -------
        array
            Symmetric matrices, in loss/x^2.
        """
        points = self._rows(x)
        what = f"the dense Hessian at {len(points)} points of {self.dim} parameters"
        refuse_above_memory(2 * len(points) * self.dim**2 * 8, what, "use curvature().top(k)")
        matrices = [torch.as_tensor(Curvature(self._sampled, point).dense()).to(points) for point in points]
        return self._as_given(torch.cat([points.new_zeros(0, self.dim, self.dim), *(m[None] for m in matrices)]), x)

    @few_threads
    def outputs(self, inputs: Any, x: Any = None) -> Any:
        """Return the model's outputs.

        Parameters
        ----------
        inputs
            Inputs (sample, ...), for example of a test set; a tuple or dictionary as in the data.
        x
            Points as in ``potential``.

        Returns
        -------
        array
            (particle, sample, ...), or (sample, ...) for one point.

        Raises
        ------
        ValueError
            The model cannot be called on the inputs, or returns several tensors.
        """
        samples = tree_of(inputs, self._point.device, self._point.dtype)
        with torch.no_grad(), explained("the model cannot be called on these inputs"):
            each = [self._objective.outputs(point[None], samples) for point in self._rows(x)]
        if any(len(leaves(output)) != 1 for output in each):
            raise ValueError("the model returns several tensors; call the module itself for its outputs")
        return self._as_given(torch.cat([leaves(output)[0] for output in each]), x)

    @few_threads
    def per_sample_gradients(self) -> Array:
        """Return the gradients of all samples at the point, (sample, d), weight decay included.

        Their mean is ``gradient()``. Refused with MemoryLimitError when they do not fit into memory.

        Returns
        -------
        numpy.ndarray
            In loss/x.
        """
        what = f"the gradients of {self.n_samples} samples with {self.dim} parameters"
        refuse_above_memory(2 * self.n_samples * self.dim * 8, what, "use noise(), which needs none of them")
        pieces = [sample_gradients(self._sampled, self._point, rows) for rows in gradient_rows(self._sampled)]
        return to_numpy(torch.cat(pieces) + self.weight_decay * self._point)

    @property
    def _sampled(self) -> Objective:
        if self._objective.obstacle is not None:
            raise ValueError(self._objective.obstacle)
        return self._objective

    def _rows(self, x: Any) -> Tensor:
        points = self._point[None] if x is None else numbers_like("parameters", x, self._point)
        points, d = points if points.ndim == 2 else points[None], self.dim
        if points.ndim != 2 or points.shape[1] != d:
            raise ValueError(f"parameters must have shape (particle, {d}) or ({d},), got {tuple(np.shape(x))}")
        return points

    @staticmethod
    def _as_given(result: Tensor, x: Any) -> Any:
        return like(x, result if np.ndim(x) == 2 else result[0])
