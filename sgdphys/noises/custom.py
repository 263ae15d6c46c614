"""Noise whose diffusion is the user's own function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.checks import number_array, whole_number
from sgdphys.kernels import BlockTerm, evaluate
from sgdphys.kernels.user_functions import (
    describe_failure,
    field_of,
    full_name,
    plain_function,
    slopes_of,
    source_hash,
)
from sgdphys.noises.state_dependent import FieldNoise, check_interpretation

__all__ = ["Custom"]

Array = NDArray[np.float64]
Function = Callable[..., Any]
MOST_COORDINATES = 64
_TOLERANCE = 1e-4


@dataclass(frozen=True, init=False, repr=False)
class Custom(FieldNoise):
    """Gaussian noise with a diffusion D(x) of the user's own, plain Python or numba's ``njit``.

    With the coordinates as separate arguments, ``diffusion(x, y)`` returns a number d (D = d 1) or a tuple (the
    diagonal of D). With one argument and ``dim`` above 1, ``diffusion(x)`` takes an array (coordinate,) and returns a
    number or an array (coordinate,). Functions are compiled once in each process; those that they call must be
    ``njit`` functions.

    Parameters
    ----------
    diffusion
        D in loss^2/x^2; not negative wherever particles come, else they are lost.
    divergence
        Row i of div D, the derivative of D_ii by x_i, in the same form with ``dim`` values (in one dimension a
        number); if not given, the central difference of ``diffusion``, good to about 1e-9 of its size.
    dim
        Number of coordinates; the number of arguments if not given.
    interpretation
        ``"ito"``, ``"stratonovich"`` or ``"hanggi-klimontovich"``, see :class:`sgdphys.noises.Formula`.
    check_at
        Points (particle, coordinate) at which D must not be negative and ``divergence`` is compared with finite
        differences; four standard normal ones if not given, of which those with negative D are passed over.

    Raises
    ------
    ValueError
        The arguments do not fit, numba cannot compile a function, D is negative at a point of ``check_at`` or at all
        test points, or the divergence is not that of the diffusion.
    """

    diffusion_function: Function
    divergence_function: Function | None
    dim: int
    interpretation: str
    separate: bool
    rows: int

    def __init__(
        self,
        diffusion: Function,
        divergence: Function | None = None,
        dim: int | None = None,
        interpretation: str = "ito",
        check_at: ArrayLike | None = None,
    ) -> None:
        coordinates, separate = _signature(diffusion, divergence, dim)
        drawn = np.random.default_rng(0).normal(size=(4, coordinates))
        points = drawn if check_at is None else _points(check_at, coordinates)
        check_interpretation(interpretation, "diagonal")
        for name, value in (
            ("diffusion_function", diffusion), ("divergence_function", divergence), ("dim", coordinates),
            ("interpretation", interpretation), ("separate", separate),
            ("rows", _rows_of(diffusion, points, separate)),
        ):  # fmt: skip
            object.__setattr__(self, name, value)
        self._compile()
        self._check(points, strict=check_at is not None)

    def __repr__(self) -> str:
        return f"Custom({getattr(self.diffusion_function, '__name__', 'diffusion')}, dim={self.dim})"

    def _compile(self) -> None:
        given = [(self.diffusion_function, self.diffusion_terms(self.dim)[0])]
        given.append((self.divergence_function or self.diffusion_function, self.divergence_terms(self.dim)[0]))
        for function, term in given:
            try:
                _ = term.kernel.address
            except Exception as error:
                raise ValueError(f"numba cannot compile {full_name(function)}: {describe_failure(error)}") from None

    def _check(self, points: Array, *, strict: bool) -> None:
        values = evaluate(self.diffusion_terms(self.dim), points, self.rows)
        good = np.all(values >= 0, axis=1) & np.all(np.isfinite(values), axis=1)
        if not (np.all(good) if strict else np.any(good)):
            bad = np.flatnonzero(~good)[0]
            raise ValueError(
                f"the diffusion must be finite and not negative, it is {values[bad].round(6).tolist()} at "
                f"{points[bad].round(4).tolist()}; correct it, or give check_at= points where particles come"
            )
        if self.divergence_function is not None:
            self._check_divergence(points[good])

    def _check_divergence(self, points: Array) -> None:
        values = evaluate(self.divergence_terms(self.dim), points, self.dim)
        slopes = slopes_of(self.diffusion_function, self.dim, self.rows, self.separate)
        difference = evaluate([BlockTerm(slopes)], points, self.dim)
        wrong = ~(np.abs(values - difference) <= _TOLERANCE * (1 + np.abs(difference)))
        if np.any(wrong):
            particle, i = np.argwhere(wrong)[0]
            raise ValueError(
                f"divergence[{i}] is {values[particle, i]:.6g} at {points[particle].round(4).tolist()}, but the finite "
                f"difference of the diffusion is {difference[particle, i]:.6g}; correct one, or leave divergence out"
            )

    @property
    def kind(self) -> str:
        """``"scalar"`` or ``"diagonal"``."""
        return "scalar" if self.rows == 1 else "diagonal"

    @property
    def separable(self) -> bool:  # type: ignore[override]
        """Whether D_ii is known to depend on x_i alone: in one dimension."""
        return self.dim == 1

    def diffusion_terms(self, dim: int) -> tuple[BlockTerm, ...]:
        """Return the block term of D in 1 or dim rows; raise ValueError where ``dim`` does not fit."""
        self._check_dim(dim)
        return (BlockTerm(field_of(self.diffusion_function, dim, self.rows, self.separate)),)

    def divergence_terms(self, dim: int) -> tuple[BlockTerm, ...]:
        """Return the block term of div D: row i is the derivative of D_ii by x_i."""
        self._check_dim(dim)
        if self.divergence_function is None:
            return (BlockTerm(slopes_of(self.diffusion_function, dim, self.rows, self.separate)),)
        return (BlockTerm(field_of(self.divergence_function, dim, dim, self.separate)),)

    def _check_dim(self, dim: int) -> None:
        if dim != self.dim:
            raise ValueError(f"noise Custom has {self.dim} coordinates, the landscape has {dim}: they must be equal")

    def configuration(self) -> dict[str, Any]:
        """Return name, qualified names of the functions, interpretation and a hash of the source."""
        functions = [f for f in (self.diffusion_function, self.divergence_function) if f is not None]
        return {
            "noise": "Custom",
            "functions": [full_name(function) for function in functions],
            "dim": self.dim,
            "interpretation": self.interpretation,
            "source_hash": source_hash(*functions),
        }


def _signature(diffusion: Function, divergence: Function | None, dim: int | None) -> tuple[int, bool]:
    """Return the number of coordinates and whether they are separate arguments."""
    functions = [diffusion] if divergence is None else [diffusion, divergence]
    for function in functions:
        if not callable(function):
            raise ValueError(f"diffusion and divergence must be functions, got {type(function).__name__}")
    counts = [len(inspect.signature(plain_function(function)).parameters) for function in functions]
    if len(set(counts)) > 1 or not counts[0]:
        raise ValueError(f"diffusion and divergence must take the same arguments, got {counts} of them")
    coordinates = counts[0] if dim is None else whole_number("dim", dim)
    if counts[0] not in {1, coordinates}:
        raise ValueError(f"dim={dim} does not fit a diffusion of {counts[0]} arguments")
    if coordinates > MOST_COORDINATES:
        raise ValueError(f"a Custom noise has at most {MOST_COORDINATES} coordinates, got {coordinates}")
    return coordinates, counts[0] == coordinates


def _points(check_at: ArrayLike, dim: int) -> Array:
    points = number_array("check_at", check_at)
    if points.ndim != 2 or points.shape[1] != dim or not len(points) or not np.all(np.isfinite(points)):
        raise ValueError(f"check_at must be finite points of the shape (particle, {dim}), got shape {points.shape}")
    return points


def _rows_of(diffusion: Function, points: Array, separate: bool) -> int:
    """Return 1 for a scalar D and dim for a diagonal one, from the value at a point."""
    try:
        with np.errstate(all="ignore"):
            value = diffusion(*points[0]) if separate else diffusion(points[0].copy())
    except Exception as error:
        raise ValueError(f"the diffusion {full_name(diffusion)} fails at {points[0].tolist()}: {error}") from None
    shape, dim = np.shape(value), points.shape[1]
    if shape not in {(), (dim,)}:
        raise ValueError(
            f"the diffusion must return a number or {dim} of them (the diagonal), got shape {shape}; "
            "a tensor D is given by noises.Formula or noises.Full"
        )
    return 1 if shape == () else dim
