"""The spectrum of relaxation rates on a grid, with the modes that decay at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import sgdphys
from sgdphys import schema
from sgdphys.checks import whole_number
from sgdphys.fokker_planck.density_datasets import axis_coordinates, axis_names, configuration_text
from sgdphys.fokker_planck.discretisation import steady_operator
from sgdphys.fokker_planck.first_passage import read_exits, region_name
from sgdphys.fokker_planck.slow_modes import slow_modes
from sgdphys.fokker_planck.targets import alive, read_target
from sgdphys.fokker_planck.units import with_units_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.fokker_planck.slow_modes import Modes
    from sgdphys.fokker_planck.targets import Region
    from sgdphys.protocols import Landscape, Noise
    from sgdphys.sgd import SGD

__all__ = ["relaxation_rates"]

_NODE = 1e-6  # share of the largest value below which a cell does not settle the sign of a mode


def relaxation_rates(
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    temperature: float | None = None,
    sgd: SGD | None = None,
    grid: Grid,
    count: int = 6,
    target: Region | None = None,
) -> xr.Dataset:
    r"""Return the slowest relaxation rates and the modes that decay at them.

    A density is a sum of right modes, :math:`p(t) = \sum_j c_j e^{-(\lambda_j + i\omega_j) t}\, r_j`, with
    :math:`c_j = \int l_j\, p(0)` of the left modes, which obey :math:`L^{\mathsf T} l = -(\lambda + i\omega) l`.
    They are biorthogonal, :math:`\int l_i r_j\, dx = \delta_{ij}`. Mode 0 is the stationary state, with rate 0 and
    l = 1; with absorbing walls or a target it is the quasi-stationary state, and its rate that of the slowest decay.
    Other left modes have a mean square of 1 in mode 0 and are positive in the last cell of the grid. Behind a high
    barrier left mode 1 is a linear function of the committor.

    Under detailed balance frequencies are 0, r_j = l_j p_ss without walls that absorb, and rates keep their relative
    accuracy down to about 1e-27 of the fastest hopping rate. Otherwise modes turn while they decay, and the relative
    accuracy of rates is lost from about 1e-14 of it on. The attribute ``rounding`` of ``relaxation_rate`` is this
    limit. Rates are of second order in the spacing, real parts with an error of the size of the frequencies.

    Parameters
    ----------
    landscape, noise, temperature, sgd, grid
        As in :func:`sgdphys.fokker_planck.evolve`, but constant in time.
    count
        Number of modes; of a pair at the end only one may be left.
    target
        Region that absorbs, as in :func:`sgdphys.fokker_planck.mean_first_passage_time`; None for none.

    Returns
    -------
    xr.Dataset
        ``relaxation_rate(mode)`` in rising order and ``relaxation_frequency(mode)``, ``right_mode(mode, x, ...)`` and
        ``left_mode(mode, x, ...)``, 0 in the target; where detailed balance is broken also ``right_mode_imaginary`` and
        ``left_mode_imaginary``. The attribute ``highest_frequency`` of ``relaxation_frequency`` says up to which
        frequency no mode with such rates is missed.

    Raises
    ------
    ValueError
        ``count`` does not fit the cells, a hopping rate underflows, modes coalesce, or as in
        :func:`sgdphys.fokker_planck.discretise`.

    References
    ----------
    Risken 1989, The Fokker-Planck Equation, chapter 5.
    """
    operator = steady_operator(landscape, noise, temperature, sgd, grid)
    if target is not None:
        operator = read_exits(operator, [read_target(target, grid)])
    modes = _normalised(slow_modes(operator, _checked_count(count, operator)), operator)
    more = {"count": int(count), "target": region_name(target)}
    text = configuration_text("relaxation_rates", landscape, noise, temperature, sgd, grid, **more)
    return with_units_of(landscape, _dataset(modes, operator, axis_names(landscape, grid), text))


def _checked_count(count: int, operator: Operator) -> int:
    cells = int(np.count_nonzero(alive(operator)))
    if whole_number("count", count) > (cells - 10) // 2:
        raise ValueError(f"count must be at most {max(0, (cells - 10) // 2)} with {cells} cells, got {count}")
    inner = operator.right < operator.grid.size
    if not operator.streams and min(operator.forward[inner].min(), operator.backward[inner].min()) == 0:
        raise ValueError(
            "a hopping rate underflows and cuts cells off: use a finer grid, nearer walls or a higher temperature"
        )
    return int(count)


def _normalised(modes: Modes, operator: Operator) -> Modes:
    """Scale left modes to a mean square of 1 in mode 0 and to the sign of the last cell, right modes inversely."""
    volume = operator.grid.cell_volume
    right, left = modes.right, modes.left
    base = (right[:, 0] / right[:, 0].sum()).real
    factors: NDArray[Any] = np.sqrt(base @ np.abs(left) ** 2).astype(left.dtype)
    for mode in range(left.shape[1]):
        size = np.abs(left[:, mode])
        cell = -1 if size[-1] > _NODE * size.max() else int(size.argmax())
        factors[mode] *= left[cell, mode] / size[cell]
    overlaps = np.einsum("nm,nm->m", left, right)
    factors[0] = overlaps[0] / right[:, 0].sum()
    return modes._replace(left=left / factors, right=right * (factors / overlaps / volume))


def _dataset(modes: Modes, operator: Operator, names: list[str], text: str) -> xr.Dataset:
    grid = operator.grid
    variables: dict[str, Any] = {
        "relaxation_rate": (schema.MODE, modes.eigenvalues.real, _rate_attributes(operator)),
        "relaxation_frequency": (
            schema.MODE,
            modes.eigenvalues.imag,
            {**schema.describe("relaxation_frequency"), "highest_frequency": modes.highest_frequency},
        ),
    }
    parts = {"": np.real} if operator.is_reversible else {"": np.real, "_imaginary": np.imag}
    for side, vectors in (("right_mode", modes.right), ("left_mode", modes.left)):
        for suffix, part in parts.items():
            values = np.zeros((vectors.shape[1], grid.size))
            values[:, modes.cells] = part(vectors).T
            shaped = values.reshape(-1, *grid.shape)
            variables[side + suffix] = ((schema.MODE, *names), shaped, schema.describe(side + suffix))
    coordinates: dict[str, Any] = {schema.MODE: np.arange(len(modes.eigenvalues))}
    coordinates |= axis_coordinates(grid, names)
    return xr.Dataset(variables, coordinates, schema.attributes_of(text, sgdphys.__version__))


def _rate_attributes(operator: Operator) -> dict[str, Any]:
    fastest = float(np.abs(operator.matrix.diagonal()).max())
    share = 1e-27 if operator.is_reversible else 1e-14
    return {"units": "loss/x^2", "long_name": "rate at which the mode decays", "rounding": share * fastest}
