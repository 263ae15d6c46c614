"""The stationary density on a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from sgdphys.fokker_planck.density_datasets import (
    axis_names,
    configuration_text,
    density_dataset,
    warn_of_cut_off,
    warn_of_negative,
)
from sgdphys.fokker_planck.discretisation import steady_operator
from sgdphys.fokker_planck.elimination import chain_of, eliminate, elimination_fits
from sgdphys.fokker_planck.factorisation import factorise
from sgdphys.fokker_planck.operator import Operator
from sgdphys.fokker_planck.units import with_units_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array, Landscape, Noise
    from sgdphys.sgd import SGD

__all__ = ["stationary", "stationary_by_elimination", "stationary_by_factorisation"]

Method = Literal["auto", "gibbs", "elimination", "factorisation"]


def stationary(
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    temperature: float | None = None,
    sgd: SGD | None = None,
    grid: Grid,
    method: Method = "auto",
) -> xr.Dataset:
    r"""Return the stationary density of a landscape, a noise and a temperature, with its current.

    Where the drift over the diffusion is a gradient, of Phi/T, it is exp(-Phi/T) at the cell centres. Otherwise
    probability circulates and the density is the null vector of the operator.

    Parameters
    ----------
    landscape, noise, temperature, sgd, grid
        As in :func:`sgdphys.fokker_planck.evolve`, but constant in time and without absorbing walls.
    method
        ``"gibbs"``, where it is known; ``"elimination"``, which subtracts nothing, so that every cell has a small
        relative error even when barriers make the states almost separate; ``"factorisation"``, a sparse one for large
        grids, whose error grows as rounding over the smallest escape rate. ``"auto"`` takes the first one that fits.

    Returns
    -------
    xr.Dataset
        ``density(time, x, ...)`` with one frame, at time 0, ``mass(time)``, ``boundary_mass(time)``, ``current(time, x,
        ..., coordinate)`` and ``entropy_production_rate(time)``; the configuration holds the ``method`` and the
        ``residual``, the largest \|L p\| over the largest entry of \|L\| p.

    Raises
    ------
    ValueError
        A wall absorbs, something changes in time, a hopping rate underflows, or as in
        :func:`sgdphys.fokker_planck.discretise`.

    Warns
    -----
    UserWarning
        More than a thousandth of the probability seems to lie beyond far walls.
    """
    operator = steady_operator(landscape, noise, temperature, sgd, grid)
    if operator.exits:
        raise ValueError(f"nothing stays with an absorbing wall ({operator.exits[0]}): use reflecting or periodic ones")
    chosen = _choose(method, operator)
    density = _SOLVERS[chosen](operator)
    more = {"method": chosen, "residual": _residual(operator, density)}
    configuration = configuration_text("stationary", landscape, noise, temperature, sgd, grid, **more)
    warn_of_cut_off(density[np.newaxis], grid)
    warn_of_negative(density[np.newaxis])
    series = {"entropy_production_rate": np.array([operator.entropy_production(density)])}
    current = operator.current(density)[np.newaxis]
    names = axis_names(landscape, grid)
    state = density_dataset(grid, names, [0.0], density, configuration, current=current, **series)
    return with_units_of(landscape, state)


def _choose(method: Method, operator: Operator) -> str:
    if method not in {"auto", "gibbs", "elimination", "factorisation"}:
        raise ValueError(f"method must be auto, gibbs, elimination or factorisation, got {method!r}")
    known = operator.reduced_potential is not None
    if method == "gibbs" and not known:
        raise ValueError("the drift over the diffusion is no gradient: the state is not Gibbs; use method='auto'")
    if method == "gibbs" or (method == "auto" and known):
        return "gibbs"
    if not operator.streams and not _connected(operator):
        raise ValueError(
            "a hopping rate underflows and cuts cells off: use a finer grid, nearer walls or a higher temperature"
        )
    if method != "auto":
        return method
    return "elimination" if elimination_fits(operator) else "factorisation"


def _connected(operator: Operator) -> bool:
    """Return whether hops lead from every cell to every other; rates that underflow may leave some out of reach."""
    if min(operator.forward.min(), operator.backward.min()) > 0:
        return True
    ahead, back = operator.forward > 0, operator.backward > 0
    begins = np.concatenate([operator.left[ahead], operator.right[back]])
    ends = np.concatenate([operator.right[ahead], operator.left[back]])
    graph = sparse.csr_array((np.ones(len(begins)), (begins, ends)), shape=(operator.size, operator.size))
    return bool(connected_components(graph, connection="strong")[0] == 1)


def _residual(operator: Operator, density: Array) -> float:
    matrix = operator.matrix
    return float(np.abs(matrix @ density).max() / (abs(matrix) @ density).max())


def stationary_by_elimination(operator: Operator) -> Array:
    """Return the null vector of an operator by censoring one cell after another, shape (cell,), normalised.

    See :func:`sgdphys.fokker_planck.elimination.eliminate`: every cell has a small relative error.

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
    chain = chain_of(operator)
    nothing = np.zeros(operator.grid.size)
    eliminate(chain, nothing, nothing.copy())
    ordered = np.zeros(operator.grid.size)
    ordered[0] = 1.0
    for place in range(1, ordered.size):
        before = np.arange(max(0, place - chain.band), place)
        ordered[place] = ordered[before] @ chain.rates[before, chain.band + place - before]
        if ordered[place] > 1e200:
            ordered[: place + 1] /= ordered[place]
    density = np.empty_like(ordered)
    density[chain.order] = ordered
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
    deepest = _deepest(operator)
    others = np.delete(np.arange(operator.grid.size), deepest)
    matrix = operator.matrix
    density = np.ones(operator.grid.size)
    density[others] = factorise(-matrix[others][:, others], pivots=operator.negative_share > 0)(
        matrix[others][:, [deepest]].toarray().ravel()
    )
    return np.asarray(density / (density.sum() * operator.grid.cell_volume))


def _deepest(operator: Operator) -> int:
    """Return a cell of much probability: where a power iteration of large steps from even filling is largest."""
    matrix = operator.matrix
    step = 1e3 / np.abs(matrix.diagonal()).max()
    shifted = (sparse.eye_array(operator.size) - step * matrix).tocsc()
    solve = factorise(shifted, pivots=operator.negative_share > 0)
    state = np.ones(operator.size)
    for _ in range(20):
        state = solve(state)
    return int(state.argmax())


_SOLVERS: dict[str, Callable[[Operator], Array]] = {
    "gibbs": Operator.gibbs,
    "elimination": stationary_by_elimination,
    "factorisation": stationary_by_factorisation,
}
