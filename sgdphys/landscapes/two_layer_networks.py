"""Networks of one hidden layer as finite sums, small enough to be landscapes of the particle engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sgdphys.checks import whole_number
from sgdphys.kernels import BlockTerm, FieldKernel, SampleKernel
from sgdphys.kernels import two_layer as kernels
from sgdphys.landscapes.base import as_points
from sgdphys.landscapes.finite_sums import SupervisedLandscape

__all__ = ["TwoLayerNetwork"]

Array = NDArray[np.float64]


class _Kernels(NamedTuple):
    sample: SampleKernel
    gradient: FieldKernel
    potential: FieldKernel


def _bound_kernels(activation: Any, slope: Any) -> _Kernels:
    names = {"activation_of": activation, "activation_slope_of": slope}
    return _Kernels(
        SampleKernel(kernels.two_layer_sample, names),
        FieldKernel(kernels.two_layer_gradient, names),
        FieldKernel(kernels.two_layer_potential, names),
    )


_KERNELS = {
    "tanh": _bound_kernels(kernels.tanh_activation, kernels.tanh_slope),
    "relu": _bound_kernels(kernels.rectified, kernels.rectified_slope),
}


@dataclass(frozen=True, eq=False, repr=False)
class TwoLayerNetwork(SupervisedLandscape):
    r"""A network with one hidden layer and one output, with the mean of half the squared residual as loss.

    .. math::
        f(x) = \frac1N \sum_i \tfrac12 (p(a_i) - y_i)^2, \qquad p(a) = b_0 + \sum_k b_k\, \phi(w_k \cdot a + c_k)

    The coordinates x are one flat vector of width (features + 2) + 1 numbers: the hidden weights row by row
    (w_1, ..., w_width), the hidden offsets c, the output weights b, the output offset b_0. This is the order in which
    torch lists the parameters of ``Linear(features, width)`` and ``Linear(width, 1)``.

    Parameters
    ----------
    inputs
        The rows a_i, shape (sample, feature).
    targets
        y_i, shape (sample,).
    width
        Number of hidden units.
    activation
        phi: ``"tanh"`` or ``"relu"`` (its derivative at 0 is 0, and the Hessian leaves its kinks out).

    Raises
    ------
    ValueError
        The data do not fit (see LeastSquares), the width is no positive integer, or the activation is another one.
    """

    width: int
    activation: Literal["tanh", "relu"] = "tanh"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "width", whole_number("width", self.width))
        if not (isinstance(self.activation, str) and self.activation in _KERNELS):
            raise ValueError(f"activation must be one of {', '.join(_KERNELS)}, got {self.activation!r}")

    def __repr__(self) -> str:
        return (
            f"TwoLayerNetwork(n_samples={self.n_samples}, features={self.features}, width={self.width}, "
            f"activation={self.activation!r})"
        )

    @property
    def dim(self) -> int:
        """Number of coordinates, width (features + 2) + 1."""
        return self.width * (self.features + 2) + 1

    @property
    def _parameters(self) -> Array:
        return np.concatenate([[self.width, self.features], self.table])

    def sample_term(self) -> BlockTerm:
        """Return the kernel that adds the gradients of given samples, and the data."""
        return BlockTerm(_KERNELS[self.activation].sample, self._parameters)

    def sample_work_rows(self) -> int:
        """Return features + width + 3: a row of data, the hidden layer, the residual and a signal."""
        return self.features + self.width + 3

    def potential_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the potential."""
        return (BlockTerm(_KERNELS[self.activation].potential, self._parameters),)

    def gradient_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the gradient."""
        return (BlockTerm(_KERNELS[self.activation].gradient, self._parameters),)

    def predictions(self, x: Array) -> Array:
        """Return p at the samples for parameters ``x`` (particle, coordinate), shape (particle, sample)."""
        points = as_points(x, self.dim)
        return np.array([self._layer(point)[3] for point in points]).reshape(len(points), self.n_samples)

    def _layer(self, point: Array) -> tuple[Array, Array, Array, Array]:
        """Return activations, their first and second derivatives (sample, unit), and predictions (sample,)."""
        split = self.width * self.features
        values = self.inputs @ point[:split].reshape(self.width, -1).T + point[split : split + self.width]
        if self.activation == "tanh":
            hidden = np.tanh(values)
            first = 1 - hidden**2
            second = -2 * hidden * first
        else:
            hidden, first, second = np.maximum(values, 0), (values > 0).astype(np.float64), np.zeros_like(values)
        return hidden, first, second, hidden @ point[split + self.width : -1] + point[-1]

    def hessian(self, x: Array) -> Array:
        """Return the second derivatives at ``x`` (particle, coordinate), shape (particle, coordinate, coordinate)."""
        points = as_points(x, self.dim)
        return np.array([self._hessian(point) for point in points]).reshape(-1, self.dim, self.dim)

    def _hessian(self, point: Array) -> Array:
        width, features = self.width, self.features
        hidden, first, second, predictions = self._layer(point)
        outer = point[width * (features + 1) : -1]
        residual = predictions - self.targets
        entries = np.column_stack([self.inputs, np.ones(self.n_samples)])
        slopes = (outer * first)[:, :, np.newaxis] * entries[:, np.newaxis, :]
        weights, offsets = slopes[:, :, :-1].reshape(self.n_samples, -1), slopes[:, :, -1]
        jacobian = np.column_stack([weights, offsets, hidden, np.ones(self.n_samples)])
        matrix = jacobian.T @ jacobian
        for unit in range(width):
            own = np.append(np.arange(unit * features, (unit + 1) * features), width * features + unit)
            matrix[np.ix_(own, own)] += (entries.T * (residual * outer[unit] * second[:, unit])) @ entries
            mixed = entries.T @ (residual * first[:, unit])
            matrix[own, width * (features + 1) + unit] += mixed
            matrix[width * (features + 1) + unit, own] += mixed
        return np.asarray(matrix / self.n_samples)

    def configuration(self) -> dict[str, Any]:
        """Return the class name, a hash of the data, width and activation."""
        return super().configuration() | {"width": self.width, "activation": self.activation}
