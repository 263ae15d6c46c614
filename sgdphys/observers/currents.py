"""Integrated currents: how far each particle went round, and how much a linear field did along its path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.checks import number_array
from sgdphys.kernels import ObserverKernel
from sgdphys.kernels.currents import integrated_current
from sgdphys.kernels.divergence import BOUND
from sgdphys.observers.choices import coordinate_numbers
from sgdphys.observers.moments import moments_of
from sgdphys.observers.naming import NamedObserver
from sgdphys.observers.observation import Observation, Run, Variables

__all__ = ["Currents"]

Array = NDArray[np.float64]
_KERNEL = ObserverKernel(integrated_current)
_COLUMNS = 5  # moments of one number


@dataclass(frozen=True)
class Currents(NamedObserver):
    r"""The integral :math:`K = \int (W x) \circ dx` along each particle's path, with Stratonovich's midpoint.

    By default that of a plane, :math:`K = \int (x\,dy - y\,dx)`, twice the area that the path sweeps: in a stationary
    state its rate is zero with detailed balance, and half of it is the area rate. For drift -A x and noise with 2 T D,
    W = -D^{-1} Q S^{-1}/T with Q = A S - T D gives the entropy production along the path, whose mean rate is the
    entropy production rate and for which <exp(-K)> = 1 from the stationary state on.

    Variables: ``integrated_current(particle)`` at the end, NaN for lost particles, and over the particles at the
    observer's times ``current_mean``, ``current_variance``, both with ``_standard_error``, ``current_rate`` (the mean
    over the time so far) and ``current_count``. Memory: 8 bytes per particle, and 1/51 per particle and time.

    Parameters
    ----------
    plane
        Two coordinates by number or name.
    weight
        W (coordinate, coordinate) instead of a plane's.
    at
        Number of equally spaced times including both ends (1: the end), or an array of times.
    name
        Word that begins the names of the variables.

    Raises
    ------
    ValueError
        The plane is no pair or the weight no finite square matrix.

    References
    ----------
    Seifert 2012, Rep. Prog. Phys. 75, 126001, section 2, for entropy production along a path.
    """

    plane: tuple[int | str, int | str] = (0, 1)
    weight: ArrayLike | None = None
    at: int | ArrayLike = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weight is not None:
            matrix = number_array("weight", self.weight)
            if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.all(np.isfinite(matrix)):
                raise ValueError(f"weight must be a finite square matrix, got shape {matrix.shape}")
        elif not isinstance(self.plane, (tuple, list)) or len(self.plane) != 2:
            raise ValueError(f"plane must be two coordinates such as (0, 1), got {self.plane!r:.60}")

    def observe(self, run: Run) -> Observation:
        """Return the observer made ready for a run; ValueError where it has no such coordinates."""
        entries = self._entries(run)
        numbers = [1.0, BOUND, run.dim, run.bound, len(entries)]
        start = float(run.clock.time(run.first))
        return Observation(
            kernel=_KERNEL,
            parameters=np.concatenate([numbers, *entries]).astype(np.float64),
            result=lambda own, tables, times: self.named(_variables(own[0], tables, times, start)),
            every_step=True,
            own_rows=1,
            columns=2 * _COLUMNS,
        )

    def _entries(self, run: Run) -> list[tuple[float, float, float]]:
        if self.weight is None:
            first, second = coordinate_numbers(self.plane, run)
            return [(second, first, 1.0), (first, second, -1.0)]
        matrix = np.asarray(self.weight, dtype=np.float64)
        if len(matrix) != run.dim:
            raise ValueError(f"weight must have the shape ({run.dim}, {run.dim}), got {matrix.shape}")
        return [(i, j, float(matrix[i, j])) for i, j in np.argwhere(matrix)]


def _variables(own: Array, tables: Array, times: Array, start: float) -> Variables:
    moments = moments_of(tables[:, :, :_COLUMNS], 1, times)
    axis = ("current_time",)
    taken: dict[str, Any] = {name: np.reshape(moments[name][1], len(times)) for name in moments}
    elapsed = np.where(times > start, times - start, np.nan)
    return {
        "integrated_current": (("particle",), own),
        "current_time": (axis, times),
        "current_count": (axis, taken["moment_count"]),
        "current_mean": (axis, taken["mean"]),
        "current_mean_standard_error": (axis, taken["mean_standard_error"]),
        "current_rate": (axis, taken["mean"] / elapsed),
        "current_rate_standard_error": (axis, taken["mean_standard_error"] / elapsed),
        "current_variance": (axis, taken["covariance"]),
        "current_variance_standard_error": (axis, taken["variance_standard_error"]),
    }
