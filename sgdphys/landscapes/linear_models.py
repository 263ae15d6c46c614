"""Finite sums of a prediction that is linear in the parameters: least squares, logistic regression, phase retrieval."""

from __future__ import annotations

import functools
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels import BlockTerm, FieldKernel, SampleKernel
from sgdphys.kernels import finite_sums as kernels
from sgdphys.landscapes.base import as_points
from sgdphys.landscapes.finite_sums import SupervisedLandscape

__all__ = ["LeastSquares", "LogisticRegression", "PhaseRetrieval"]

NEWTON_STEPS = 100  # separable data, which have no minimum, still move by about one unit then
MOST_CONDITION = 1e12  # of the Hessian at a minimum that is the only one

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class LinearModel(SupervisedLandscape):
    """A mean over samples of a function of the prediction ``inputs @ x`` and the target."""

    sample_kernel: ClassVar[SampleKernel]
    gradient_kernel: ClassVar[FieldKernel]
    potential_kernel: ClassVar[FieldKernel]

    @property
    def dim(self) -> int:
        """Number of coordinates: one a feature."""
        return self.features

    @abstractmethod
    def curvatures(self, predictions: Array) -> Array:
        """Return the second derivative of each sample's loss by its prediction, for (particle, sample)."""

    def sample_term(self) -> BlockTerm:
        """Return the kernel that adds the gradients of given samples, and the data."""
        return BlockTerm(self.sample_kernel, self.table)

    def sample_work_rows(self) -> int:
        """Return dim + 2: a row of data and the slope."""
        return self.dim + 2

    def potential_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the potential."""
        return (BlockTerm(self.potential_kernel, self.table),)

    def gradient_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the gradient."""
        return (BlockTerm(self.gradient_kernel, self.table),)

    def hessian(self, x: Array) -> Array:
        """Return the second derivatives at ``x`` (particle, coordinate), shape (particle, coordinate, coordinate)."""
        weights = self.curvatures(as_points(x, self.dim) @ self.inputs.T) / self.n_samples
        return np.array([(self.inputs.T * row) @ self.inputs for row in weights]).reshape(-1, self.dim, self.dim)


@dataclass(frozen=True, eq=False, repr=False)
class LeastSquares(LinearModel):
    r"""Linear regression by half the squared residual.

    .. math:: f(x) = \frac1N \sum_i \tfrac12 (a_i \cdot x - y_i)^2, \qquad H = \frac1N \sum_i a_i a_i^T

    ``torch.nn.MSELoss`` is twice that. The full gradient H (x - x*) is a matrix product, without a loop over samples.

    Parameters
    ----------
    inputs
        The rows a_i, shape (sample, feature); one feature may be given as (sample,).
    targets
        y_i, shape (sample,).

    Raises
    ------
    ValueError
        The shapes do not fit, there is no sample or no feature, or a number is not finite.
    """

    sample_kernel = SampleKernel(kernels.linear_model_sample, {"slope_of": kernels.squared_slope})
    gradient_kernel = FieldKernel(kernels.least_squares_gradient)
    potential_kernel = FieldKernel(kernels.least_squares_potential)

    @functools.cached_property
    def matrix(self) -> Array:
        """The Hessian H, in loss/x^2."""
        return self.inputs.T @ self.inputs / self.n_samples

    @functools.cached_property
    def solution(self) -> Array:
        """The minimum x*; of several, the one of smallest norm."""
        return np.asarray(np.linalg.lstsq(self.inputs, self.targets)[0], dtype=np.float64)

    @property
    def minima(self) -> Array:
        """The solution if it is the only one."""
        eigenvalues = np.linalg.eigvalsh(self.matrix)
        unique = self.n_samples >= self.dim and eigenvalues[0] > 1e-12 * eigenvalues[-1]
        return self.solution[np.newaxis] if unique else np.empty((0, self.dim))

    def potential_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the potential, a parabola around the solution."""
        least = 0.5 * np.mean((self.inputs @ self.solution - self.targets) ** 2)
        return (BlockTerm(self.potential_kernel, np.concatenate([[least], self.solution, self.matrix.ravel()])),)

    def gradient_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the gradient, a matrix product."""
        return (BlockTerm(self.gradient_kernel, np.append(self.matrix, self.matrix @ self.solution)),)

    def curvatures(self, predictions: Array) -> Array:
        """Return ones."""
        return np.ones_like(predictions)


def _bound_kernels(name: str) -> tuple[SampleKernel, FieldKernel, FieldKernel]:
    loss, slope = getattr(kernels, f"{name}_loss"), getattr(kernels, f"{name}_slope")
    return (
        SampleKernel(kernels.linear_model_sample, {"slope_of": slope}),
        FieldKernel(kernels.linear_model_gradient, {"slope_of": slope}),
        FieldKernel(kernels.linear_model_potential, {"loss_of": loss}),
    )


@dataclass(frozen=True, eq=False, repr=False)
class LogisticRegression(LinearModel):
    r"""Classification into two classes by the log odds a . x, with the mean negative log-likelihood as loss.

    .. math:: f(x) = \frac1N \sum_i \log(1 + e^{a_i \cdot x}) - y_i\, a_i \cdot x

    Data that a plane separates have no minimum: the loss falls for ever, and ``minima`` is empty. (Weight decay gives
    it one, which is not known here.)

    Parameters
    ----------
    inputs
        The rows a_i, shape (sample, feature); a column of ones makes an offset.
    labels
        y_i, shape (sample,), each 0 or 1.

    Raises
    ------
    ValueError
        The shapes do not fit, a number is not finite, or a label is neither 0 nor 1.
    """

    target_name = "labels"
    sample_kernel, gradient_kernel, potential_kernel = _bound_kernels("logistic")

    def __init__(self, inputs: Array, labels: Array) -> None:
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "targets", labels)
        self.__post_init__()
        wrong = self.targets[(self.targets != 0) & (self.targets != 1)]
        if len(wrong):
            raise ValueError(f"labels must be 0 or 1, got {wrong[0]:g}; for labels -1 and 1 use (labels + 1) / 2")

    @property
    def labels(self) -> Array:
        """The labels, the same as ``targets``."""
        return self.targets

    @functools.cached_property
    def _minimum(self) -> Array:
        """The minimum by Newton's method, shape (1, coordinate); of length 0 where it does not settle."""
        point = np.zeros((1, self.dim))
        for _ in range(NEWTON_STEPS):
            slope, hessian = self.gradient(point)[0], self.hessian(point)[0]
            decrement = np.linalg.lstsq(hessian, slope, rcond=None)[0]
            if np.abs(decrement).max() <= 1e-9 * np.abs(point).max():
                return point if np.linalg.cond(hessian) < MOST_CONDITION else point[:0]
            length = 1.0
            while length > 1e-6 and self._rises(point, length * decrement, length * float(slope @ decrement)):
                length /= 2
            point = point - length * decrement
        return point[:0]

    def _rises(self, point: Array, move: Array, promised: float) -> bool:
        before, after = self.potential(np.concatenate([point, point - move]))
        return bool(after > before - 0.25 * promised + 1e-15 * abs(before))

    @property
    def minima(self) -> Array:
        """The minimum, if the data have one."""
        return self._minimum

    def curvatures(self, predictions: Array) -> Array:
        """Return p (1 - p) with the probability p of the label 1."""
        small = np.exp(-np.abs(predictions))
        return np.asarray(small / (1 + small) ** 2)


@dataclass(frozen=True, eq=False, repr=False)
class PhaseRetrieval(LinearModel):
    r"""Recovery of x up to its sign from squared projections.

    .. math:: f(x) = \frac1N \sum_i \tfrac14 \left((a_i \cdot x)^2 - y_i\right)^2

    Even in x, not convex. (Candes, Li & Soltanolkotabi 2015, IEEE Trans. Inf. Theory 61, 1985, for real data.)

    Parameters
    ----------
    inputs
        The rows a_i, shape (sample, feature).
    targets
        y_i, the measured squares, shape (sample,); noise may make some negative.

    Raises
    ------
    ValueError
        The shapes do not fit, there is no sample or no feature, or a number is not finite.
    """

    sample_kernel, gradient_kernel, potential_kernel = _bound_kernels("phase")

    def curvatures(self, predictions: Array) -> Array:
        """Return 3 p^2 - y."""
        return 3 * predictions**2 - self.targets
