"""What finite sums share: losses f(x) = (1/N) sum_i f_i(x) over the samples of a data set, with C(x) exactly."""

from __future__ import annotations

import functools
import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.checks import number_array
from sgdphys.kernels import BlockTerm
from sgdphys.landscapes.base import BlockLandscape, as_points, finite_array

__all__ = ["FiniteSumLandscape", "SupervisedLandscape"]

Array = NDArray[np.float64]
_SAMPLES_AT_ONCE = 4096


class FiniteSumLandscape(BlockLandscape):
    r"""A loss that is a mean over samples; it drives real minibatch SGD, and knows its own gradient noise.

    .. math::
        f(x) = \frac1N \sum_i f_i(x), \qquad C(x) = \frac1N \sum_i (g_i - g)(g_i - g)^T, \quad g_i = \nabla f_i(x)

    Weight decay is no part of it: ``SGD(weight_decay=...)`` adds (wd/2)\|x\|^2, the same for all samples, which leaves
    C unchanged.
    """

    @property
    @abstractmethod
    def n_samples(self) -> int:
        """Number of samples N."""

    @abstractmethod
    def sample_term(self) -> BlockTerm:
        """Return the kernel that adds the gradients of given samples, and its parameters."""

    @abstractmethod
    def sample_work_rows(self) -> int:
        """Return the rows of scratch that this kernel needs."""

    def sample_gradients(self, x: Array) -> Array:
        """Return the gradient of each f_i at ``x`` (particle, coordinate), shape (particle, sample, coordinate)."""
        points = as_points(x, self.dim)
        values = np.empty((len(points), self.n_samples, self.dim))
        for point, rows in zip(points, values, strict=True):
            for samples, gradients in self._gradients_at(point):
                rows[samples] = gradients
        return values

    def gradient_covariance(self, x: Array) -> Array:
        """Return C, population and centred, at ``x`` (particle, coordinate): (particle, coordinate, coordinate)."""
        points = as_points(x, self.dim)
        covariance = np.zeros((len(points), self.dim, self.dim))
        for point, mean, matrix in zip(points, self.gradient(points), covariance, strict=True):
            for _, gradients in self._gradients_at(point):
                matrix += (gradients - mean).T @ (gradients - mean)
        return covariance / self.n_samples

    def _gradients_at(self, point: Array) -> Iterator[tuple[slice, Array]]:
        """Yield runs of samples and their gradients (sample, coordinate) at one point, by the engine's kernel."""
        term = self.sample_term()
        parameters = np.require(term.parameters, np.float64, ("C", "W"))
        for first in range(0, self.n_samples, _SAMPLES_AT_ONCE):
            samples = np.arange(first, min(first + _SAMPLES_AT_ONCE, self.n_samples))
            lanes = np.repeat(point[:, np.newaxis], len(samples), axis=1)
            work, out = np.empty((self.sample_work_rows(), len(samples))), np.zeros(lanes.shape)
            term.kernel.compiled(lanes, parameters, samples, np.full(len(samples), term.factor), work, out)
            yield slice(first, first + len(samples)), out.T


@dataclass(frozen=True, eq=False)
class SupervisedLandscape(FiniteSumLandscape):
    """A finite sum whose samples are rows of inputs with a target each.

    Parameters
    ----------
    inputs
        Shape (sample, feature); one feature may be given as (sample,).
    targets
        Shape (sample,).

    Raises
    ------
    ValueError
        The shapes do not fit, there is no sample or no feature, or a number is not finite.
    """

    inputs: Array
    targets: Array
    target_name: ClassVar[str] = "targets"

    def __post_init__(self) -> None:
        inputs, targets = checked_samples(self.inputs, self.targets, self.target_name)
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "targets", targets)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n_samples={self.n_samples}, dim={self.dim})"

    @property
    def n_samples(self) -> int:
        """Number of samples N."""
        return len(self.inputs)

    @property
    def features(self) -> int:
        """Number of inputs of a sample."""
        return int(self.inputs.shape[1])

    @functools.cached_property
    def table(self) -> Array:
        """The data as kernels take them: flat, one row of inputs and target a sample."""
        return np.column_stack([self.inputs, self.targets]).ravel()

    def variables(self) -> dict[str, tuple[tuple[str, ...], Array]]:
        """Return inputs and targets by schema name."""
        return {
            "sample_inputs": (("sample", "feature"), self.inputs),
            "sample_targets": (("sample",), self.targets),
        }

    def configuration(self) -> dict[str, Any]:
        """Return the class name and a hash of the data; the data themselves are left to :meth:`variables`."""
        return {"landscape": type(self).__name__, "data_hash": data_hash(self.inputs, self.targets)}

    @classmethod
    def from_variables(cls, variables: Mapping[str, Array], data_hash: str, **arguments: Any) -> Self:
        """Return the landscape of the stored data; raise ValueError when they are missing or of another hash."""
        return cls(*stored_samples(variables, data_hash), **arguments)


def data_hash(inputs: Array, targets: Array) -> str:
    """Return a short hash of the data, by which a store tells data sets apart."""
    digest = hashlib.blake2b(digest_size=8)
    for array in (inputs, targets):
        digest.update(repr(array.shape).encode() + np.ascontiguousarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()


def stored_samples(variables: Mapping[str, Array], expected_hash: str) -> tuple[Array, Array]:
    """Return the inputs and targets of a store; raise ValueError when they are missing or have another hash."""
    missing = [name for name in ("sample_inputs", "sample_targets") if name not in variables]
    if missing:
        raise ValueError(f"the data of a finite sum are missing: no {' and no '.join(missing)}; make it anew")
    inputs, targets = (np.asarray(variables[name]) for name in ("sample_inputs", "sample_targets"))
    if data_hash(inputs, targets) != expected_hash:
        raise ValueError(
            f"sample_inputs and sample_targets are not the data of this landscape (hash {expected_hash}): a store "
            "holds one data set, so of a sum of two finite sums the second must be made anew"
        )
    return inputs, targets


def checked_samples(inputs: ArrayLike, targets: ArrayLike, target_name: str = "targets") -> tuple[Array, Array]:
    """Return read-only copies of inputs (sample, feature) and targets (sample,).

    Parameters
    ----------
    inputs
        Shape (sample, feature) or (sample,).
    targets
        Shape (sample,).
    target_name
        What messages call the targets.

    Returns
    -------
    tuple[Array, Array]
        The copies.

    Raises
    ------
    ValueError
        The shapes do not fit, there is no sample or no feature, or a number is not finite.
    """
    rows = number_array("inputs", inputs)
    if rows.ndim == 1:
        rows = rows[:, np.newaxis]
    rows = finite_array("inputs", rows, (None, None))
    if not rows.size:
        raise ValueError(f"inputs must hold at least one sample of one feature, got the shape {rows.shape}")
    values = finite_array(target_name, targets, (None,))
    if len(values) != len(rows):
        raise ValueError(f"{target_name} must be one a sample, got {len(values)} for {len(rows)} rows of inputs")
    return rows, values
