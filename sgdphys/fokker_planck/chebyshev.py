"""The exponential of an operator in detailed balance by Chebyshev polynomials: products instead of factorisations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ive

from sgdphys.kernels.chebyshev_sums import add_chebyshev_terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.protocols import Array

__all__ = ["ChebyshevAction"]

_ROUNDING = 1e-14  # of a sum of products, relative to the largest one
_LOOSEST = 1e-6  # accuracy of the sum that is asked for
_MOST_LEVEL = 600.0  # of Phi/T above its minimum: the root of the stationary density is still a number


@dataclass(frozen=True)
class ChebyshevAction:
    r"""Action of :math:`e^{tL}` where detailed balance makes :math:`S = \pi^{-1/2} L\, \pi^{1/2}` symmetric.

    With the spectrum of S in [-lambda, 0] and :math:`\tau = \lambda t/2`,

    .. math:: e^{tS} = \sum_{k=0}^{m} c_k\, T_k(1 + 2 S/\lambda), \qquad
              c_k = (2 - \delta_{k0})\, e^{-\tau} I_k(\tau),

    whose terms fall like a Gaussian of k^2/(2 tau): about :math:`\sqrt{2 \tau \ln(4/\epsilon)}` products for an error
    epsilon. The error of the density, in total variation, is at most :math:`\chi (\epsilon + \text{rounding})/2` with
    :math:`\chi^2 = \int p^2/\pi`, so that a density where pi is almost 0 is left to other methods. What falls below
    zero by rounding is set to zero, and the sum restored.

    Parameters
    ----------
    operator
        Operator in detailed balance, without exits and negative rates.

    References
    ----------
    Tal-Ezer & Kosloff 1984, J. Chem. Phys. 81, 3967, for propagation in time; Druskin & Knizhnerman 1989, USSR Comput.
    Math. Math. Phys. 29, 112, for the number of terms.
    """

    operator: Operator

    @staticmethod
    def serves(operator: Operator) -> bool:
        """Return whether an operator has what the action needs."""
        level = operator.reduced_potential
        balanced = level is not None and operator.is_reversible and not operator.exits and operator.negative_share == 0
        return bool(balanced and level is not None and np.ptp(level) < _MOST_LEVEL)

    def terms(self, duration: float, accuracy: float) -> int:
        """Return how many terms leave less than ``accuracy``."""
        tau = self._fastest * duration / 2
        return math.ceil(math.sqrt(2 * (tau + 20) * math.log(4 / accuracy))) + 4

    def error(self, density: Array, accuracy: float) -> float:
        """Return the bound of the error in total variation for a density (cell,)."""
        return self._spread(density) * (accuracy + _ROUNDING) / 2

    def accuracy(self, density: Array, tolerance: float) -> float | None:
        """Return an accuracy that keeps the error of a density below a tolerance; None where rounding forbids it."""
        spread = self._spread(density)
        if not spread * _ROUNDING < tolerance:
            return None
        return min(_LOOSEST, max(0.1 * tolerance / spread, _ROUNDING))

    def __call__(self, density: Array, duration: float, accuracy: float) -> Array:
        """Return the density (cell,) after a duration."""
        count = self.terms(duration, accuracy)
        coefficients = 2 * ive(np.arange(count), self._fastest * duration / 2)
        diagonals, offsets = self._doubled
        before = density / self._root
        now = self._half_product(before)
        total = coefficients[0] / 2 * before + coefficients[1] * now
        add_chebyshev_terms(diagonals, offsets, coefficients, before, now, total)
        found = np.maximum(total * self._root, 0.0)
        return np.asarray(found * (density.sum() / found.sum()))

    def _spread(self, density: Array) -> float:
        scaled = density / self._root
        return float(np.sqrt((scaled**2).sum() / self.operator.grid.cell_volume) / density.sum())

    @cached_property
    def _root(self) -> Array:
        return np.sqrt(self.operator.gibbs())

    @cached_property
    def _fastest(self) -> float:
        """Gershgorin's bound of the fastest rate."""
        return float((self._leaving + self._neighbours).max())

    @property
    def _crossing(self) -> Array:
        return np.sqrt(self.operator.forward * self.operator.backward)

    @property
    def _leaving(self) -> Array:
        operator = self.operator
        rates = np.concatenate([operator.forward, operator.backward])
        ends = np.concatenate([operator.left, operator.right])
        return np.bincount(ends, rates, minlength=operator.size).astype(np.float64)

    @property
    def _neighbours(self) -> Array:
        operator, crossing = self.operator, self._crossing
        ends = np.concatenate([operator.left, operator.right])
        return np.bincount(ends, np.concatenate([crossing, crossing]), minlength=operator.size).astype(np.float64)

    def _half_product(self, vector: Array) -> Array:
        """Return (1 + 2 S/lambda) times a vector: half a step of the recurrence from 0."""
        diagonals, offsets = self._doubled
        product, nothing = np.zeros_like(vector), np.zeros_like(vector)
        add_chebyshev_terms(diagonals, offsets, np.array([0.0, 0.0, 0.5]), nothing, vector.copy(), product)
        return product

    @cached_property
    def _doubled(self) -> tuple[Array, NDArray[np.int64]]:
        """The matrix 2 (1 + 2 S/lambda) by its diagonals: the middle one, then those above."""
        operator, scale = self.operator, 4 / self._fastest
        low, high = np.minimum(operator.left, operator.right), np.maximum(operator.left, operator.right)
        offsets, kind = np.unique(high - low, return_inverse=True)
        diagonals = np.zeros((len(offsets) + 1, operator.size))
        np.add.at(diagonals, (kind.ravel() + 1, low), scale * self._crossing)
        diagonals[0] = 2 - scale * self._leaving
        return diagonals, np.concatenate([[0], offsets])
