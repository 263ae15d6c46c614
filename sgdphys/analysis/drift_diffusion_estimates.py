"""Drift and diffusion from trajectories: Kramers-Moyal coefficients without the bias of a finite lag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.analysis.displacement_sums import displacement_sums, even_interval
from sgdphys.analysis.frames import axis_labels, check_cloud, check_grid
from sgdphys.checks import whole_number
from sgdphys.fokker_planck.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sgdphys.analysis.displacement_sums import CellSums
    from sgdphys.protocols import Array

__all__ = ["check_one_step", "drift_and_diffusion"]

_WEIGHTS = {0: (1.0,), 1: (2.0, -1.0), 2: (3.0, -3.0, 1.0), 3: (4.0, -6.0, 4.0, -1.0)}
_CELLS = {1: 40, 2: 20, 3: 12}  # along each axis of the default grid
_TAIL = 0.001  # share of the positions beyond each wall of the default grid
_LOOKED_AT = 5_000_000  # numbers at most, of evenly spaced frames, for the default grid
_FEWEST_BATCHES = 8
_NARROW = 1e-4  # variance of places within a cell, in squared widths, below which no slope can be fitted


def drift_and_diffusion(
    cloud: xr.Dataset,
    grid: Grid | None = None,
    *,
    coordinates: Sequence[str | int] | None = None,
    lag: int = 1,
    of: Literal["flow", "map"] = "flow",
    correction: int = 1,
    fewest: int = 100,
) -> xr.Dataset:
    r"""Return drift b(x) and diffusion TD(x) of :math:`dx = b\,dt + \sqrt{2 TD}\,dW` (Ito) from displacements.

    The moments of the displacement :math:`\Delta` over a lag :math:`\tau`, given its start x, are

    .. math:: \langle \Delta \rangle / \tau = b + \tfrac{\tau}{2} L b + O(\tau^2),\qquad
              \langle \Delta \Delta^T \rangle / 2 \tau = TD + \tfrac{\tau}{2} \left( b b^T + L TD + TD\, \nabla b +
              (TD\, \nabla b)^T \right) + O(\tau^2)

    with the generator :math:`L = b \cdot \nabla + TD : \nabla \nabla` and :math:`(\nabla b)_{ij} = \partial_i b_j`.
    Moments over the lags :math:`\tau, 2 \tau, \ldots` of the same starts are extrapolated to lag zero, which removes as
    many orders as ``correction`` says without a derivative of noisy estimates: with one, the remaining bias of the
    drift is :math:`-\tau^2 L^2 b / 3`. In each cell the values are fitted linearly in the place of the start; what is
    reported belongs to the cell's centre, up to second derivatives times width^2 / 24.

    The standard errors come from the differences between batches of particles (with few particles: of stretches of
    time), so that overlapping displacements count for no more than they tell.

    Parameters
    ----------
    cloud
        ``position(time, particle, coordinate)`` at equally spaced times; it need not be stationary. Positions must be
        all that the motion remembers: with momentum take a lag well above the memory, lr / (1 - mu).
    grid
        Cells, of up to three axes; by default 40, 20 or 12 along each axis (in one, two, three coordinates) around all
        but a thousandth of the positions on each side.
    coordinates
        Names or numbers of up to three coordinates, by default all.
    lag
        Frames of the shortest displacement. The bias falls and the error of the drift grows as it is made shorter.
    of
        ``"flow"``: of the continuous process. ``"map"``: of one step of SGD, whose frames must be the steps. There
        :math:`\langle \Delta \rangle / \mathrm{lr} = b` and :math:`\mathrm{Cov}\,\Delta / 2\,\mathrm{lr} = TD` exactly,
        without any correction; with lr times the curvature of order one they differ from those of the flow through the
        same frames, which is what a Fokker-Planck equation wants.
    correction
        Orders of the lag that are removed from a flow, 0 to 3. With 0 only the drift's own square is taken from the
        second moment. Each order makes the errors 1.3 to 1.7 times as large; where another one changes the result by
        more than its error, the lag is too long.
    fewest
        Cells with fewer starts are NaN, and so are those that fewer than eight batches visit, or whose starts lie on
        a point, a line or a plane of them.

    Returns
    -------
    xr.Dataset
        Over the grid axes: ``drift(x, ..., coordinate)`` in loss/x, ``diffusion(x, ..., coordinate, coordinate_2)`` in
        loss, both with standard error, and the number of starts, ``visits(x, ...)``. The diffusion is an unbiased
        estimate and no projection: where it is small it may have negative eigenvalues.

    Raises
    ------
    ValueError
        The Dataset is no cloud, has too few or unequally spaced frames, more than three coordinates are left, the grid
        does not fit, an option is unknown, or no cell has enough starts apart from each other.

    References
    ----------
    Friedrich & Peinke 1997, Phys. Rev. Lett. 78, 863; Gottschall & Peinke 2008, New J. Phys. 10, 083034 (finite lags).
    """
    check_cloud(cloud)
    lag, fewest = whole_number("lag", lag), whole_number("fewest", fewest)
    weights = _weights(of, correction)
    chosen = _chosen(cloud, coordinates)
    interval = even_interval(chosen, 1 + lag * len(weights))
    if of == "map":
        check_one_step(chosen, lag)
    check_grid(grid)
    cells = _covering(chosen) if grid is None else grid
    sums = displacement_sums(chosen, cells, lag, weights, interval)
    tau = lag * interval
    drift, diffusion, visits = _estimates(sums, tau if len(weights) == 1 else 0.0)
    unknown = _unknown(sums, visits, fewest, np.asarray(np.isnan(drift[0]).any(axis=1)))
    for part in (*drift, *diffusion):
        part[unknown] = np.nan
    attributes = {"lag": tau, "of": of, "correction": len(weights) - 1}
    return _dataset(axis_labels(chosen), cells, drift, diffusion, visits).assign_attrs(attributes)


def _unknown(sums: CellSums, visits: Array, fewest: int, unspread: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which cells are not known: of few starts or batches, or without a fit as starts share a direction."""
    few = (visits < fewest) | ((sums.design[:, :, 0, 0] > 0).sum(axis=0) < _FEWEST_BATCHES)
    if few.all():
        raise ValueError(
            f"no cell has {fewest} starts from {_FEWEST_BATCHES} batches of particles, the fullest has "
            f"{int(visits.max())}; give more particles or frames, wider cells in grid= or a lower fewest="
        )
    if np.all(few | unspread):
        raise ValueError(
            "in no cell do the starts differ in all directions: leave coordinates that are constant or follow from "
            "others out with coordinates=, or give wider cells in grid="
        )
    return np.asarray(few | unspread)


def check_one_step(cloud: xr.Dataset, lag: int) -> None:
    """Raise ValueError unless a lag is one step of the run, as far as the cloud says."""
    step = cloud.coords.get(schema.STEP)
    apart = lag if step is None else int(step.values[lag]) - int(step.values[0])
    if lag != 1 or apart != 1:
        raise ValueError(f'of="map" needs displacements of one step, lag={lag} is {apart} steps; save every step')


def _weights(of: str, correction: int) -> tuple[float, ...]:
    if of not in ("flow", "map"):
        raise ValueError(f'of must be "flow" or "map", got {of!r}')
    orders = whole_number("correction", correction, least=0)
    if orders not in _WEIGHTS:
        raise ValueError(f"correction must be 0, 1, 2 or 3 orders of the lag, got {correction!r}")
    return _WEIGHTS[0 if of == "map" else orders]


def _chosen(cloud: xr.Dataset, coordinates: Sequence[str | int] | None) -> xr.Dataset:
    names = axis_labels(cloud)
    if coordinates is None:
        numbers = list(range(len(names)))
    elif isinstance(coordinates, str) or np.ndim(coordinates) != 1:
        raise ValueError(f"coordinates= must be a list of names or numbers, got {coordinates!r:.60}")
    else:
        numbers = [_number(coordinate, names) for coordinate in coordinates]
    if not 1 <= len(numbers) <= 3 or len(set(numbers)) < len(numbers):
        raise ValueError(f"give coordinates= with one to three different of {', '.join(names):.60}, got {len(numbers)}")
    part = cloud[["position"]].isel({schema.COORDINATE: numbers})
    return part.assign_coords({schema.COORDINATE: [names[number] for number in numbers]})


def _number(coordinate: str | int, names: list[str]) -> int:
    known = names.index(coordinate) if coordinate in names else coordinate
    if not isinstance(known, int | np.integer) or not 0 <= known < len(names):
        raise ValueError(f"coordinates= must be of {', '.join(names):.60} or their numbers, got {coordinate!r}")
    return int(known)


def _covering(cloud: xr.Dataset) -> Grid:
    every = -(-cloud["position"].size // _LOOKED_AT)
    some = cloud["position"][::every].values
    position = np.asarray(some, dtype=np.float64).reshape(-1, cloud.sizes[schema.COORDINATE])
    points = position[np.isfinite(position).all(axis=1)]
    if not len(points):
        raise ValueError("the cloud has no finite position")
    walls = np.quantile(points, [_TAIL, 1 - _TAIL], axis=0).T
    cells = _CELLS[points.shape[1]]
    return Grid([(low, high if high > low else low + 1.0, cells) for low, high in walls])


_Estimate = tuple["Array", "Array"]  # values and standard errors


def _estimates(sums: CellSums, tau: float) -> tuple[_Estimate, _Estimate, Array]:
    """Return drift (cell, i) and diffusion (cell, i, j) with their errors, less tau/2 b b^T, and starts (cell,)."""
    values, influences, visits = _centre_fits(sums)
    dim = sums.design.shape[2] - 1
    rows, columns = np.triu_indices(dim)
    drift, pull = values[:, :dim], influences[:, :, :dim]
    errors = _error(pull)
    own = drift[:, rows] * drift[:, columns] - np.sum(pull[:, :, rows] * pull[:, :, columns], axis=0)
    second = values[:, dim:] - tau / 2 * own
    mixed = drift[:, rows] * pull[:, :, columns] + drift[:, columns] * pull[:, :, rows]
    second_error = _error(influences[:, :, dim:] - tau / 2 * mixed)
    full = np.zeros((dim, dim), dtype=np.int64)
    full[rows, columns] = full[columns, rows] = np.arange(len(rows))
    return (drift, errors), (second[:, full], second_error[:, full]), visits


def _centre_fits(sums: CellSums) -> tuple[Array, Array, Array]:
    """Return the linear fits at the centres (cell, value), the influence of each batch on them, and the starts."""
    design, response = sums.design.sum(axis=0), sums.response.sum(axis=0)
    visits = design[:, 0, 0].copy()
    with np.errstate(invalid="ignore", divide="ignore"):
        narrow = ~(np.linalg.eigvalsh(np.nan_to_num(design / visits[:, None, None]))[:, 0] > _NARROW)
    design[narrow] = np.eye(design.shape[1])
    fits = np.linalg.solve(design, response)
    centre = np.linalg.inv(design)[:, 0]
    scores = sums.response - sums.design @ fits
    fits[narrow] = np.nan
    return fits[:, 0], np.einsum("ct,bctv->bcv", centre, scores, optimize=True), visits


def _error(influences: Array) -> Array:
    """Return the standard error from the influences (batch, cell, value) of independent batches."""
    active = np.any(influences != 0, axis=2).sum(axis=0)
    freedom = active / np.maximum(active - 1, 1)
    return np.asarray(np.sqrt(np.sum(influences**2, axis=0) * freedom[:, None]))


def _dataset(names: list[str], grid: Grid, drift: _Estimate, diffusion: _Estimate, visits: Array) -> xr.Dataset:
    one, two = (schema.COORDINATE,), (schema.COORDINATE, "coordinate_2")
    found = {"drift": (one, drift), "diffusion": (two, diffusion)}
    counts = visits.astype(np.int64).reshape(grid.shape)
    variables: dict[str, Any] = {"visits": (names, counts, schema.describe("visits"))}
    for name, (dims, parts) in found.items():
        for label, values in zip((name, f"{name}_standard_error"), parts, strict=True):
            shaped = values.reshape(*grid.shape, *values.shape[1:])
            variables[label] = ((*names, *dims), shaped, schema.describe(label))
    axes = dict(zip(names, grid.centres, strict=True))
    return xr.Dataset(variables, {**axes, schema.COORDINATE: names, "coordinate_2": names})
