"""The Fokker-Planck equation on cells: hopping rates that keep probability, positivity and the Gibbs state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu
from scipy.special import exprel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array

__all__ = ["Operator", "assemble", "bernoulli", "factorise"]


def bernoulli(z: Array) -> Array:
    """Return z / (exp(z) - 1), to rounding for every z; 1 at zero, 0 far to the right, -z far to the left."""
    return np.asarray(1 / exprel(z))


@dataclass(frozen=True)
class Operator:
    r"""Fokker-Planck operator of :math:`\partial_t p = \nabla\cdot(p \nabla f + T\, \nabla\cdot(D p))` on a grid.

    A face joins the cells ``left`` and ``right``; probability crosses it with the net flux
    ``forward * p[left] - backward * p[right]`` per unit of time. Walls have no face, so they reflect.

    Parameters
    ----------
    grid
        The cells.
    potential
        f at the cell centres, shape (cell,), in loss.
    energies
        T D_ii of each axis, in loss.
    mobility
        Factor on all rates: 1, or 1/(1 - momentum) in the time of SGD.
    left, right
        Cells on both sides of every face, shape (face,).
    forward, backward
        Hopping rates from left to right and from right to left, shape (face,), in loss/x^2.
    """

    grid: Grid
    potential: Array
    energies: tuple[float, ...]
    mobility: float
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    forward: Array
    backward: Array

    @property
    def matrix(self) -> sparse.csc_matrix:
        """The operator L of dp/dt = L p: off-diagonals not negative, columns that sum to zero."""
        rates = np.concatenate([self.forward, self.backward, -self.forward, -self.backward])
        rows = np.concatenate([self.right, self.left, self.left, self.right])
        columns = np.concatenate([self.left, self.right, self.left, self.right])
        return sparse.coo_matrix((rates, (rows, columns)), shape=(self.grid.size, self.grid.size)).tocsc()

    def flux(self, density: Array) -> Array:
        """Return what crosses every face (face,) per time from left to right, for a density (cell,)."""
        return self.forward * density[self.left] - self.backward * density[self.right]

    def move(self, density: Array, amounts: Array) -> Array:
        """Return the density (cell,) after carrying ``amounts`` (face,) from left to right: no sum changes."""
        gained = np.bincount(self.right, amounts, minlength=self.grid.size)
        lost = np.bincount(self.left, amounts, minlength=self.grid.size)
        return np.asarray(density + (gained - lost))

    @property
    def is_reversible(self) -> bool:
        """Whether the stationary state is Gibbs: one axis, or the same T D_ii along all of them."""
        return all(energy == self.energies[0] for energy in self.energies)

    def gibbs(self) -> Array:
        """Return exp(-f/(T D_11)) at the cell centres, normalised, shape (cell,), in 1/x^dim."""
        weights = np.exp((self.potential.min() - self.potential) / self.energies[0])
        return np.asarray(weights / (weights.sum() * self.grid.cell_volume))


def assemble(grid: Grid, potential: Array, energies: Sequence[float], mobility: float = 1.0) -> Operator:
    r"""Build the operator by exponential fitting along every axis.

    Between neighbours a and b at distance h, with :math:`\delta = (f_b - f_a)/(T D_{ii})` and the Bernoulli function
    :math:`B(z) = z/(e^z - 1)`, the hopping rates are :math:`T D_{ii} B(\delta)/h^2` and :math:`T D_{ii}
    B(-\delta)/h^2`. Their ratio is :math:`e^{-\delta}` exactly: when all D_ii agree, :math:`\exp(-f/(T D))` at the cell
    centres is stationary on any grid. The scheme is of second order in h.

    Parameters
    ----------
    grid
        The cells.
    potential
        f at the cell centres, shape (cell,), in loss.
    energies
        T D_ii of each axis, in loss; positive.
    mobility
        Factor on all rates, 1 without momentum.

    Returns
    -------
    Operator
        Faces and hopping rates.

    References
    ----------
    Scharfetter & Gummel 1969, IEEE Trans. Electron Devices 16, 64; Chang & Cooper 1970,
    J. Comput. Phys. 6, 1.
    """
    cells = np.arange(grid.size).reshape(grid.shape)
    left: list[NDArray[np.int64]] = []
    right: list[NDArray[np.int64]] = []
    forward: list[Array] = []
    backward: list[Array] = []
    for axis, (energy, spacing) in enumerate(zip(energies, grid.spacing, strict=True)):
        a = cells.take(range(grid.shape[axis] - 1), axis).ravel()
        b = cells.take(range(1, grid.shape[axis]), axis).ravel()
        delta = (potential[b] - potential[a]) / energy
        left.append(a)
        right.append(b)
        forward.append(mobility * energy / spacing**2 * bernoulli(delta))
        backward.append(mobility * energy / spacing**2 * bernoulli(-delta))
    return Operator(
        grid, potential, tuple(energies), mobility,
        np.concatenate(left), np.concatenate(right), np.concatenate(forward), np.concatenate(backward),
    )  # fmt: skip


def factorise(matrix: sparse.csc_matrix) -> SuperLU:
    """Return the sparse factors of a matrix with dominant columns, positive diagonal and no positive off-diagonal."""
    # such an elimination is stable without pivots, and its solves add numbers of one sign: they keep positivity exactly
    return splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
