"""Implicit time steps of the Fokker-Planck equation: fifth order, positive, probability kept, step size by error."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import comb, roots_laguerre

from sgdphys.fokker_planck.factorisation import implicit_solver
from sgdphys.fokker_planck.operator import Operator

if TYPE_CHECKING:
    from collections.abc import Callable

    from sgdphys.protocols import Array

__all__ = ["Stepper"]

_STAGES = 5
_POLE = float(1 / roots_laguerre(_STAGES)[0][2])  # the middle root: L-stable, |r(z)| < 1 and r(z) > 0 for all z < 0
_FINEST = 60  # halvings of an output interval before giving up
_LARGE = 200_000  # states above which one factorisation at a time is kept


def _weights(stages: int) -> Array:
    """Weights a_k that make sum_k a_k (1 - pole z)^(-k) agree with exp(z) up to z^(stages - 1)."""
    powers = np.arange(stages)[:, None]
    taylor = comb(np.arange(1, stages + 1) + powers - 1, powers) * _POLE**powers
    return np.linalg.solve(taylor, [1 / math.factorial(power) for power in range(stages)])


_FIFTH = _weights(_STAGES)
_THIRD = np.append(_weights(_STAGES - 1), 0.0)
_WHOLE = int(1 / _POLE)  # positive weights of first order: two numbers of pole steps, mixed to last dt
_POSITIVE = np.zeros(_STAGES)
_POSITIVE[[_WHOLE - 1, _WHOLE]] = _WHOLE + 1 - 1 / _POLE, 1 / _POLE - _WHOLE


@dataclass(frozen=True)
class Stepper:
    r"""Time steps of dp/dt = L p with an error estimate.

    One step solves :math:`(1 - \gamma\,dt\,L) v_k = v_{k-1}`, k = 1 ... 5, with one factorisation, and returns
    :math:`\sum_k a_k v_k`, which agrees with exp(dt L) p to fifth order and damps every mode. The same stages give a
    third-order result, whose distance is the error estimate, and a positive mixture of first order. No linear method of
    higher order than one is positive for every step; where the fifth-order result would empty a cell below zero, the
    flux that it sends out beyond the positive result's is cut to what the cell holds.

    Kept by construction: positivity (all stages are products of matrices without negative entries) and the Gibbs state;
    probability to the rounding of a solve, which is divided out. States are cells, then exits, which gather what left.
    An operator with negative rates has no limiter and no positivity.

    Parameters
    ----------
    operator
        Operator on a grid.
    tolerance
        Largest error of a step, in total variation (half the integral of the absolute difference).

    References
    ----------
    Hairer & Wanner 1996, Solving Ordinary Differential Equations II, section IV.6, table 6.4 (gamma = .27805384);
    Bolley & Crouzeix 1978, RAIRO Anal. Numer. 12, 237 (order barrier of positivity); Zalesak 1979, J. Comput. Phys. 31,
    335 (flux limiter).
    """

    operator: Operator
    tolerance: float
    _solvers: dict[float, Callable[[Array], Array]] = field(default_factory=dict, repr=False, compare=False)

    def advance(self, density: Array, interval: float, first_step: float) -> tuple[Array, float, float]:
        """Carry a density over an interval in steps of interval / 2^m, m chosen by the error.

        Parameters
        ----------
        density
            Shape (state,).
        interval
            Length in time; positive.
        first_step
            Guess for the first step.

        Returns
        -------
        tuple
            The density after the interval, the sum of the error estimates, and the last step.

        Raises
        ------
        ValueError
            The tolerance is not reached with any step: it is below rounding.
        """
        halvings = max(0, math.ceil(math.log2(interval / first_step)))
        position, error_sum = 0, 0.0  # position counts steps of the present length
        while position < 2**halvings:
            candidate, error = self.step(density, interval / 2**halvings)
            if error > self.tolerance:
                halvings, position = halvings + 1, 2 * position
                if halvings > _FINEST:
                    raise ValueError(f"tolerance={self.tolerance} is not reached by any time step; use a larger one")
                continue
            density, error_sum, position = candidate, error_sum + error, position + 1
            if error < self.tolerance / 2**_STAGES and position % 2 == 0 and halvings > 0:
                halvings, position = halvings - 1, position // 2
        return density, error_sum, interval / 2**halvings

    def first_step(self, density: Array) -> float:
        """Return a step that the tolerance may allow: tolerance^(1/5) over the initial rate of change."""
        change = np.abs(self.operator.matrix @ density).sum() / np.abs(density).sum()
        return float(self.tolerance ** (1 / _STAGES) / max(change, 1e-300))

    def step(self, density: Array, dt: float) -> tuple[Array, float]:
        """Return the density (state,) after one step ``dt`` and the estimated error in total variation."""
        solve = self._solver(dt)
        stages = [density]
        for _ in range(_STAGES):
            stages.append(solve(stages[-1]))
        results = np.array(stages[1:])
        fifth = _FIFTH @ results
        error = 0.5 * self.operator.grid.cell_volume * float(np.abs(fifth - _THIRD @ results).sum())
        if fifth.min() < 0 and self.operator.negative_share == 0:
            fifth = self._limited(results, dt)
        return fifth * (density.sum() / fifth.sum()), error

    def _limited(self, stages: Array, dt: float) -> Array:
        # v_k = p + pole dt L (v_1 + ... + v_k): every combination of stages is a transport through the faces
        operator = self.operator
        surplus = np.cumsum((_FIFTH - _POSITIVE)[::-1])[::-1]
        flux = _POLE * dt * operator.flux(surplus @ stages)
        positive = _POSITIVE @ stages
        donor = np.where(flux > 0, operator.left, operator.right)
        outflow = np.bincount(donor, np.abs(flux), minlength=positive.size)
        allowed = np.minimum(1.0, np.divide(positive, outflow, out=np.ones_like(positive), where=outflow > 0))
        return np.maximum(operator.move(positive, flux * allowed[donor]), 0.0)

    def _solver(self, dt: float) -> Callable[[Array], Array]:
        if dt not in self._solvers:
            while len(self._solvers) > 3 or (self._solvers and self.operator.size > _LARGE):
                self._solvers.pop(next(iter(self._solvers)))
            self._solvers[dt] = implicit_solver(self.operator, _POLE * dt)
        return self._solvers[dt]
