"""Finite sums of the user's own per-sample loss and gradient."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.checks import number_array, whole_number
from sgdphys.kernels import BlockTerm, FieldKernel, SampleKernel
from sgdphys.kernels.compile import load_module
from sgdphys.kernels.user_functions import (
    describe_failure,
    full_name,
    plain_function,
    refuse_wrong_index,
    source_hash,
)
from sgdphys.landscapes.base import as_points, finite_array
from sgdphys.landscapes.finite_sums import FiniteSumLandscape, data_hash

__all__ = ["FiniteSum"]

Array = NDArray[np.float64]
Function = Callable[..., Any]
_STEP = 6e-6  # cube root of the rounding unit, the best step of a central difference
_CHECKED_SAMPLES = 5


@dataclass(frozen=True, eq=False, init=False)
class FiniteSum(FiniteSumLandscape):
    r"""The mean over samples of a loss that the user writes for one sample; it drives real minibatch SGD like ours.

    .. math:: f(x) = \frac1N \sum_i \ell(x, \mathrm{row}_i)

    The functions are plain Python or numba's ``njit``, and are compiled once in each process; functions that they call
    must be ``njit`` functions. Compiled code checks no index; only at the first sample are the functions also run as
    Python, which does. The Hessian is the central difference of the gradient, good to about 1e-9 of its size.

    Parameters
    ----------
    sample_loss
        ``sample_loss(x, row)`` returns the loss of a sample at x (coordinate,), a number.
    sample_gradient
        ``sample_gradient(x, row, out)`` writes its derivative by x to ``out`` (coordinate,), which is zero before.
    data
        The rows, shape (sample, column); one column may be given as (sample,).
    dim
        Number of coordinates.
    check_at
        Points, shape (particle, coordinate), at which gradients of some samples are compared with finite differences
        of their losses; four standard normal ones if not given.

    Raises
    ------
    ValueError
        A function has other arguments, numba cannot compile it, a number of the data is not finite, or the gradient is
        not that of the loss.
    """

    sample_loss: Function
    sample_gradient: Function
    data: Array
    coordinates: int

    def __init__(
        self,
        sample_loss: Function,
        sample_gradient: Function,
        data: ArrayLike,
        dim: int,
        check_at: ArrayLike | None = None,
    ) -> None:
        for name, function, count in (("sample_loss", sample_loss, 2), ("sample_gradient", sample_gradient, 3)):
            _check_arguments(name, function, count)
        rows = number_array("data", data)
        rows = finite_array("data", rows[:, np.newaxis] if rows.ndim == 1 else rows, (None, None))
        if not rows.size:
            raise ValueError(f"data must hold at least one sample of one column, got the shape {rows.shape}")
        object.__setattr__(self, "sample_loss", sample_loss)
        object.__setattr__(self, "sample_gradient", sample_gradient)
        object.__setattr__(self, "data", rows)
        object.__setattr__(self, "coordinates", whole_number("dim", dim))
        self._compile()
        drawn = np.random.default_rng(0).normal(size=(4, self.dim))
        self._check_gradients(drawn if check_at is None else finite_array("check_at", check_at, (None, self.dim)))

    def __repr__(self) -> str:
        name = getattr(self.sample_loss, "__name__", type(self.sample_loss).__name__)
        return f"FiniteSum({name}, n_samples={self.n_samples}, dim={self.dim})"

    def _compile(self) -> None:
        point, row = np.ones(self.dim), np.array(self.data[0])
        refuse_wrong_index(self.sample_loss, point, row)
        refuse_wrong_index(self.sample_gradient, point, row, np.zeros(self.dim))
        terms = (*self.potential_terms(), *self.gradient_terms(), self.sample_term())
        for function, term in zip((self.sample_loss, self.sample_gradient, self.sample_gradient), terms, strict=True):
            try:
                _ = term.kernel.compiled
            except Exception as error:
                raise ValueError(f"numba cannot compile {full_name(function)}: {describe_failure(error)}") from None

    def _check_gradients(self, points: Array) -> None:
        """Compare gradients of some samples, the first and the last among them, with differences of their losses."""
        defined = False
        for sample in np.unique(np.linspace(0, self.n_samples - 1, _CHECKED_SAMPLES).astype(int)):
            with np.errstate(all="ignore"):
                alone = _Sample(self, self.data[sample : sample + 1])
                values, difference = alone.gradient(points), _central_difference(alone.potential, points)
                tolerance = 1e-4 * (1 + np.abs(difference)) + 1e-9 * np.abs(alone.potential(points))[:, np.newaxis]
                wrong = ~(np.abs(values - difference) <= tolerance)
            finite = np.all(np.isfinite(values) & np.isfinite(difference), axis=1)
            defined = defined or bool(np.any(finite))
            if np.any(wrong[finite]):
                particle, i = np.argwhere(wrong & finite[:, np.newaxis])[0]
                raise ValueError(
                    f"sample_gradient[{i}] of sample {sample} is {values[particle, i]:.6g} at "
                    f"{points[particle].round(4).tolist()}, but the finite difference of sample_loss is "
                    f"{difference[particle, i]:.6g}; correct one of the two functions"
                )
        if not defined:
            raise ValueError("the functions are finite at no test point; give check_at= points where they are")

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.coordinates

    @property
    def n_samples(self) -> int:
        """Number of samples N."""
        return len(self.data)

    @property
    def _parameters(self) -> Array:
        return np.append(self.data.shape[1], self.data)

    def sample_term(self) -> BlockTerm:
        """Return the kernel that adds the gradients of given samples, and the data."""
        return BlockTerm(_sample_kernel(self.sample_gradient), self._parameters)

    def sample_work_rows(self) -> int:
        """Return 0."""
        return 0

    def potential_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the potential."""
        return (BlockTerm(_potential_kernel(self.sample_loss), self._parameters),)

    def gradient_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the gradient."""
        return (BlockTerm(_gradient_kernel(self.sample_gradient), self._parameters),)

    def hessian(self, x: Array) -> Array:
        """Return the symmetrised central difference of the gradient, shape (particle, coordinate, coordinate)."""
        matrix = _central_difference(self.gradient, as_points(x, self.dim))
        return 0.5 * (matrix + matrix.transpose(0, 2, 1))

    def variables(self) -> dict[str, tuple[tuple[str, ...], Array]]:
        """Return the data by schema name."""
        return {"sample_inputs": (("sample", "feature"), self.data)}

    def configuration(self) -> dict[str, Any]:
        """Return the class name, the qualified names of the functions, and hashes of their source and of the data."""
        functions = (self.sample_loss, self.sample_gradient)
        names = {"sample_loss": full_name(functions[0]), "sample_gradient": full_name(functions[1])}
        hashes = {"source_hash": source_hash(*functions), "data_hash": data_hash(self.data, np.zeros(0))}
        return {"landscape": "FiniteSum", **names, "dim": self.dim, **hashes}


class _Sample(FiniteSum):
    """One sample of a finite sum alone, unchecked."""

    def __init__(self, whole: FiniteSum, row: Array) -> None:
        for name in ("sample_loss", "sample_gradient", "coordinates"):
            object.__setattr__(self, name, getattr(whole, name))
        object.__setattr__(self, "data", row)


def _check_arguments(name: str, function: Function, count: int) -> None:
    if not callable(function):
        raise ValueError(f"{name} must be a function, got {type(function).__name__}")
    found = len(inspect.signature(plain_function(function)).parameters)
    if found != count:
        wanted = "(x, row)" if count == 2 else "(x, row, out)"
        raise ValueError(f"{name} must take {count} arguments, {name}{wanted}, got a function of {found}")


def _central_difference(field: Callable[[Array], Array], points: Array) -> Array:
    """Return the derivative of ``field`` (particle, ...) by each coordinate, as the last axis."""
    columns = []
    for coordinate in range(points.shape[1]):
        step = np.zeros_like(points)
        step[:, coordinate] = _STEP * (1 + np.abs(points[:, coordinate]))
        difference = field(points + step) - field(points - step)
        columns.append((difference.T / (2 * step[:, coordinate])).T)
    return np.stack(columns, axis=-1)


@functools.lru_cache(maxsize=512)
def _potential_kernel(function: Function) -> FieldKernel:
    body = """
    def field(x, parameters, factor, out):
        columns = int(parameters[0])
        samples = (len(parameters) - 1) // columns
        point = np.empty(x.shape[0])
        for lane in range(x.shape[1]):
            for row in range(x.shape[0]):
                point[row] = x[row, lane]
            for sample in range(samples):
                start = 1 + sample * columns
                out[0, lane] += factor / samples * function(point, parameters[start:start + columns])
"""
    return FieldKernel.in_process(_bind(body, "field", function))


@functools.lru_cache(maxsize=512)
def _gradient_kernel(function: Function) -> FieldKernel:
    body = """
    def field(x, parameters, factor, out):
        columns = int(parameters[0])
        samples = (len(parameters) - 1) // columns
        point, gradient = np.empty(x.shape[0]), np.empty(x.shape[0])
        for lane in range(x.shape[1]):
            for row in range(x.shape[0]):
                point[row] = x[row, lane]
            for sample in range(samples):
                start = 1 + sample * columns
                gradient[:] = 0.0
                function(point, parameters[start:start + columns], gradient)
                for row in range(x.shape[0]):
                    out[row, lane] += factor / samples * gradient[row]
"""
    return FieldKernel.in_process(_bind(body, "field", function))


@functools.lru_cache(maxsize=512)
def _sample_kernel(function: Function) -> SampleKernel:
    body = """
    def add(x, parameters, indices, weights, work, out):
        columns = int(parameters[0])
        point, gradient = np.empty(x.shape[0]), np.empty(x.shape[0])
        for lane in range(x.shape[1]):
            for row in range(x.shape[0]):
                point[row] = x[row, lane]
            start = 1 + indices[lane] * columns
            gradient[:] = 0.0
            function(point, parameters[start:start + columns], gradient)
            for row in range(x.shape[0]):
                out[row, lane] += weights[lane] * gradient[row]
"""
    return SampleKernel.in_process(_bind(body, "add", function))


def _bind(body: str, name: str, function: Function) -> Any:
    """Return the kernel of a module whose ``bind`` closes it over a user's function."""
    text = (
        "def bind(function):\n"
        "    function = function if hasattr(function, 'py_func') else njit(error_model='numpy')(function)\n"
        f"{body}\n    return {name}\n"
    )
    return load_module(text, lambda: text).bind(function)
