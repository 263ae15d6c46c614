"""Noise whose diffusion is given by numbers on a grid: computed elsewhere, or measured."""

from __future__ import annotations

import functools
import hashlib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.checks import finite_number, number_array
from sgdphys.kernels import BlockTerm, FieldKernel, multilinear
from sgdphys.kernels.knots import axis_numbers, check_finite_table, checked_axes, knot_text
from sgdphys.noises.state_dependent import FieldNoise, check_interpretation

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Tabulated"]

Array = NDArray[np.float64]
Axes = tuple[Array, ...]
_KERNELS = {
    (field, dim): FieldKernel(getattr(multilinear, f"multilinear_{field}_{dim}"))
    for field in ("values", "divergence")
    for dim in (1, 2, 3)
}
_ADVICE = "fill the gaps, give a smaller table, or use Tabulated.from_diffusion for measured data"
_ROUNDING = 1e-10  # of the largest eigenvalue, what the smallest may be below zero


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Tabulated(FieldNoise):
    r"""Gaussian noise of one to three coordinates with D(x) given at equally spaced knots.

    Between the knots D is multilinear, which keeps it positive semi-definite; beyond them it is constant. The error is
    of the second power of the spacing. The divergence of D, which joins the drift in readings other than Ito's, is
    that of the interpolant: constant along its own axis within a cell, with jumps between cells, of first order.

    Parameters
    ----------
    axes
        For each coordinate a 1-D array of at least 2 rising, equally spaced knots; in one dimension the array alone.
    diffusion
        D in loss^2/x^2: shape (knots of each axis) for D = d 1, with the coordinate as a last axis for a diagonal D,
        with (coordinate, coordinate_2) for any.
    interpretation
        ``"ito"``, ``"stratonovich"`` (scalar and diagonal D only) or ``"hanggi-klimontovich"``, see
        :class:`sgdphys.noises.Formula`.

    Raises
    ------
    ValueError
        An axis is not equally spaced, the shape does not fit, or D is not finite, symmetric and positive semi-definite
        at a knot; the message says where.

    Examples
    --------
    >>> import numpy as np
    >>> Tabulated([0.0, 1.0], [1.0, 3.0]).diffusion(np.array([[0.5], [9.0]])).ravel().tolist()
    [2.0, 3.0]
    """

    axes: Axes
    table: Array
    interpretation: str

    def __init__(self, axes: Any, diffusion: ArrayLike, interpretation: str = "ito") -> None:
        knots = checked_axes(axes, 2)
        table = _checked(diffusion, knots)
        object.__setattr__(self, "axes", knots)
        object.__setattr__(self, "table", table)
        check_interpretation(interpretation, self.kind)
        object.__setattr__(self, "interpretation", interpretation)

    def __repr__(self) -> str:
        ranges = ", ".join(f"{axis[0]:g} ... {axis[-1]:g} by {len(axis)}" for axis in self.axes)
        reading = "" if self.interpretation == "ito" else f", interpretation={self.interpretation!r}"
        return f"Tabulated({ranges}, {self.kind}{reading})"

    @classmethod
    def from_diffusion(cls, dataset: xr.Dataset, *, temperature: float, interpretation: str = "ito") -> Self:
        """Return the noise of a measured diffusion T D.

        Cells that were not visited (NaN) get the diffusion of the nearest visited one, and so do cells whose estimate
        has an eigenvalue that is not positive, as few visits or a nearly singular D may give.

        Parameters
        ----------
        dataset
            With ``diffusion(x, ..., coordinate, coordinate_2)`` at equally spaced cell centres: half the covariance of
            the displacement per time, T D.
        temperature
            T, by which it is divided; simulate with the same.
        interpretation
            How the noise is read. Measured drift and diffusion are those of Ito's equation.

        Returns
        -------
        Tabulated
            The noise, with the cell centres as knots.

        Raises
        ------
        ValueError
            There is no such diffusion, no cell was visited, or its axes are no table.

        Warns
        -----
        UserWarning
            Some estimates are not positive; in how many cells.
        """
        if "diffusion" not in dataset or tuple(dataset["diffusion"].dims[-2:]) != ("coordinate", "coordinate_2"):
            raise ValueError("measured diffusion is a Dataset with diffusion(x, ..., coordinate, coordinate_2)")
        measured = dataset["diffusion"]
        values = measured.values / finite_number("temperature", temperature, sign="positive")
        axes = [measured[name].values for name in measured.dims[:-2]]
        return cls(axes, _filled(_positive(values), axes), interpretation)

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.axes)

    @property
    def kind(self) -> str:
        """``"scalar"``, ``"diagonal"`` or ``"full"``."""
        return ("scalar", "diagonal", "full")[self.table.ndim - self.dim]

    @functools.cached_property
    def separable(self) -> bool:  # type: ignore[override]
        """Whether each D_ii depends on x_i alone, at all knots."""
        if self.dim == 1 or self.kind != "diagonal":
            return self.dim == 1
        others = [tuple(j for j in range(self.dim) if j != i) for i in range(self.dim)]
        return all(np.all(np.ptp(self.table[..., i], axis=axes) == 0) for i, axes in enumerate(others))

    def diffusion_terms(self, dim: int) -> tuple[BlockTerm, ...]:
        """Return the block term of D in 1, dim or dim^2 rows; raise ValueError where ``dim`` does not fit."""
        self._check_dim(dim)
        return (BlockTerm(_KERNELS["values", dim], self._parameters),)

    def divergence_terms(self, dim: int) -> tuple[BlockTerm, ...]:
        """Return the block term of div D of the interpolant (row i: the sum of d_j D_ij over j)."""
        self._check_dim(dim)
        return (BlockTerm(_KERNELS["divergence", dim], self._parameters),)

    @functools.cached_property
    def _parameters(self) -> Array:
        rows = self.table.reshape(*map(len, self.axes), -1)
        return np.concatenate([[rows.shape[-1]], axis_numbers(self.axes), np.moveaxis(rows, -1, 0).ravel()])

    def _check_dim(self, dim: int) -> None:
        if dim != self.dim:
            raise ValueError(f"noise Tabulated has {self.dim} coordinates, the landscape has {dim}: they must be equal")

    def configuration(self) -> dict[str, Any]:
        """Return name, axes, interpretation and a hash of the table."""
        return {
            "noise": "Tabulated",
            "axes": [[float(axis[0]), float(axis[-1]), len(axis)] for axis in self.axes],
            "kind": self.kind,
            "interpretation": self.interpretation,
            "data_hash": hashlib.blake2b(self.table.astype("<f8").tobytes(), digest_size=8).hexdigest(),
        }


def _checked(diffusion: ArrayLike, axes: Axes) -> Array:
    """Return the table of D in the shape of its kind."""
    table = number_array("diffusion", diffusion)
    shape, dim = tuple(map(len, axes)), len(axes)
    if table.shape not in {shape, (*shape, dim), (*shape, dim, dim)}:
        raise ValueError(
            f"diffusion must have the shape {shape}, {(*shape, dim)} or {(*shape, dim, dim)}, got {table.shape}"
        )
    check_finite_table("diffusion", table, axes, _ADVICE)
    if dim == 1:
        table = table.reshape(shape)
    _check_positive(table, axes)
    table.flags.writeable = False
    return table


def _check_positive(table: Array, axes: Axes) -> None:
    """Refuse a D that is not symmetric or not positive semi-definite at a knot."""
    dim = len(axes)
    if table.ndim < dim + 2:
        smallest = table if table.ndim == dim else table.min(axis=-1)
    else:
        skew = np.abs(table - np.swapaxes(table, -1, -2)).max(axis=(-1, -2))
        worst = np.unravel_index(np.argmax(skew), skew.shape)
        if skew[worst] > _ROUNDING * np.abs(table).max():
            raise ValueError(
                f"diffusion must be symmetric, at the knot {knot_text(axes, worst)} D - D^T is {skew[worst]:.6g}; use "
                "(D + D.swapaxes(-1, -2)) / 2"
            )
        smallest = np.linalg.eigvalsh(table)[..., 0]
    worst = np.unravel_index(np.argmin(smallest), smallest.shape)
    if smallest[worst] < -_ROUNDING * np.abs(table).max():
        raise ValueError(
            f"diffusion must not be negative, at the knot {knot_text(axes, worst)} it has the eigenvalue "
            f"{smallest[worst]:.6g}; correct it there"
        )


def _filled(values: Array, axes: list[Array]) -> Array:
    """Return the matrices with those of unvisited cells replaced by the nearest visited one's."""
    from scipy.ndimage import distance_transform_edt

    visited = np.isfinite(values).all(axis=(-1, -2))
    if not np.any(visited):
        raise ValueError("no cell of the measured diffusion holds a positive one: make cells larger, or the run longer")
    if np.all(visited):
        return values
    spacings = [axis[1] - axis[0] if len(axis) > 1 else 1.0 for axis in axes]
    nearest = distance_transform_edt(~visited, sampling=spacings, return_distances=False, return_indices=True)
    return np.asarray(values[tuple(nearest)])


def _positive(values: Array) -> Array:
    """Return symmetric matrices, NaN where an eigenvalue is not positive; warns where there are any."""
    symmetric = (values + np.swapaxes(values, -1, -2)) / 2
    known = np.isfinite(symmetric).all(axis=(-1, -2))
    eigenvalues = np.linalg.eigvalsh(symmetric[known])
    wrong = eigenvalues[:, 0] <= _ROUNDING * np.abs(eigenvalues).max(initial=0.0)
    if not np.any(wrong):
        return np.asarray(symmetric)
    warnings.warn(
        f"the measured diffusion has negative eigenvalues in {np.count_nonzero(wrong)} of {wrong.size} visited cells "
        f"(the least is {eigenvalues.min():.3g}), which take that of the nearest other cell: more visits or larger "
        "cells would help",
        stacklevel=3,
    )
    symmetric[tuple(index[wrong] for index in np.nonzero(known))] = np.nan
    return np.asarray(symmetric)
