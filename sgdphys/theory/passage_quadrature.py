"""The integrals behind mean times of first passage on a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.polynomial import legendre

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.protocols import Landscape, Noise

    Array = NDArray[np.float64]

__all__ = [
    "NODES", "WEIGHTS", "Interpretation", "LineProcess", "Panels", "check_parts", "end_of_density", "line_process",
    "passage_time", "share_of_noise",
]  # fmt: skip

Interpretation = Literal["ito", "stratonovich", "hanggi-klimontovich"]
_SHARES = {"ito": 1.0, "stratonovich": 0.5, "hanggi-klimontovich": 0.0}
NODES, WEIGHTS = legendre.leggauss(12)
_REACHED, _TOLERABLE = 1e-9, 1e-6  # relative change from one refinement to the next
_PANELS = tuple(2**k for k in range(5, 14))
_DEPTH = 60.0  # a density e^-60 below its maximum no longer counts
_DOUBLINGS = 40


def _running_integrals() -> Array:
    """Return the matrix that takes values at the nodes to the integrals from -1 to each node."""
    polynomials = legendre.legvander(NODES, len(NODES) - 1)
    integrals = [legendre.legval(NODES, legendre.legint(unit, lbnd=-1)) for unit in np.eye(len(NODES))]
    return np.asarray(np.linalg.solve(polynomials.T, np.array(integrals)).T)


_RUNNING = _running_integrals()


class Panels(NamedTuple):
    """Gauss points on adjoining stretches of the line."""

    points: Array  # (panel, node)
    widths: Array  # (panel, 1), half of each

    @classmethod
    def between(cls, low: float, high: float, count: int) -> Panels:
        """Return equal panels from low to high."""
        edges = np.linspace(low, high, count + 1)
        half = np.diff(edges)[:, None] / 2
        return cls(edges[:-1, None] + half * (1 + NODES), half)

    def running(self, values: Array) -> Array:
        """Return the integral of the values from the first edge to each point."""
        totals = (self.widths[:, 0] * (values @ WEIGHTS))[:-1]
        return np.asarray(np.append(0.0, np.cumsum(totals))[:, None] + self.widths * (values @ _RUNNING.T))

    def weights(self) -> Array:
        """Return the weight of each point in an integral."""
        return np.asarray(self.widths * WEIGHTS)

    def integral(self, values: Array) -> float:
        """Return the integral of the values over all panels."""
        return float(np.sum(self.weights() * values))


@dataclass(frozen=True)
class LineProcess:
    """Drift and diffusion on a line; ``share`` is 1 for Ito, 1/2 for Stratonovich, 0 for Haenggi-Klimontovich."""

    landscape: Landscape
    noise: Noise | None
    temperature: float
    share: float

    def __post_init__(self) -> None:
        if self.landscape.dim != 1:
            raise ValueError(f"the landscape must have one coordinate, got {self.landscape.dim}; use fokker_planck")

    def diffusion(self, x: Array) -> Array:
        """Return D at points of any shape.

        Returns
        -------
        Array
            D in loss^2/x^2, the shape of ``x``.

        Raises
        ------
        ValueError
            It is not positive and finite somewhere.
        """
        if self.noise is None:
            return np.ones(x.shape)
        D = np.asarray(self.noise.diffusion(np.ascontiguousarray(x.reshape(-1, 1)))).reshape(x.shape)
        bad = ~(np.isfinite(D) & (D > 0))
        if bad.any():
            raise ValueError(f"the diffusion must be positive and finite, got {D[bad][0]:g} at x = {x[bad][0]:g}")
        return D

    def reduced_slope(self, x: Array) -> Array:
        """Return f'/(T D) at points of any shape."""
        slope = np.asarray(self.landscape.gradient(np.ascontiguousarray(x.reshape(-1, 1)))).reshape(x.shape)
        return np.asarray(slope / (self.temperature * self.diffusion(x)))

    def barrier(self, low: float, high: float) -> float:
        """Return the integral of f'/(T D) from one point to another."""
        panels = Panels.between(low, high, _PANELS[-4])
        return panels.integral(self.reduced_slope(panels.points))

    def reduced_potential(self, panels: Panels) -> Array:
        """Return Psi at the points of the panels, up to a constant."""
        return panels.running(self.reduced_slope(panels.points)) + self.share * np.log(self.diffusion(panels.points))


def check_parts(landscape: object, noise: object) -> None:
    """Raise ValueError unless they are a landscape, which has ``dim``, and a noise, which has ``diffusion``.

    Raises
    ------
    ValueError
        One of them is not.
    """
    if not hasattr(landscape, "dim"):
        raise ValueError(f"the landscape must have dim and gradient(x), got {type(landscape).__name__}")
    if hasattr(landscape, "protocol"):
        raise ValueError("the landscape changes in time, these formulas are for a gradient that is constant in time; "
                         "use landscape.at(time), or fokker_planck")  # fmt: skip
    if noise is not None and not hasattr(noise, "diffusion"):
        raise ValueError(f"the noise must have diffusion(x), got {type(noise).__name__}; None is D = 1")


def line_process(
    landscape: Landscape, noise: Noise | None, temperature: float, interpretation: str | None
) -> LineProcess:
    """Return the process of a landscape and a noise on a line; a noise that takes D from a landscape takes it here.

    Parameters
    ----------
    landscape, noise
        As the public functions take them.
    temperature
        T, in x^2/loss.
    interpretation
        None for the noise's own.

    Returns
    -------
    LineProcess
        Drift and diffusion.
    """
    check_parts(landscape, noise)
    share = share_of_noise(noise, interpretation)
    bound = noise.bound(landscape) if noise is not None and hasattr(noise, "bound") else noise
    return LineProcess(landscape, bound, temperature, share)


def share_of_noise(noise: Noise | None, interpretation: str | None) -> float:
    """Return kappa, the share of ln D that belongs to the potential of the stationary state.

    Returns
    -------
    float
        1, 1/2 or 0; by the noise where no interpretation is given.

    Raises
    ------
    ValueError
        The interpretation is unknown.
    """
    name = interpretation if interpretation is not None else getattr(noise, "interpretation", "ito")
    if name not in list(_SHARES):
        raise ValueError(f"interpretation must be one of {', '.join(_SHARES)}, got {name!r}")
    return _SHARES[name]


def passage_time(process: LineProcess, start: float, target: float, wall: float | None) -> float:
    """Return the mean time from start to target, with the line closed at ``wall`` or where the density ends.

    Returns
    -------
    float
        The time, in x^2/loss.

    Raises
    ------
    ValueError
        The far side is open, the integrals do not settle, or the time is too long for a number.
    """
    if start == target:
        return 0.0
    far = end_of_density(process, start, target) if wall is None else wall
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        times = [_time(process, far, start, target, _PANELS[0])]
        for count in _PANELS[1:]:
            times.append(_time(process, far, start, target, count))
            if abs(times[-1] - times[-2]) <= _REACHED * times[-1]:
                break
    if times[-1] == np.inf:
        raise ValueError("the time of first passage is too long for a number: raise the temperature")
    if not abs(times[-1] - times[-2]) <= _TOLERABLE * times[-1]:
        raise ValueError("the integrals do not settle: the landscape or the diffusion varies too fast for 8192 panels")
    return times[-1]


def _time(process: LineProcess, far: float, start: float, target: float, count: int) -> float:
    # panels run from the far side to the target, whichever way that is: the two signs of dx cancel
    parts = [Panels.between(far, start, count), Panels.between(start, target, count)]
    panels = Panels(*(np.concatenate(both) for both in zip(*parts, strict=True)))
    potential = process.reduced_potential(panels)
    ratio = _reach(panels, potential) / (process.temperature * process.diffusion(panels.points))
    return parts[1].integral(ratio[count:])


def _reach(panels: Panels, potential: Array) -> Array:
    """Return the integral of e^(Psi(y) - Psi(z)) over z from the first edge to y, at the points y."""
    # differences of Psi alone go into exponents, so that a deep fall behind the barrier does not spoil the sum
    lowest = potential.min(axis=1, keepdims=True)
    within = np.abs(panels.widths) * np.exp(lowest - potential)
    logs = np.log(within @ WEIGHTS) - lowest[:, 0]
    before = np.append(-np.inf, np.logaddexp.accumulate(logs)[:-1])[:, None]
    sign = np.sign(panels.widths)
    return np.asarray(sign * (np.exp(potential + before) + np.exp(potential - lowest) * (within @ _RUNNING.T)))


def end_of_density(process: LineProcess, start: float, target: float) -> float:
    """Return where, behind the start, the stationary density has fallen by e^-60.

    Returns
    -------
    float
        The point, in x.

    Raises
    ------
    ValueError
        The landscape does not rise there.
    """
    reach = target - start
    for _ in range(_DOUBLINGS):
        panels = Panels.between(start, start - reach, _PANELS[3])
        with np.errstate(over="ignore", invalid="ignore"):
            potential = process.reduced_potential(panels)[:, -1]
        deep = np.flatnonzero(potential > np.minimum.accumulate(potential) + _DEPTH)
        if len(deep):
            return float(panels.points[deep[0], -1])
        reach *= 1.6
    raise ValueError("the landscape does not rise beyond the start: give wall=, a reflecting point on that side")
