"""Correlations between the particles' states at two times."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels import ObserverKernel
from sgdphys.kernels.lagging import time_correlation
from sgdphys.observers.lags import LaggedObserver, LagPlan
from sgdphys.observers.observation import Observation, Run, Variables

__all__ = ["TimeCorrelation"]

Array = NDArray[np.float64]
_KERNEL = ObserverKernel(time_correlation)


@dataclass(frozen=True)
class TimeCorrelation(LaggedObserver):
    r"""Correlation matrix :math:`C_{ij}(\tau) = \langle x_i(t_0)\, x_j(t_0 + \tau) \rangle` about both means.

    In a stationary state with detailed balance C is symmetric: its antisymmetric part, (C - C^T)/2, is a test of broken
    detailed balance. Both parts come with standard errors, free of assumptions about the distribution. Particles are
    averaged over, population normalised; origins are kept apart. Only positions are looked at; for velocities save
    frames. Variables, of ``correlation_origin``, ``correlation_lag``, coordinate and coordinate_2:
    ``time_correlation``, ``symmetric_correlation``, ``antisymmetric_correlation``, the last two with
    ``_standard_error``; and ``correlation_count``. Lost particles are left out from then on. Memory: 8 m bytes per
    particle and origin for m coordinates, and (1 + 2 m + 2 m^2)/512 per particle, origin and lag.

    Parameters
    ----------
    lags
        A number of lags, spaced logarithmically between one step and the end of the run, besides the lag 0; or an array
        of times, snapped to steps.
    origin
        Time t0, several of them, or None for the beginning of the run.
    coordinates
        Numbers or names of the coordinates, all by default.
    name
        Word that begins the names of the variables.

    Raises
    ------
    ValueError
        A lag is negative, or an origin no number.
    """

    _with_zero = True

    def observe(self, run: Run) -> Observation:
        """Return the observer made ready for a run; ValueError where times or coordinates lie outside it."""
        plan = self.plan(run.first, run.last, run.clock)
        width = len(self.chosen(run))
        return Observation(
            kernel=_KERNEL,
            parameters=self.parameters(run, plan),
            result=lambda _own, tables, _times: self.named(self._variables(tables, run, plan)),
            own_rows=len(plan.origins) * width,
            rows=plan.ends.size,
            columns=1 + 2 * width + 2 * width**2,
            initial=np.nan,
        )

    def _variables(self, tables: Array, run: Run, plan: LagPlan) -> Variables:
        width = len(self.chosen(run))
        total = functools.reduce(functools.partial(_merged, width=width), tables)
        samples = total[:, 0] - np.sum(tables[:, :, 0] > 0, axis=0)  # the first particle of a granule gives none
        shape = (*plan.ends.shape, width, width)
        full, symmetric, antisymmetric, errors = (part.reshape(shape) for part in _estimates(total, samples, width))
        upper, lower = np.triu(errors), np.tril(errors, -1)
        axes = ("correlation_origin", "correlation_lag")
        whole = width == run.dim
        matrix = (*axes, *(("coordinate", "coordinate_2") if whole else ("chosen_coordinate", "chosen_coordinate_2")))
        return {
            **self.axes(run, plan, "correlation"),
            "correlation_count": (axes, total[:, 0].reshape(plan.ends.shape).astype(np.int64)),
            "time_correlation": (matrix, full),
            "symmetric_correlation": (matrix, symmetric),
            "symmetric_correlation_standard_error": (matrix, upper + _transposed(np.triu(errors, 1))),
            "antisymmetric_correlation": (matrix, antisymmetric),
            "antisymmetric_correlation_standard_error": (matrix, lower + _transposed(lower)),
        }


def _estimates(total: Array, samples: Array, width: int) -> tuple[Array, Array, Array, Array]:
    """Return C, its two parts, and errors: of the symmetric part up from the diagonal, of the other below it."""
    _count, _early, _late, products, squares = _parts(total, width)
    pairs, squares = (part.reshape(-1, width, width) for part in (products, squares))
    with np.errstate(all="ignore"):
        count, number = (values[:, np.newaxis, np.newaxis] for values in (total[:, 0], samples))
        full = np.where(count > 0, pairs / count, np.nan)
        symmetric, antisymmetric = (full + _transposed(full)) / 2, (full - _transposed(full)) / 2
        means = np.triu(symmetric) + np.tril(antisymmetric, -1)
        errors = np.sqrt(np.maximum(squares / number - means**2, 0.0) / count)
    return full, symmetric, antisymmetric, errors


def _parts(table: Array, width: int) -> list[Array]:
    """Return count, means at the origin and later, co-moments, and squared samples of a table (row, column)."""
    return np.split(table, np.cumsum([1, width, width, width**2]), axis=1)


def _merged(a: Array, b: Array, width: int) -> Array:
    """Merge two sets of particles (Chan, Golub & LeVeque 1983, Am. Stat. 37, 242)."""
    (na, early_a, late_a, _, _), (nb, early_b, late_b, _, _) = _parts(a, width), _parts(b, width)
    n = np.maximum(na + nb, 1.0)
    with np.errstate(all="ignore"):
        out = a + b
        _count, early, late, products, _squares = _parts(out, width)
        change = (early_b - early_a)[:, :, np.newaxis] * (late_b - late_a)[:, np.newaxis, :]
        products += change.reshape(-1, width**2) * na * nb / n
        early[...] = early_a + (early_b - early_a) * nb / n
        late[...] = late_a + (late_b - late_a) * nb / n
    return out


def _transposed(matrices: Array) -> Array:
    return np.swapaxes(matrices, -1, -2)
