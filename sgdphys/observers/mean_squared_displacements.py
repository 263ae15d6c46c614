"""Mean squared displacement against time lag."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels import ObserverKernel
from sgdphys.kernels.lagging import squared_displacements
from sgdphys.observers.lags import LaggedObserver, LagPlan
from sgdphys.observers.observation import Observation, Run, Variables

__all__ = ["MeanSquaredDisplacement"]

Array = NDArray[np.float64]
_KERNEL = ObserverKernel(squared_displacements)


@dataclass(frozen=True)
class MeanSquaredDisplacement(LaggedObserver):
    r"""Mean squared displacement :math:`\langle |x(t_0 + \tau) - x(t_0)|^2 \rangle` over the particles.

    With its standard error, and for each coordinate apart; displacements from a second origin are those of the same
    particles, so origins are kept apart. Variables: ``mean_squared_displacement(displacement_origin,
    displacement_lag)``, ``squared_displacement`` (also of the coordinate), both with ``_standard_error``, and
    ``displacement_count``. Lost particles are left out from then on. Memory: 8 m bytes per particle and origin for m
    coordinates, and (3 + 2 m)/512 per particle, origin and lag.

    Parameters
    ----------
    lags
        A number of lags, spaced logarithmically between one step and the end of the run, or an array of times, snapped
        to steps.
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
            columns=3 + 2 * width,
            initial=np.nan,
        )

    def _variables(self, tables: Array, run: Run, plan: LagPlan) -> Variables:
        total = functools.reduce(_merged, tables).reshape(*plan.ends.shape, -1)
        count = total[..., 0]
        with np.errstate(all="ignore"):
            mean = np.where(count[..., np.newaxis] > 0, total[..., 1::2], np.nan)
            error = np.sqrt(np.maximum(total[..., 2::2], 0)) / count[..., np.newaxis]
        axes = ("displacement_origin", "displacement_lag")
        return {
            **self.axes(run, plan, "displacement"),
            "displacement_count": (axes, count.astype(np.int64)),
            "mean_squared_displacement": (axes, mean[..., 0]),
            "mean_squared_displacement_standard_error": (axes, error[..., 0]),
            "squared_displacement": ((*axes, _coordinates(self, run)), mean[..., 1:]),
            "squared_displacement_standard_error": ((*axes, _coordinates(self, run)), error[..., 1:]),
        }


def _coordinates(observer: LaggedObserver, run: Run) -> str:
    return "coordinate" if len(observer.chosen(run)) == run.dim else "chosen_coordinate"


def _merged(a: Array, b: Array) -> Array:
    """Merge counts, means and sums of squared deviations (Chan, Golub & LeVeque 1983, Am. Stat. 37, 242)."""
    na, nb = a[:, :1], b[:, :1]
    n = np.maximum(na + nb, 1.0)
    with np.errstate(all="ignore"):
        delta = b[:, 1::2] - a[:, 1::2]
        out = a + b
        out[:, 1::2] = a[:, 1::2] + delta * nb / n
        out[:, 2::2] += delta**2 * na * nb / n
    return out
