"""A torch network with its loss and its data, at one point of parameter space."""

from __future__ import annotations

import copy
import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sgdphys.checks import whole_number
from sgdphys.network.checks import check_data, check_loss
from sgdphys.network.curvature.hessian import Curvature
from sgdphys.network.functional import FlatModel
from sgdphys.network.losses import per_sample_loss
from sgdphys.network.minimum import minimise
from sgdphys.network.noise.gradient_noise import GradientNoise
from sgdphys.network.noise.per_sample import gradient_rows, sample_gradients
from sgdphys.network.objective import Objective
from sgdphys.network.tensors import like, to_numpy, to_tensor, usable_device
from sgdphys.network.threads import few_threads
from sgdphys.network.twins.quadratic import Twin, twin_of
from sgdphys.simulation.memory import refuse_above_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Array = NDArray[np.float64]

__all__ = ["Network"]


class Network:
    r"""A network, its loss and its data set: the regularised loss as a landscape, measured at one point.

    .. math:: f(x) = \frac1N \sum_i \ell_i(x) + \frac{\mathrm{wd}}2 |x|^2

    with x the flat vector of trainable parameters in the order of ``named_parameters``. Gradient, Hessian, minimum and
    twin are those of this f, weight decay included. The user's model is copied: its mode, buffers and ``requires_grad``
    stay as they are.

    Parameters
    ----------
    model
        The torch module; its present weights are the point.
    loss
        Callable (output, target) -> (n,), one value per sample, or a torch loss module. A module with
        ``reduction="mean"`` is taken sample by sample and averaged over all other axes as its own mean does.
        ``torch.nn.MSELoss`` is the mean over outputs of the squared residual: for one output twice the half squared
        residual, so curvature is 2 times and noise covariance 4 times as large.
    data
        ``(inputs, targets)``, arrays or tensors with one row a sample.
    weight_decay
        Coefficient wd, not negative.
    device
        torch device; default the CPU.
    dtype
        Floating type of parameters and floating data; default float64.

    Raises
    ------
    ValueError
        Data of unequal length, empty or not finite; a loss that is not per sample; a layer or mode that mixes samples
        or draws random numbers (batch statistics, dropout in training mode); a weight decay that is negative.
    TypeError
        The loss cannot be called.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        loss: Any,
        data: tuple[Any, Any],
        *,
        weight_decay: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if not (math.isfinite(weight_decay) and weight_decay >= 0):
            raise ValueError(f"weight_decay must be finite and not negative, got {weight_decay}")
        kind: dict[str, Any] = {"device": usable_device(device), "dtype": dtype or torch.float64}
        inputs, targets = (to_tensor(array, **kind) for array in check_data(data))
        self._objective = Objective(
            FlatModel(model, **kind), per_sample_loss(loss, **kind), inputs, targets, float(weight_decay)
        )
        self._point = self._objective.model.initial
        self._names = {"model": type(model).__name__, "loss": getattr(loss, "__qualname__", type(loss).__name__)}
        check_loss(self._objective, loss)

    def __repr__(self) -> str:
        text = f"Network({self._names['model']}, d={self.dim}, N={self.n_samples}"
        if self.dim * self.n_samples <= 10**8:  # else the gradient takes longer than a repr should
            text += f", loss {self.loss_value:.5g}, gradient norm {self.residual_gradient_norm:.2g}"
        return f"{text})"

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
    def objective(self) -> Objective:
        """The regularised loss on tensors."""
        return self._objective

    @property
    def parameters(self) -> Array:
        """The point x, (d,)."""
        return to_numpy(self._point)

    @cached_property
    def loss_value(self) -> float:
        """The regularised loss f at the point."""
        return float(self.potential())

    @cached_property
    def residual_gradient_norm(self) -> float:
        """Norm of the gradient of f at the point, in loss/x; about zero at a minimum."""
        return float(np.linalg.norm(self.gradient()))

    def at(self, parameters: Any) -> Network:
        """Return the same network at other parameters (d,)."""
        other = copy.copy(self)
        for name in ("loss_value", "residual_gradient_norm"):
            other.__dict__.pop(name, None)
        other._point = self._rows(parameters)[0].clone()
        return other

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
        return self._as_given(self._objective.potential(self._rows(x)), x)

    @few_threads
    def gradient(self, x: Any = None) -> Any:
        """Return the gradient of f at points ``x`` as in ``potential``; the shape of ``x``, in loss/x."""
        return self._as_given(self._objective.gradient(self._rows(x)), x)

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
        matrices = np.stack([Curvature(self._objective, point).dense() for point in points])
        return self._as_given(torch.as_tensor(matrices).to(points), x)

    @few_threads
    def outputs(self, inputs: Any, x: Any = None) -> Any:
        """Return the model's outputs.

        Parameters
        ----------
        inputs
            Inputs (sample, ...), for example of a test set.
        x
            Points as in ``potential``.

        Returns
        -------
        array
            (particle, sample, ...), or (sample, ...) for one point.
        """
        samples = to_tensor(inputs, device=self._point.device, dtype=self._point.dtype)
        with torch.no_grad():
            outputs = torch.cat([self._objective.outputs(point[None], samples) for point in self._rows(x)])
        return self._as_given(outputs, x)

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
        pieces = [sample_gradients(self._objective, self._point, rows) for rows in gradient_rows(self._objective)]
        return to_numpy(torch.cat(pieces) + self.weight_decay * self._point)

    @few_threads
    def minimum(self, tolerance: float = 1e-7, max_iterations: int = 20_000) -> Network:
        """Return the network at a nearby minimum of f: L-BFGS steps, then Newton steps with conjugate gradients.

        Warns with RuntimeWarning when ``tolerance`` was not reached; ``residual_gradient_norm`` of the result tells how
        near it is.

        Parameters
        ----------
        tolerance
            Gradient norm to reach, in loss/x; positive.
        max_iterations
            Most L-BFGS iterations.

        Returns
        -------
        Network
            The same network at the minimum.

        Raises
        ------
        ValueError
            ``tolerance`` or ``max_iterations`` is not positive.
        """
        if not tolerance > 0:
            raise ValueError(f"tolerance must be positive, got {tolerance}")
        whole_number("max_iterations", max_iterations)
        return self.at(minimise(self._objective, self._point, tolerance, max_iterations))

    def noise(self) -> GradientNoise:
        """Return the centred covariance of the per-sample gradients at the point."""
        return GradientNoise(self._objective, self._point)

    def curvature(self) -> Curvature:
        """Return the Hessian of f at the point."""
        return Curvature(self._objective, self._point)

    @few_threads
    def twin(self, rank: int = 20) -> Twin:
        """Return the quadratic landscape and constant noise that stand for the network near its minimum.

        With V the ``rank`` leading eigenvectors of the Hessian H at the point: landscape V'HV with f at the point as
        its constant, noise ``Full(V'CV)``; origin and basis map the reduced coordinates y to parameters, x = origin + V
        y. The leading eigenvectors of C instead would miss part of the variance, and C is not replaced by H.

        Parameters
        ----------
        rank
            Number of directions k, 1 to d.

        Returns
        -------
        Twin
            ``(landscape, noise)`` for ``simulate(*twin, sgd=sgd, ...)``. Warns with RuntimeWarning away from a minimum.
        """
        return twin_of(self, rank)

    def configuration(self) -> dict[str, Any]:
        """Return what a stored run tells about the network."""
        sizes = {"dim": self.dim, "n_samples": self.n_samples}
        return {**self._names, **sizes, "weight_decay": self.weight_decay, "dtype": str(self._point.dtype)}

    def _rows(self, x: Any) -> Tensor:
        points = self._point[None] if x is None else to_tensor(x, device=self._point.device, dtype=self._point.dtype)
        points, d = points if points.ndim == 2 else points[None], self.dim
        if points.ndim != 2 or points.shape[1] != d:
            raise ValueError(f"parameters must have shape (particle, {d}) or ({d},), got {tuple(np.shape(x))}")
        return points

    @staticmethod
    def _as_given(result: Tensor, x: Any) -> Any:
        return like(x, result if np.ndim(x) == 2 else result[0])
