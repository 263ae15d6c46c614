"""The Fokker-Planck equation on cells: hopping rates that keep probability, positivity and the Gibbs state."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.special import exprel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.fokker_planck.equations import Equation
    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array

__all__ = ["Operator", "bernoulli"]

_EMPTY = 1e-12  # of the largest density: cells below may be empty by rounding


def bernoulli(z: Array) -> Array:
    """Return z / (exp(z) - 1), to rounding for every z; 1 at zero, 0 far to the right, -z far to the left."""
    return np.asarray(1 / exprel(z))


@dataclass(frozen=True)
class Operator:
    r"""Fokker-Planck operator on a grid, as hops between states.

    A face joins the states ``left`` and ``right``; probability crosses it with the net flux ``forward * p[left] -
    backward * p[right]`` per unit of time. The states are the cells, then one for each exit (an absorbing wall or a
    target), which nothing leaves. Reflecting walls have no face.

    Parameters
    ----------
    grid
        The cells.
    left, right
        States on both sides of every face, shape (face,).
    forward, backward
        Hopping rates from left to right and from right to left, shape (face,), in loss/x^2.
    exponents
        Change of Phi/T from left to right along the face, shape (face,); infinite into an exit.
    conductances
        Diffusion across the face over the square of the hop's length, shape (face,), in loss/x^2.
    kinds
        Number of the hop of each face in ``hops``, shape (face,).
    hops
        Hops in cells, shape (hop, coordinate).
    reduced_potential
        Phi/T at the cell centres (cell,), where the stationary state is known; else None.
    equation
        What it came from; None for an operator made by hand.
    exits
        Names of the exits.
    streams
        Whether part of the rates carries probability without diffusion, as velocities do.
    """

    grid: Grid
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    forward: Array
    backward: Array
    exponents: Array
    conductances: Array
    kinds: NDArray[np.int64]
    hops: NDArray[np.int64]
    reduced_potential: Array | None = None
    equation: Equation | None = None
    exits: tuple[str, ...] = ()
    streams: bool = False

    @property
    def size(self) -> int:
        """Number of states: cells and exits."""
        return self.grid.size + len(self.exits)

    @property
    def reach(self) -> int:
        """Longest hop along an axis, in cells: 1, or more for a diffusion along no axis."""
        return int(np.abs(self.hops).max())

    @cached_property
    def matrix(self) -> sparse.csc_matrix:
        """The operator L of dp/dt = L p over all states: columns that sum to zero."""
        rates = np.concatenate([self.forward, self.backward, -self.forward, -self.backward])
        rows = np.concatenate([self.right, self.left, self.left, self.right])
        columns = np.concatenate([self.left, self.right, self.left, self.right])
        return sparse.coo_matrix((rates, (rows, columns)), shape=(self.size, self.size)).tocsc()

    @cached_property
    def negative_share(self) -> float:
        """Most negative hopping rate over the largest one: 0 for an M-matrix, whose solutions stay positive."""
        lowest = min(self.forward.min(), self.backward.min())
        return float(max(0.0, -lowest) / max(self.forward.max(), self.backward.max()))

    def flux(self, state: Array) -> Array:
        """Return what crosses every face (face,) per time from left to right, for densities (state,)."""
        return self.forward * state[self.left] - self.backward * state[self.right]

    def move(self, state: Array, amounts: Array) -> Array:
        """Return the densities (state,) after carrying ``amounts`` (face,) from left to right: no sum changes."""
        gained = np.bincount(self.right, amounts, minlength=self.size)
        lost = np.bincount(self.left, amounts, minlength=self.size)
        return np.asarray(state + (gained - lost))

    @property
    def is_reversible(self) -> bool:
        """Whether detailed balance holds: the stationary state is known and no current flows in it."""
        return self.reduced_potential is not None and not self.streams

    def gibbs(self) -> Array:
        """Return exp(-Phi/T) at the cell centres, normalised, shape (cell,), in 1/x^dim."""
        if self.reduced_potential is None:
            raise ValueError("the drift over the diffusion is no gradient: no Gibbs state is known, use stationary")
        weights = np.exp(self.reduced_potential.min() - self.reduced_potential)
        return np.asarray(weights / (weights.sum() * self.grid.cell_volume))

    def current(self, state: Array) -> Array:
        """Return the probability current at the cell centres: half of what crosses the faces of a cell, times the hops.

        Parameters
        ----------
        state
            Densities, shape (state,), in 1/x^dim.

        Returns
        -------
        Array
            Shape (cell, coordinate), in loss/x^(dim + 1); cells at walls see their inner faces alone.
        """
        inner = self.right < self.grid.size
        flux = np.where(inner, self.flux(state), 0.0)
        steps = self.hops[self.kinds] * np.array(self.grid.spacing)
        sums = [
            np.bincount(side, flux * steps[:, axis], minlength=self.size)[: self.grid.size]
            for axis in range(self.grid.dim)
            for side in (self.left, self.right)
        ]
        return np.stack([(sums[2 * axis] + sums[2 * axis + 1]) / 2 for axis in range(self.grid.dim)], axis=1)

    def entropy_production(self, state: Array) -> float:
        r"""Return the entropy produced per time, :math:`\sum J \ln(k_+ p_l/(k_- p_r))` over the diffusion of all faces.

        It is never negative and tends to the integral of J (T D p)^-1 J as the cells shrink.

        Parameters
        ----------
        state
            Densities, shape (state,).

        Returns
        -------
        float
            In loss/x^2; infinite where a cell is empty beside one with more than 1e-12 of the largest density. Below
            that cells are empty by rounding, and left out.
        """
        inner = (self.right < self.grid.size) & (self.conductances > 0)
        here, there, exponents = state[self.left[inner]], state[self.right[inner]], self.exponents[inner]
        flux = self.conductances[inner] * (bernoulli(exponents) * here - bernoulli(-exponents) * there)
        with np.errstate(divide="ignore", invalid="ignore"):
            affinity = np.log(here) - np.log(there) - exponents
        filled = (here > 0) & (there > 0)
        if not self.negative_share:
            filled |= np.maximum(here, there) > _EMPTY * state.max()
        carrying = (flux != 0) & filled
        return float(self.grid.cell_volume * (flux[carrying] * affinity[carrying]).sum())
