"""Landscapes given by numbers on a grid: computed elsewhere, or measured."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.checks import number_array
from sgdphys.kernels import BlockTerm, evaluate
from sgdphys.kernels.knots import check_finite_table, checked_axes
from sgdphys.landscapes.base import BlockLandscape, as_points
from sgdphys.landscapes.finite_sums import data_hash
from sgdphys.landscapes.spline_tables import LEAST_KNOTS, SplineTable

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Tabulated"]

Array = NDArray[np.float64]
Axes = tuple[Array, ...]
_ADVICE = "fill the gaps, give a smaller table, or use Tabulated.from_drift for measured data"


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Tabulated(BlockLandscape):
    r"""A landscape of one to three coordinates given by its potential at equally spaced knots.

    Between the knots f is a tensor product of cubic splines: twice continuously differentiable, with an error of the
    fourth power of the spacing. Beyond the outermost knots it continues linearly along each axis with the slope of
    the edge; beyond a corner both rises add up, so that a well that rises towards all edges still holds its particles.
    f is continuous everywhere, its gradient too but for the lines that go on from the edges beyond a corner.

    With a circulating part c the drift is :math:`-\nabla f + c`, as of :class:`sgdphys.landscapes.Field`. The
    components of c are cubic splines too, and constant beyond the knots.

    Parameters
    ----------
    axes
        For each coordinate a 1-D array of at least 4 rising, equally spaced knots; in one dimension the array alone.
    potential
        f in loss, shape (knots of each axis).
    circulation
        c in loss/x, shape (knots of each axis, coordinate); none if not given.
    names
        Names of the coordinates; x, y, z if not given.

    Raises
    ------
    ValueError
        An axis is not equally spaced, a shape does not fit, or a value is not finite; the message says where.

    Examples
    --------
    >>> import numpy as np
    >>> knots = np.linspace(-2, 2, 41)
    >>> well = Tabulated(knots, knots**4 / 4 - knots**2 / 2)
    >>> well.gradient([[0.4], [5.0]]).round(2).tolist()
    [[-0.34], [6.0]]
    """

    axes: Axes
    knot_potential: Array
    knot_circulation: Array | None
    names: tuple[str, ...] | None

    def __init__(
        self,
        axes: Any,
        potential: ArrayLike,
        *,
        circulation: ArrayLike | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        knots = checked_axes(axes, LEAST_KNOTS)
        if names is not None and (len(names) != len(knots) or len(set(names)) != len(knots)):
            raise ValueError(f"names must be {len(knots)} different ones, got {list(names)}")
        object.__setattr__(self, "axes", knots)
        object.__setattr__(self, "knot_potential", _checked("potential", potential, knots))
        given = None if circulation is None else _checked("circulation", circulation, knots, (len(knots),))
        object.__setattr__(self, "knot_circulation", given)
        object.__setattr__(self, "names", None if names is None else tuple(names))

    def __repr__(self) -> str:
        ranges = ", ".join(f"{axis[0]:g} ... {axis[-1]:g} by {len(axis)}" for axis in self.axes)
        return f"Tabulated({ranges}{'' if self.knot_circulation is None else ', circulating'})"

    @classmethod
    def from_drift(cls, dataset: xr.Dataset) -> Self:
        """Return a landscape of measured drift, the least-squares fit of :func:`sgdphys.landscapes.drift_fits.fit`.

        The potential is the one whose negative gradient comes closest to the drift, cell by cell weighted with the
        inverse square of its standard error (with the visits where there are none, else evenly). What is left of the
        drift becomes the circulating part, in more than one dimension. As the variance of a measured drift goes with
        the inverse number of visits, the fit is weighted with the measured density p, and c p has no divergence.
        Noise of the drift that alternates from cell to cell is no gradient on these knots, and is left to c.

        Nothing is known of cells that were not visited. There c is 0, and f goes on as smoothly as it can (least
        squares of its second differences) with a parabola of the distance to the nearest visited cell on top, of the
        root mean square curvature of f in visited cells, which keeps particles back.

        Parameters
        ----------
        dataset
            With ``drift(x, ..., coordinate)`` at equally spaced cell centres, NaN in cells that were not visited, and
            if known ``drift_standard_error`` or ``visits``.

        Returns
        -------
        Tabulated
            The landscape, with the cell centres as knots.

        Raises
        ------
        ValueError
            There is no such drift, its axes are no table, or fewer than two neighbouring cells were visited.

        Warns
        -----
        UserWarning
            The fitted potential falls towards an edge, beyond which nothing holds a particle.
        """
        from sgdphys.landscapes.drift_fits import fit

        axes, potential, circulation, names = fit(dataset)
        return cls(axes, potential, circulation=circulation, names=names)

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.axes)

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """Names of the coordinates."""
        return super().coordinate_names if self.names is None else self.names

    @functools.cached_property
    def _spline(self) -> SplineTable:
        return SplineTable(self.axes, self.knot_potential[np.newaxis], linear=True)

    @functools.cached_property
    def _circulating(self) -> SplineTable:
        if self.knot_circulation is None:
            raise AttributeError("this table has no circulating part")
        return SplineTable(self.axes, np.moveaxis(self.knot_circulation, -1, 0), linear=False)

    @property
    def base(self) -> Tabulated:
        """The landscape of the potential alone; there only where something circulates."""
        _ = self._circulating
        return Tabulated(self.axes, self.knot_potential, names=self.names)

    @property
    def circulation_terms(self) -> Callable[[], tuple[BlockTerm, ...]]:
        """The function that returns the block term of c; there only where something circulates."""
        term = self._circulating.values_term()
        return lambda: (term,)

    @property
    def circulation(self) -> Callable[[ArrayLike], Array]:
        """The function that returns c at points (particle, coordinate); there only where something circulates."""
        terms = self.circulation_terms()
        return lambda x: evaluate(terms, as_points(x, self.dim), self.dim)

    @property
    def circulation_derivative(self) -> Callable[[ArrayLike], Array]:
        """The function that returns d_j c_i, shape (particle, i, j); there only where something circulates."""
        table = self._circulating
        return lambda x: table.gradients(as_points(x, self.dim))

    def potential_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of the potential."""
        return (self._spline.values_term(),)

    def gradient_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block terms of the gradient, that of the circulating part with a minus."""
        circulating = () if self.knot_circulation is None else self.circulation_terms()
        return (self._spline.gradient_term(), *(term.scaled(-1.0) for term in circulating))

    def hessian(self, x: ArrayLike) -> Array:
        """Return the derivative of the gradient at ``x`` (particle, coordinate), shape (particle, i, j)."""
        points = as_points(x, self.dim)
        curvature = self._spline.hessian(points)
        return curvature if self.knot_circulation is None else curvature - self._circulating.gradients(points)

    def variables(self) -> dict[str, tuple[tuple[str, ...], Array]]:
        """Return the tables by schema name."""
        arrays: dict[str, tuple[tuple[str, ...], Array]] = {"knot_potential": (("knot",), self.knot_potential.ravel())}
        if self.knot_circulation is not None:
            flat = self.knot_circulation.reshape(-1, self.dim)
            arrays["knot_circulation"] = (("knot", "coordinate"), flat)
        return arrays

    def configuration(self) -> dict[str, Any]:
        """Return the class name, the axes and a hash of the tables, which are left to :meth:`variables`."""
        return {
            "landscape": "Tabulated",
            "axes": [[float(axis[0]), float(axis[-1]), len(axis)] for axis in self.axes],
            "names": None if self.names is None else list(self.names),
            "circulates": self.knot_circulation is not None,
            "data_hash": self._hash,
        }

    @functools.cached_property
    def _hash(self) -> str:
        circulation = np.zeros(0) if self.knot_circulation is None else self.knot_circulation
        return data_hash(self.knot_potential, circulation)

    @classmethod
    def from_variables(
        cls,
        variables: Mapping[str, Array],
        *,
        axes: Sequence[tuple[float, float, int]],
        names: Sequence[str] | None,
        circulates: bool,
        data_hash: str,
    ) -> Self:
        """Return the landscape of stored tables; raise ValueError when they are missing or of another hash."""
        wanted = ["knot_potential", *["knot_circulation"] * circulates]
        missing = [name for name in wanted if name not in variables]
        if missing:
            raise ValueError(f"the table of the landscape is missing: no {' and no '.join(missing)}; make it anew")
        shape = tuple(int(count) for _, _, count in axes)
        tables = [np.asarray(variables[name]) for name in wanted]
        if tables[0].size != np.prod(shape):
            raise ValueError(
                f"knot_potential has {tables[0].size} knots, the axes have {np.prod(shape)}: another table"
            )
        circulation = tables[1].reshape(*shape, len(shape)) if circulates else None
        knots = [np.linspace(low, high, count) for low, high, count in axes]
        table = cls(knots, tables[0].reshape(shape), circulation=circulation, names=names)
        if table._hash != data_hash:
            raise ValueError(
                f"the stored tables are not those of this landscape (hash {data_hash}): a store holds one table, so "
                "of a sum of two the second must be made anew"
            )
        return table


def _checked(name: str, values: ArrayLike, axes: Axes, rest: tuple[int, ...] = ()) -> Array:
    table = number_array(name, values)
    shape = (*map(len, axes), *rest)
    if table.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, the knots of each axis, got {table.shape}")
    check_finite_table(name, table, axes, _ADVICE)
    table.flags.writeable = False
    return table
