"""Mean and covariance of the cloud in time."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.kernels import ObserverKernel
from sgdphys.kernels.observing import moments
from sgdphys.observers.naming import NamedObserver
from sgdphys.observers.observation import Observation, Run, Variables

__all__ = ["Moments", "moments_of"]

Array = NDArray[np.float64]
_KERNEL = ObserverKernel(moments)


@dataclass(frozen=True)
class Moments(NamedObserver):
    r"""Mean, covariance and their standard errors, reduced while the run goes on.

    Variables, of ``moment_time`` and coordinate: ``mean`` and ``covariance`` (also of coordinate_2), with
    ``mean_standard_error``, ``variance_standard_error`` (of the diagonal) and ``moment_count``. The covariance is the
    population one, divided by the number n of particles that are not lost. Standard errors: sqrt(Var/n) for the mean,
    sqrt((m4 - Var^2)/n) for a variance with m4 the fourth central moment. The result does not depend on threads or
    blocks to the bit. Memory: a table for each 4096 particles, (1 + 3 d + d^2) / 256 bytes per particle and time
    (d = 1: 2 bytes per particle for 101 times).

    Parameters
    ----------
    at
        Number of equally spaced times including both ends, or an array of times.
    name
        Word that begins the names of the variables.
    """

    at: int | ArrayLike = 101

    def observe(self, run: Run) -> Observation:
        """Return the observer made ready for a run."""
        size = 1 + 3 * run.dim + run.dim**2
        return Observation(
            kernel=_KERNEL,
            parameters=np.array([float(run.dim), run.bound]),
            result=lambda _own, tables, times: self.named(moments_of(tables[:, :, :size], run.dim, times)),
            columns=2 * size,
        )


def moments_of(granules: Array, dim: int, times: Array) -> Variables:
    """Return the variables of tables (granule, time, column) as ``kernels.observing.moments`` fills them."""
    with np.errstate(all="ignore"):  # a particle on its way to infinity overflows the fourth powers
        total = functools.reduce(functools.partial(_merged, dim=dim), granules)
        count = total[:, 0]
        mean, second, _third, fourth = (part / count[:, None] for part in _parts(total, dim))
        variance = second[:, np.arange(dim) * (dim + 1)]
        mean = np.where(count[:, None] > 0, total[:, 1 : 1 + dim], np.nan)
        mean_error = np.sqrt(variance / count[:, None])
        variance_error = np.sqrt(np.maximum(fourth - variance**2, 0.0) / count[:, None])
    axes = ("moment_time", "coordinate")
    return {
        "moment_time": (("moment_time",), times),
        "moment_count": (("moment_time",), count.astype(np.int64)),
        "mean": (axes, mean),
        "mean_standard_error": (axes, mean_error),
        "covariance": ((*axes, "coordinate_2"), second.reshape(-1, dim, dim)),
        "variance_standard_error": (axes, variance_error),
    }


def _parts(table: Array, dim: int) -> tuple[Array, Array, Array, Array]:
    """Return mean, co-moments, third and fourth central sums of a table (time, column)."""
    ends = np.cumsum([1, dim, dim * dim, dim, dim])
    mean, second, third, fourth = (table[:, first:last] for first, last in itertools.pairwise(ends))
    return mean, second, third, fourth


def _merged(a: Array, b: Array, dim: int) -> Array:
    """Merge the moments of two sets of particles, for all times at once (Pebay 2008, SAND2008-6212, eqs. 1.6-3.1)."""
    na, nb = a[:, :1], b[:, :1]
    n = np.maximum(na + nb, 1.0)
    mean_a, second_a, third_a, _ = _parts(a, dim)
    mean_b, second_b, third_b, _ = _parts(b, dim)
    delta = mean_b - mean_a
    diagonal = np.arange(dim) * (dim + 1)
    variance_a, variance_b = second_a[:, diagonal], second_b[:, diagonal]
    out = a + b
    mean, second, third, fourth = _parts(out, dim)
    fourth += delta**4 * na * nb * (na**2 - na * nb + nb**2) / n**3
    fourth += 6 * delta**2 * (na**2 * variance_b + nb**2 * variance_a) / n**2
    fourth += 4 * delta * (na * third_b - nb * third_a) / n
    third += delta**3 * na * nb * (na - nb) / n**2 + 3 * delta * (na * variance_b - nb * variance_a) / n
    second += (delta[:, :, None] * delta[:, None, :] * (na * nb / n)[:, :, None]).reshape(-1, dim**2)
    mean[...] = mean_a + delta * nb / n
    return out
