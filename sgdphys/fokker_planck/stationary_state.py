"""The stationary density on a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.lib.stride_tricks import as_strided

from sgdphys.fokker_planck.density_datasets import axis_names, configuration_text, density_dataset
from sgdphys.fokker_planck.discretisation import discretise
from sgdphys.fokker_planck.operator import Operator, factorise

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from numpy.typing import NDArray

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array, Landscape, Noise
    from sgdphys.sgd import SGD

__all__ = ["stationary", "stationary_by_elimination", "stationary_by_factorisation"]

Method = Literal["auto", "gibbs", "elimination", "factorisation"]
_ELIMINATION_WORK = 4e9  # multiplications: several seconds


def stationary(
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    temperature: float | None = None,
    sgd: SGD | None = None,
    grid: Grid,
    method: Method = "auto",
) -> xr.Dataset:
    r"""Return the stationary density of a landscape, a noise and a temperature between reflecting walls.

    When all D_ii agree, or there is one coordinate, it is exp(-f/(T D)) at the cell centres. Otherwise probability
    circulates and the density is the null vector of the operator, not Gibbs in general.

    Parameters
    ----------
    landscape, noise, temperature, sgd, grid
        As in :func:`sgdphys.fokker_planck.evolve`.
    method
        ``"gibbs"``, which equal D_ii allow; ``"elimination"``, which subtracts nothing, so that every cell has a small
        relative error even when barriers make the states almost separate; ``"factorisation"``, a sparse one for large
        grids, whose error grows as rounding over the smallest escape rate. ``"auto"`` takes the first one that fits.

    Returns
    -------
    xr.Dataset
        ``density(time, x, ...)`` with one frame, at time 0, ``mass(time)``, ``boundary_mass(time)``; the configuration
        holds the ``method`` and the ``residual``, the largest \|L p\| over the largest entry of \|L\| p.
    """
    operator = discretise(landscape, noise, temperature=temperature, sgd=sgd, grid=grid)
    chosen = _choose(method, operator)
    density = _SOLVERS[chosen](operator)
    more = {"method": chosen, "residual": _residual(operator, density)}
    configuration = configuration_text("stationary", landscape, noise, temperature, sgd, grid, **more)
    return density_dataset(grid, axis_names(landscape, grid), [0.0], density, configuration)


def _choose(method: Method, operator: Operator) -> str:
    if method not in {"auto", "gibbs", "elimination", "factorisation"}:
        raise ValueError(f"method must be auto, gibbs, elimination or factorisation, got {method!r}")
    if method == "gibbs" and not operator.is_reversible:
        raise ValueError(f"with T D = {operator.energies} the stationary state is not Gibbs; use method='auto'")
    if method == "gibbs" or (method == "auto" and operator.is_reversible):
        return "gibbs"
    if min(operator.forward.min(), operator.backward.min()) == 0:
        raise ValueError(
            "a hopping rate underflows and cuts cells off: use a finer grid, nearer walls or a higher temperature"
        )
    if method != "auto":
        return method
    return "elimination" if operator.grid.size * _bandwidth(operator.grid) ** 2 < _ELIMINATION_WORK else "factorisation"


def _residual(operator: Operator, density: Array) -> float:
    matrix = operator.matrix
    return float(np.abs(matrix @ density).max() / (abs(matrix) @ density).max())


def _bandwidth(grid: Grid) -> int:
    return grid.size // max(grid.shape)


def stationary_by_elimination(operator: Operator) -> Array:
    """Return the null vector of an operator by censoring one cell after another, shape (cell,), normalised.

    A path through an eliminated cell becomes a direct hop of the rate in * out / (total out). Only positive numbers are
    added, multiplied and divided, so rounding errors are relative to each entry.

    Parameters
    ----------
    operator
        Operator whose cells are all connected.

    Returns
    -------
    Array
        Stationary density, in 1/x^dim.

    References
    ----------
    Grassmann, Taksar & Heyman 1985, Oper. Res. 33, 1107.
    """
    grid = operator.grid
    order = np.arange(grid.size).reshape(grid.shape).transpose(np.argsort(grid.shape)[::-1]).ravel()
    band = _bandwidth(grid)
    rates = _banded_rates(operator, order, band)
    step, width = rates.strides
    for cell in range(grid.size - 1, 0, -1):
        first = max(0, cell - band)
        rows, offsets = np.arange(first, cell), cell - np.arange(first, cell)
        outgoing = rates[cell, band - offsets]
        incoming = rates[rows, band + offsets] / outgoing.sum()
        rates[rows, band + offsets] = incoming
        window = as_strided(rates[first:, band:], (cell - first, cell - first), (step - width, width))
        window += incoming[:, None] * outgoing
    return _substituted(rates, order, band, operator)


def _banded_rates(operator: Operator, order: NDArray[np.int64], band: int) -> Array:
    # rates[i, band + j - i] is the rate from the i-th to the j-th cell of the order
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    left, right = place[operator.left], place[operator.right]
    rates = np.zeros((order.size, 2 * band + 1))
    rates[left, band + right - left] = operator.forward
    rates[right, band + left - right] = operator.backward
    return rates


def _substituted(rates: Array, order: NDArray[np.int64], band: int, operator: Operator) -> Array:
    ordered = np.zeros(order.size)
    ordered[0] = 1.0
    for cell in range(1, order.size):
        before = np.arange(max(0, cell - band), cell)
        ordered[cell] = ordered[before] @ rates[before, band + cell - before]
        if ordered[cell] > 1e200:
            ordered[: cell + 1] /= ordered[cell]
    density = np.empty_like(ordered)
    density[order] = ordered
    return np.asarray(density / (density.sum() * operator.grid.cell_volume))


def stationary_by_factorisation(operator: Operator) -> Array:
    """Return the null vector of an operator with the deepest cell's equation left out, shape (cell,), normalised.

    The columns of the operator sum to zero, so one equation follows from the others; without it, and with that cell's
    density given, the rest is a regular system whose elimination needs no pivots.

    Parameters
    ----------
    operator
        Operator whose cells are all connected.

    Returns
    -------
    Array
        Stationary density, in 1/x^dim.
    """
    deepest = int(operator.potential.argmin())
    others = np.delete(np.arange(operator.grid.size), deepest)
    matrix = operator.matrix
    density = np.ones(operator.grid.size)
    density[others] = factorise(-matrix[others][:, others]).solve(matrix[others][:, [deepest]].toarray().ravel())
    return np.asarray(density / (density.sum() * operator.grid.cell_volume))


_SOLVERS: dict[str, Callable[[Operator], Array]] = {
    "gibbs": Operator.gibbs,
    "elimination": stationary_by_elimination,
    "factorisation": stationary_by_factorisation,
}
