"""From an equation to its operator on a grid: exponential fitting along every hop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgdphys.fokker_planck.hops import bridges, exits_of, joined_cells, wall_names
from sgdphys.fokker_planck.operator import Operator, bernoulli
from sgdphys.fokker_planck.reversibility import cell_potential
from sgdphys.fokker_planck.tensor_decomposition import hops_of_tensors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.fokker_planck.equations import Equation
    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array

    Faces = tuple[NDArray[np.int64], NDArray[np.int64], Array, Array, NDArray[np.int64]]

__all__ = ["assemble", "longest_reach"]


def longest_reach(grid: Grid) -> int:
    """Return the longest hop, in cells, that a grid takes: a quarter of its shortest axis, at least 2."""
    return max(2, min(grid.shape) // 4)


def assemble(grid: Grid, equation: Equation, names: list[str]) -> Operator:
    r"""Build the operator by exponential fitting along every hop.

    In units of the cells the diffusion is :math:`m T D_{ij}/(h_i h_j) = \sum_k w_k e_k e_k^{\mathsf T}` with integer
    hops e_k, and w_k of a face is the mean of both cells. Between cells a and b = a + e_k, with the change
    :math:`\delta` of Phi/T from a to b and the Bernoulli function :math:`B(z) = z/(e^z - 1)`, the hopping rates are
    :math:`w_k B(\delta)` and :math:`w_k B(-\delta)`. Their ratio is :math:`e^{-\delta}` exactly: where the drift over
    the diffusion is a gradient, :math:`e^{-\Phi/T}` at the cell centres is stationary on any grid, and no rate is
    negative for any D. The scheme is of second order in h. At reflecting walls hops that would cross are left out,
    which a diffusion along no axis feels to first order there; cells in corners that lose all theirs hop along the
    axes.

    Loops of the sum of delta below 1e-9 count as closed: delta is then made the difference of one potential.

    Parameters
    ----------
    grid
        The cells, and what happens at their walls.
    equation
        Diffusion and drift.
    names
        Names of the axes.

    Returns
    -------
    Operator
        Faces and hopping rates.

    Raises
    ------
    ValueError
        The diffusion is so anisotropic that its hops reach further than a quarter of the grid.

    References
    ----------
    Scharfetter & Gummel 1969, IEEE Trans. Electron Devices 16, 64; Chang & Cooper 1970,
    J. Comput. Phys. 6, 1; Fehrenbach & Mirebeau 2014, J. Math. Imaging Vis. 49, 123.
    """
    points, spacing = grid.points(), np.array(grid.spacing)
    hops, weights = _hops(equation, points, spacing, longest_reach(grid))
    faces = [_faces(grid, equation, points, number, hop, weights[number]) for number, hop in enumerate(hops)]
    outer, walls = _exits(grid, equation, points, hops, weights)
    if np.abs(hops).sum(axis=1).max() > 1:
        hops, faces = _bridged(grid, equation, points, hops, faces, outer[0])
    left, right, exponents, conductances, kinds = (np.concatenate(parts) for parts in zip(*faces, strict=True))
    potential, exponents = _settled(equation, grid, points, left, right, exponents)
    inner = conductances * bernoulli(exponents), conductances * bernoulli(-exponents)
    return Operator(
        grid,
        np.concatenate([left, outer[0]]), np.concatenate([right, outer[1]]),
        np.concatenate([inner[0], outer[2]]), np.concatenate([inner[1], np.zeros(len(outer[2]))]),
        np.concatenate([exponents, np.full(len(outer[2]), np.inf)]), np.concatenate([conductances, outer[3]]),
        np.concatenate([kinds, outer[4]]), hops, potential, equation,
        tuple(wall_names(grid, names)[wall] for wall in walls),
    )  # fmt: skip


def _hops(equation: Equation, points: Array, spacing: Array, longest: int) -> tuple[NDArray[np.int64], Array]:
    """Return hops and their weight in each cell; one column where D is constant."""
    constant = equation.constant_diffusion
    diffusion = equation.diffusion(points) if constant is None else constant[np.newaxis]
    tensors = equation.mobility * equation.temperature * diffusion / np.outer(spacing, spacing)
    hops, weights = hops_of_tensors(tensors)
    reach = int(np.abs(hops).max())
    if reach > longest:
        condition = float(np.linalg.cond(tensors).max())
        raise ValueError(
            f"in units of the cells the diffusion has a condition number of {condition:.3g}: rates that are not "
            f"negative need hops of {reach} cells, and this grid takes {longest}; rotate or scale the coordinates, or "
            "use more cells"
        )
    return hops, np.broadcast_to(weights, (len(hops), len(points)))


def _faces(grid: Grid, equation: Equation, points: Array, number: int, hop: NDArray[np.int64], weights: Array) -> Faces:
    left, right = joined_cells(grid, hop)
    conductances = (weights[left] + weights[right]) / 2
    used = conductances > 0
    if not used.all():
        left, right, conductances = left[used], right[used], conductances[used]
    start = points[left]
    exponents = equation.exponents(start, start + hop * np.array(grid.spacing))
    return left, right, exponents, conductances, np.full(len(left), number, dtype=np.int64)


def _bridged(
    grid: Grid,
    equation: Equation,
    points: Array,
    hops: NDArray[np.int64],
    faces: list[Faces],
    leaving: NDArray[np.int64],
) -> tuple[NDArray[np.int64], list[Faces]]:
    """Return hops and faces with hops along the axes for cells that no other face joins to the rest."""
    joined = np.concatenate([face[0] for face in faces]), np.concatenate([face[1] for face in faces])
    added = bridges(grid, *joined, leaving)
    units, more = np.eye(grid.dim, dtype=np.int64), []
    for axis, (left, right) in enumerate(added):
        pace = equation.mobility * equation.temperature / (2 * grid.spacing[axis] ** 2)
        conductances = pace * (equation.diffusion(points[left]) + equation.diffusion(points[right]))[:, axis, axis]
        start, kind = points[left], np.full(len(left), len(hops) + axis, dtype=np.int64)
        exponents = equation.exponents(start, start + units[axis] * np.array(grid.spacing))
        more.append((left, right, exponents, conductances, kind))
    return (np.concatenate([hops, units]), [*faces, *more]) if more else (hops, faces)


def _settled(
    equation: Equation, grid: Grid, points: Array, left: NDArray[np.int64], right: NDArray[np.int64], exponents: Array
) -> tuple[Array | None, Array]:
    """Return Phi/T at the cells, if there is one, and the exponents as its differences."""
    constant = equation.constant_diffusion
    isotropic = constant is not None and np.array_equal(constant, constant[0, 0] * np.eye(grid.dim))
    if (
        isotropic
        and constant is not None
        and not equation.circulates
        and not any(map(grid.is_periodic, range(grid.dim)))
    ):
        return equation.energy(points) / (equation.temperature * constant[0, 0]), exponents
    potential = cell_potential(grid.size, left, right, exponents)
    return (None, exponents) if potential is None else (potential, potential[right] - potential[left])


def _exits(
    grid: Grid, equation: Equation, points: Array, hops: NDArray[np.int64], weights: Array
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64], Array, Array, NDArray[np.int64]], list[int]]:
    """Return cell, state, rate, conductance and kind of the hops out, and the walls they lead through."""
    found = [exits_of(grid, hop) for hop in hops]
    cell = np.concatenate([exits.cell for exits in found])
    wall = np.concatenate([exits.wall for exits in found])
    share = np.concatenate([exits.share for exits in found])
    kinds = np.repeat(np.arange(len(hops)), [len(exits.cell) for exits in found])
    walls, which = np.unique(wall, return_inverse=True)
    sign = np.where(hops[kinds, wall // 2] > 0, 1, -1) * np.where(wall % 2 == 1, 1, -1)
    start = points[cell]
    stop = start + (share * sign)[:, np.newaxis] * hops[kinds] * np.array(grid.spacing)
    conductances = weights[kinds, cell]
    used = conductances > 0
    rates = conductances / share * bernoulli(equation.exponents(start, stop))
    columns = (cell, grid.size + which.ravel(), rates, conductances, kinds)
    picked = tuple(column[used] for column in columns)
    return (picked[0], picked[1], picked[2], picked[3], picked[4]), walls.tolist()
