"""Counts of particles on a grid, in one or two coordinates."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys import schema
from sgdphys.checks import finite_number, number_array, whole_number
from sgdphys.kernels import ObserverKernel
from sgdphys.kernels.counting import histogram
from sgdphys.observers.choices import coordinate_numbers
from sgdphys.observers.naming import NamedObserver
from sgdphys.observers.observation import Observation, Run, Variables

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Histogram"]

Array = NDArray[np.float64]
_KERNEL = ObserverKernel(histogram)
MOST_CELLS = 10**8  # along an axis
_CELLS, _EDGES = ("cell", "cell_2"), ("cell_edge", "cell_edge_2")


@dataclass(frozen=True)
class Histogram(NamedObserver):
    r"""How many particles lie in each cell, along one coordinate or two: exact counts.

    Cells are half open, :math:`e_k \le x < e_{k+1}`. Particles outside are counted below or above, along the first axis
    that they are outside of, lost ones apart. Variables: ``histogram_count(histogram_time, cell[, cell_2])``,
    ``histogram_below``, ``histogram_above`` (both also of ``histogram_axis``), ``histogram_lost``, and the edges.
    :meth:`density` makes them a density for the analyses. Memory does not grow with the particles: 32 bytes per thread,
    cell and time.

    Parameters
    ----------
    bins
        Number of cells of equal width; a pair for two coordinates.
    range
        Low and high end, (low, high); a pair of them for two coordinates.
    edges
        Rising edges instead of both, an array, or a pair of arrays.
    coordinates
        Number or name of a coordinate, or a pair.
    at
        Number of equally spaced times including both ends (1: the end), or an array of times.
    name
        Word that begins the names of the variables.

    Raises
    ------
    ValueError
        Edges do not rise, or numbers of axes differ.
    """

    bins: int | tuple[int, int] | None = None
    range: Any = None
    edges: Any = None
    coordinates: int | str | tuple[int | str, ...] = 0
    at: int | ArrayLike = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self._chosen) not in {1, 2}:
            raise ValueError(f"a histogram has one coordinate or two, got {len(self._chosen)}")
        if len(self.axes) != len(self._chosen):
            raise ValueError(
                f"a histogram needs edges for each coordinate, got {len(self.axes)} for {len(self._chosen)} coordinates"
            )

    @property
    def _chosen(self) -> tuple[int | str, ...]:
        pair = isinstance(self.coordinates, (tuple, list))
        return tuple(self.coordinates) if pair else (self.coordinates,)  # type: ignore[arg-type,return-value]

    @functools.cached_property
    def axes(self) -> tuple[Array, ...]:
        """The edges along each axis."""
        two = isinstance(self.coordinates, (tuple, list)) and len(self.coordinates) > 1
        if self.edges is not None:
            if self.bins is not None or self.range is not None:
                raise ValueError("give edges=, or bins= and range=, not both")
            return tuple(map(_rising, _pair("edges", self.edges) if two else [self.edges]))
        if self.bins is None or self.range is None:
            raise ValueError("a histogram needs bins= and range=(low, high), or edges=")
        if not two:
            return (_equal(self.bins, self.range),)
        numbers = self.bins if isinstance(self.bins, (tuple, list)) else (self.bins, self.bins)
        return tuple(map(_equal, _pair("bins", numbers), _pair("range", self.range)))

    def observe(self, run: Run) -> Observation:
        """Return the observer made ready for a run; ValueError where it has no such coordinate."""
        numbers = coordinate_numbers(self._chosen, run)
        heads = [number for k, axis in zip(numbers, self.axes, strict=True) for number in (k, len(axis))]
        return Observation(
            kernel=_KERNEL,
            parameters=np.concatenate([[run.dim, run.bound, len(self.axes), *heads], *self.axes]).astype(np.float64),
            result=lambda _own, tables, times: self.named(self._variables(tables[0], times)),
            columns=1 + 2 * len(self.axes) + math.prod(len(axis) - 1 for axis in self.axes),
            counts=True,
        )

    def _variables(self, table: Array, times: Array) -> Variables:
        axes = len(self.axes)
        counts = table.astype(np.int64)
        cells = counts[:, 1 + 2 * axes :].reshape(-1, *(len(axis) - 1 for axis in self.axes))
        sides = ("histogram_time", "histogram_axis")
        return {
            "histogram_time": (("histogram_time",), times),
            "histogram_count": (("histogram_time", *_CELLS[:axes]), cells),
            "histogram_below": (sides, counts[:, 1 : 1 + 2 * axes : 2]),
            "histogram_above": (sides, counts[:, 2 : 1 + 2 * axes : 2]),
            "histogram_lost": (("histogram_time",), counts[:, 0]),
            **{edge: ((edge,), axis) for edge, axis in zip(_EDGES, self.axes, strict=False)},
        }

    def density(self, cloud: xr.Dataset) -> xr.Dataset:
        """Return the counts in a run's result as a density, which the analyses take.

        Parameters
        ----------
        cloud
            What ``simulate`` returned with this observer, also from a store.

        Returns
        -------
        xr.Dataset
            ``density(time, x, ...)`` in 1/x^dim with its binomial ``density_standard_error``, ``mass(time)``, the
            fraction of the particles in the cells, and ``particle_count(time)``, those that are not lost.

        Raises
        ------
        ValueError
            The result has no counts of this observer.
        """
        start = f"{self.name}_" if self.name else ""
        if f"{start}histogram_count" not in cloud:
            raise ValueError(
                f"this Dataset has no {start}histogram_count; simulate with observers=[{type(self).__name__}]"
            )
        found = {name: cloud[f"{start}histogram_{name}"].values for name in ("time", "count", "below", "above")}
        return _density(found, self.axes, _labels(self._chosen, cloud))


def _density(found: dict[str, Any], axes: tuple[Array, ...], labels: list[str]) -> xr.Dataset:
    import xarray as xr

    counts = found["count"]
    inside = counts.reshape(len(counts), -1).sum(axis=1)
    finite = inside + found["below"].sum(axis=1) + found["above"].sum(axis=1)
    shape = (-1,) + (1,) * len(axes)
    number = np.maximum(finite, 1).reshape(shape)
    fraction = counts / number
    volume = functools.reduce(np.multiply.outer, [np.diff(axis) for axis in axes])
    dims = (schema.TIME, *labels)
    variables = {
        "density": (dims, fraction / volume),
        "density_standard_error": (dims, np.sqrt(fraction * (1 - fraction) / number) / volume),
        "mass": ((schema.TIME,), inside / np.maximum(finite, 1)),
        "particle_count": ((schema.TIME,), finite),
    }
    centres = {label: (axis[1:] + axis[:-1]) / 2 for label, axis in zip(labels, axes, strict=True)}
    described = {name: (dims, values, schema.describe(name)) for name, (dims, values) in variables.items()}
    return xr.Dataset(described, {schema.TIME: found["time"], **centres})


def _labels(chosen: tuple[int | str, ...], cloud: xr.Dataset) -> list[str]:
    names = [str(name) for name in cloud[schema.COORDINATE].values]
    return [item if isinstance(item, str) else names[item] for item in chosen]


def _pair(name: str, values: Any) -> Any:
    if not isinstance(values, (tuple, list, np.ndarray)) or len(values) != 2:
        raise ValueError(f"{name} must be a pair, {name} for each coordinate, got {values!r:.60}")
    return values


def _rising(edges: ArrayLike) -> Array:
    array = number_array("edges", edges)
    if array.ndim != 1 or len(array) < 2 or not np.all(np.isfinite(array)) or np.any(np.diff(array) <= 0):
        raise ValueError(f"edges must be rising finite numbers, at least two, got {edges!r:.60}")
    return array


def _equal(count: Any, ends: Any) -> Array:
    if not isinstance(ends, (tuple, list, np.ndarray)) or len(ends) != 2:
        raise ValueError(f"range must be (low, high), a pair of them for two coordinates, got {ends!r:.60}")
    low, high = (finite_number("an end of range", end) for end in ends)
    if not low < high:
        raise ValueError(f"range must be (low, high) with low < high, got {(low, high)}")
    count = whole_number("bins", count)
    if count > MOST_CELLS:
        raise ValueError(f"bins must be at most {MOST_CELLS}, got {count}")
    return _rising(np.linspace(low, high, count + 1))
