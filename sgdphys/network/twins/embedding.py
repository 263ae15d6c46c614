"""Landscapes of reduced coordinates that know where in parameter space these lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sgdphys import schema
from sgdphys.landscapes import LeastSquares, Tabulated
from sgdphys.landscapes.base import finite_array

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]
    Variables = dict[str, tuple[tuple[str, ...], Array]]

__all__ = ["EmbeddedLeastSquares", "EmbeddedTable"]


class EmbeddedTable(Tabulated):
    """A table of a network's loss; parameters are ``origin + basis @ x``.

    Parameters
    ----------
    axes
        Knots of each coordinate, as of :class:`sgdphys.landscapes.Tabulated`.
    potential
        f at the knots, in loss.
    origin
        Point of parameter space that x counts from, (parameter,).
    basis
        Orthonormal directions, (parameter, coordinate).
    """

    origin: Array
    basis: Array

    def __init__(self, axes: Any, potential: ArrayLike, origin: Array, basis: Array) -> None:
        super().__init__(axes, potential)
        object.__setattr__(self, "basis", finite_array("basis", basis, (None, self.dim)))
        object.__setattr__(self, "origin", finite_array("origin", origin, (len(basis),)))

    def variables(self) -> Variables:
        """Return the table, origin and basis by schema name."""
        return super().variables() | _embedding(self.origin, self.basis)


class EmbeddedLeastSquares(LeastSquares):
    """Least squares in some parameters of a network; parameters are ``fixed_parameters + basis @ x``.

    Weight decay is no part of it, as of all finite sums. It has no attribute ``origin``, by which ``simulate`` knows
    twins that hold the weight decay; the clouds have the variable all the same.

    Parameters
    ----------
    inputs
        Rows a_i, (sample, feature).
    targets
        y_i, (sample,).
    fixed_parameters
        The parameters that stay as they are, and 0 where those of x have their place, (parameter,).
    basis
        Orthonormal directions, (parameter, coordinate).
    """

    fixed_parameters: Array
    basis: Array

    def __init__(self, inputs: Array, targets: Array, fixed_parameters: Array, basis: Array) -> None:
        super().__init__(inputs, targets)
        object.__setattr__(self, "basis", finite_array("basis", basis, (None, self.dim)))
        object.__setattr__(self, "fixed_parameters", finite_array("parameters", fixed_parameters, (len(basis),)))

    def variables(self) -> Variables:
        """Return inputs, targets, origin and basis by schema name."""
        return super().variables() | _embedding(self.fixed_parameters, self.basis)

    def configuration(self) -> dict[str, Any]:
        """Return what makes the least squares; origin and basis are left to :meth:`variables`."""
        return super().configuration() | {"landscape": "LeastSquares"}


def _embedding(origin: Array, basis: Array) -> Variables:
    return {"origin": ((schema.PARAMETER,), origin), "basis": ((schema.PARAMETER, schema.COORDINATE), basis)}
