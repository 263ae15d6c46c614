"""From where on a particle counts as gone to infinity."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels.divergence import BOUND
from sgdphys.simulation.dynamics import Dynamics
from sgdphys.simulation.lines import SOME_TIMES, bare_temperature

__all__ = ["FAR", "LARGEST_STORED", "MOST_COORDINATES", "MOST_POINTS", "bound_of", "minima_of", "some_of"]

Array = NDArray[np.float64]
FAR = 1e3
LARGEST_STORED = {"float64": BOUND, "float32": 1e38}  # what lies beyond cannot be kept, so it is lost
MOST_GROWTH = 1e9  # from a start that is known to be unstable
UNKNOWN_GROWTH = 1e3
MOST_COORDINATES = 200  # above, matrices over the coordinates would take too long
MOST_POINTS = 64


def bound_of(dynamics: Dynamics, state: Array, begin: float, end: float) -> float:
    r"""Return the coordinate beyond which a particle is lost: a thousand times the scale of the run.

    The scale is :math:`1 + \max|x_0| + \max|x_\mathrm{min}| + \sqrt{2 T D t} + |\nabla f(x_0)|\, t`: unity, the
    farthest start, the farthest known minimum, the spread of free diffusion and the way of a steady drift (the median
    of the starts, under a protocol that of its strongest pull), over the whole time t. Only growth that feeds itself
    gets a thousand times as far; where a start is unstable, curvature -k, the bound is larger by :math:`e^{k t}`, at
    most by 1e9; by 1000 where the curvature is not known. With momentum t is longer by 1/(1 - mu); underdamped
    particles fly, by :math:`|v_0| t`, :math:`\sqrt{T D}\, t` and :math:`|\nabla f| t^2`. A particle between the scale
    and the bound is still one of the cloud, also when it is on its way out; a run that is cut at other places agrees
    on who is lost as long as nobody returns from beyond. Noise that depends on the place, real minibatches, and stable
    noise have heavy tails: nothing below 1e70 is lost then.

    Parameters
    ----------
    dynamics
        Landscape, noise and temperature.
    state
        Starting state, (particle, row).
    begin, end
        Times of the run.

    Returns
    -------
    float
        The bound, in x; at most 1e70.
    """
    if not getattr(dynamics.noise, "additive", True):
        return BOUND
    dim = dynamics.dim
    positions = state[:, :dim]
    minima = float(np.abs(minima_of(dynamics)).max(initial=0.0))
    points = some_of(positions)
    frozen = _frozen(dynamics, begin, end)
    time = (end - begin) / (1.0 - (0.0 if dynamics.sgd is None else dynamics.sgd.momentum))
    with np.errstate(all="ignore"):
        diffusivity = bare_temperature(dynamics, begin, end) * _diffusion(dynamics, points)
        drift = max(_drift(landscape, points) for landscape in frozen)
        way = np.sqrt(2 * diffusivity * time) + drift * time
        if _flies(dynamics):
            way += (_farthest(state[:, dim:]) + np.sqrt(diffusivity) + drift * time) * time
        growth = max(_growth(dynamics, landscape, points, time) for landscape in frozen)
        bound = FAR * float(1.0 + _farthest(positions) + minima + way) * growth
    return bound if bound < BOUND else BOUND


def _flies(dynamics: Dynamics) -> bool:
    """Return whether particles have a velocity of their own, dx = v dt."""
    return dynamics.rows > dynamics.dim and dynamics.sgd is None


def _farthest(values: Array) -> float:
    """Return the largest magnitude of numbers that are not NaN, without a copy of them."""
    return max(
        float(np.fmax.reduce(values, axis=None, initial=0.0)), -float(np.fmin.reduce(values, axis=None, initial=0.0))
    )


def _frozen(dynamics: Dynamics, begin: float, end: float) -> list[Any]:
    """Return the landscape, or what it is at the two extremes of its protocol."""
    landscape: Any = dynamics.landscape
    if not hasattr(landscape, "protocol"):
        return [landscape]
    times = np.linspace(begin, end, SOME_TIMES)
    strengths = landscape.protocol(times)
    return [landscape.at(float(times[k])) for k in (np.argmin(strengths), np.argmax(strengths))]


def _growth(dynamics: Dynamics, landscape: Any, points: Array, time: float) -> float:
    """Return by how much the linear instability of the starts may carry a particle away."""
    if not hasattr(landscape, "hessian") or dynamics.dim > MOST_COORDINATES or not len(points):
        return UNKNOWN_GROWTH
    hessians = np.asarray(landscape.hessian(points))
    hessians = hessians[np.isfinite(hessians).all(axis=(1, 2))]
    symmetric = (hessians + hessians.transpose(0, 2, 1)) / 2  # the rate of growth, also where the drift circulates
    rate = -float(np.linalg.eigvalsh(symmetric).min(initial=0.0)) if len(hessians) else np.inf
    if _flies(dynamics):
        rate = max(rate, np.sqrt(rate))
    return float(np.exp(min(rate * time, np.log(MOST_GROWTH))))


def minima_of(dynamics: Dynamics) -> Array:
    """Return the landscape's known minima, (minimum, coordinate)."""
    minima = getattr(dynamics.landscape, "minima", np.empty((0, dynamics.dim)))
    return np.asarray(minima, dtype=np.float64).reshape(-1, dynamics.dim)


def some_of(positions: Array) -> Array:
    """Return some finite ones of the positions (particle, coordinate), evenly chosen."""
    some = np.array(positions[:: max(1, len(positions) // MOST_POINTS)][:MOST_POINTS])
    return some[np.isfinite(some).all(axis=1)]


def _diffusion(dynamics: Dynamics, points: Array) -> float:
    if dynamics.dim > MOST_COORDINATES or not len(points):
        return 1.0
    return float(np.nanmax(np.einsum("pii->pi", dynamics.noise.diffusion(points)), initial=0.0))


def _drift(landscape: Any, points: Array) -> float:
    if not (hasattr(landscape, "gradient") and len(points)):
        return 0.0
    strength = np.abs(landscape.gradient(points)).max(axis=1)
    strength = strength[np.isfinite(strength)]
    return float(np.median(strength)) if len(strength) else 0.0
