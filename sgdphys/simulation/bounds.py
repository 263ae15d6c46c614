"""From where on a particle counts as gone to infinity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels.divergence import BOUND
from sgdphys.simulation.dynamics import Dynamics
from sgdphys.simulation.lines import bare_temperature

__all__ = ["FAR", "MOST_COORDINATES", "MOST_POINTS", "bound_of", "minima_of", "some_of"]

Array = NDArray[np.float64]
FAR = 1e3
MOST_GROWTH = 1e9  # from a start that is known to be unstable
UNKNOWN_GROWTH = 1e3
MOST_COORDINATES = 200  # above, matrices over the coordinates would take too long
MOST_POINTS = 64


def bound_of(dynamics: Dynamics, state: Array, time: float) -> float:
    r"""Return the coordinate beyond which a particle is lost: a thousand times the scale of the run.

    The scale is :math:`1 + \max|x_0| + \max|x_\mathrm{min}| + \sqrt{2 T D t} + |\nabla f(x_0)|\, t`: unity, the
    farthest start, the farthest known minimum, the spread of free diffusion and the way of a steady drift (the median
    of the starts), over the whole time t. Only growth that feeds itself gets a thousand times as far; where a start is
    unstable, curvature -k, the bound is larger by :math:`e^{k t}`, at most by 1e9; by 1000 where the curvature is
    not known. A particle between the scale and the bound is still one of the cloud, also when it is on
    its way out; a run that is cut at other places agrees on who is lost as long as nobody returns from beyond. Noise
    that depends on the place, real minibatches, and stable noise have heavy tails: nothing below 1e70 is lost then.

    Parameters
    ----------
    dynamics
        Landscape, noise and temperature.
    state
        Starting state, (particle, row).
    time
        End of the run.

    Returns
    -------
    float
        The bound, in x; at most 1e70.
    """
    if not getattr(dynamics.noise, "additive", True):
        return BOUND
    dim = dynamics.dim
    positions = state[:, :dim]
    farthest = max(
        float(np.fmax.reduce(positions, axis=None, initial=0.0)),
        -float(np.fmin.reduce(positions, axis=None, initial=0.0)),
    )
    minima = float(np.abs(minima_of(dynamics)).max(initial=0.0))
    points = some_of(positions)
    with np.errstate(all="ignore"):
        spread = np.sqrt(2 * bare_temperature(dynamics, time) * _diffusion(dynamics, points) * time)
        scale = 1.0 + farthest + minima + spread + _drift(dynamics, points) * time
        bound = FAR * float(scale) * _growth(dynamics, points, time)
    return bound if bound < BOUND else BOUND


def _growth(dynamics: Dynamics, points: Array, time: float) -> float:
    """Return by how much the linear instability of the starts may carry a particle away."""
    if not hasattr(dynamics.landscape, "hessian") or dynamics.dim > MOST_COORDINATES or not len(points):
        return UNKNOWN_GROWTH
    hessians = np.asarray(dynamics.landscape.hessian(points))
    hessians = hessians[np.isfinite(hessians).all(axis=(1, 2))]
    rate = -float(np.linalg.eigvalsh(hessians).min(initial=0.0)) if len(hessians) else np.inf
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


def _drift(dynamics: Dynamics, points: Array) -> float:
    if not (hasattr(dynamics.landscape, "gradient") and len(points)):
        return 0.0
    strength = np.abs(dynamics.landscape.gradient(points)).max(axis=1)
    strength = strength[np.isfinite(strength)]
    return float(np.median(strength)) if len(strength) else 0.0
