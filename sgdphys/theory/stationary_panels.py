"""The integrals behind the stationary density on a line: how far it reaches, and its norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sgdphys.checks import number_array
from sgdphys.theory.passage_quadrature import NODES, WEIGHTS, LineProcess, Panels

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["Line", "Measure", "settled_measure"]

_REACHED, _TOLERABLE = 1e-10, 1e-6
_PANELS = tuple(2**k for k in range(7, 15))
_DEPTH = 60.0
_TRIMMINGS = 20
_STEP, _FINEST = 0.25, 1e-4  # first step in u of the search for the end, and the smallest share of it
_FARTHEST = 230.0  # in u: points up to 1e100 from the centre


@dataclass(frozen=True)
class Line:
    """A stretch of the line in a variable u: x = centre + sinh u for an open line, x = u between walls.

    A tail that falls as a power of x is exponential in u. ``known`` is the least that the stretch contains, or the
    walls where ``centre`` is None.
    """

    process: LineProcess
    known: tuple[float, float]
    centre: float | None
    observable: Callable[[Array], ArrayLike] | None

    def place(self, u: Array) -> Array:
        """Return x(u)."""
        return u if self.centre is None else np.asarray(self.centre + np.sinh(u))

    def parameter(self, x: Array) -> Array:
        """Return u(x)."""
        return x if self.centre is None else np.asarray(np.arcsinh(x - self.centre))

    def stretch(self, u: Array) -> Array:
        """Return dx/du."""
        return np.ones_like(u) if self.centre is None else np.cosh(u)

    def slope(self, u: Array) -> Array:
        """Return the derivative of the reduced potential without its part of ln D."""
        return np.asarray(self.process.reduced_slope(self.place(u)) * self.stretch(u))

    def log_share(self, u: Array) -> Array:
        """Return what ln D and dx/du add to the logarithm of the density in u."""
        return np.asarray(np.log(self.stretch(u)) - self.process.share * np.log(self.process.diffusion(self.place(u))))

    def values(self, u: Array) -> Array:
        """Return the observable, 1 where there is none.

        Returns
        -------
        Array
            The shape of u.

        Raises
        ------
        ValueError
            It does not return as many finite numbers as it takes.
        """
        if self.observable is None:
            return np.ones_like(u)
        with np.errstate(over="ignore"):
            values = number_array("the observable", self.observable(self.place(u).ravel()))
        if values.shape not in {(), (u.size,)}:
            raise ValueError(
                f"the observable must return one number a point, got shape {values.shape} for {u.size} points"
            )
        return np.broadcast_to(values, (u.size,)).reshape(u.shape)


@dataclass(frozen=True)
class Measure:
    """The density in u on equal panels, as a logarithm up to its norm."""

    line: Line
    edges: Array
    panels: Panels
    potential_at_edges: Array
    log_density: Array  # (panel, node), with respect to u

    @classmethod
    def on(cls, line: Line, low: float, high: float, count: int) -> Measure:
        """Return the measure on so many panels from low to high in u."""
        panels, edges = Panels.between(low, high, count), np.linspace(low, high, count + 1)
        slopes = line.slope(panels.points)
        at_edges = np.append(0.0, np.cumsum(panels.widths[:, 0] * (slopes @ WEIGHTS)))
        return cls(line, edges, panels, at_edges, line.log_share(panels.points) - panels.running(slopes))

    @property
    def log_norm(self) -> float:
        """The logarithm of the norm Z."""
        highest = self.log_density.max()
        return float(highest + np.log(self.panels.integral(np.exp(self.log_density - highest))))

    def average(self) -> float:
        """Return the mean of the observable."""
        with np.errstate(invalid="ignore"):
            shares = np.exp(self.log_density - self.log_norm) * self.line.values(self.panels.points)
        return self.panels.integral(shares)

    def density(self, x: Array) -> Array:
        """Return the density with respect to x, 0 outside the stretch."""
        u = self.line.parameter(x)
        inside = (u >= self.edges[0]) & (u <= self.edges[-1])
        panel = np.clip(np.searchsorted(self.edges, u, side="right") - 1, 0, len(self.edges) - 2)
        half = np.where(inside, (u - self.edges[panel]) / 2, 0.0)[:, None]
        slopes = self.line.slope(self.edges[panel][:, None] + half * (1 + NODES))
        potential = self.potential_at_edges[panel] + half[:, 0] * (slopes @ WEIGHTS)
        diffusion = self.line.process.diffusion(np.where(inside, x, self.line.place(self.edges[panel])))
        logs = -potential - self.line.process.share * np.log(diffusion) - self.log_norm
        return np.where(inside, np.exp(logs), 0.0)


def settled_measure(line: Line) -> Measure:
    """Return the measure, refined until norm and average no longer change.

    Returns
    -------
    Measure
        On up to 16,384 panels.

    Raises
    ------
    ValueError
        The density cannot be normalised, the average is infinite, or the integrals do not settle.
    """
    low, high = (float(u) for u in line.parameter(np.array(line.known)))
    if line.centre is not None:
        low, high = _reach(line, low, high)
    last = Measure.on(line, low, high, _PANELS[0])
    for count in _PANELS[1:]:
        finer = Measure.on(line, low, high, count)
        change = _change(last, finer)
        last = finer
        if change <= _REACHED:
            break
    if not change <= _TOLERABLE:
        raise ValueError("the integrals do not settle: the landscape or the diffusion varies too fast for 16,384 "
                         "panels, or the observable is not finite")  # fmt: skip
    return last


def _change(coarse: Measure, fine: Measure) -> float:
    norm = abs(fine.log_norm - coarse.log_norm)
    if fine.line.observable is None:
        return norm
    size = np.exp(fine.log_density - fine.log_norm) * np.abs(fine.line.values(fine.panels.points))
    scale = max(fine.panels.integral(size), np.finfo(float).tiny)
    return max(norm, abs(fine.average() - coarse.average()) / scale)


def _reach(line: Line, low: float, high: float) -> tuple[float, float]:
    """Return how far the density reaches in u to both sides."""
    inner = Measure.on(line, low, high, _PANELS[2])
    highest = float(np.max(_integrand(line, inner.panels.points, inner.log_density)))
    right = _end(line, high, float(inner.potential_at_edges[-1]), highest, 1.0)
    left = _end(line, low, 0.0, highest, -1.0)
    for _ in range(_TRIMMINGS):
        outer = left, right
        left, right = _trimmed(line, *outer)
        if right - left > 0.5 * (outer[1] - outer[0]):
            break
    return left, right


def _trimmed(line: Line, left: float, right: float) -> tuple[float, float]:
    """Return the stretch without ends where the integrand is below e^-60 of its highest."""
    measure = Measure.on(line, left, right, _PANELS[2])
    points = measure.panels.points.ravel()
    integrand = _integrand(line, points, measure.log_density.ravel())
    high = np.flatnonzero(integrand >= integrand.max() - _DEPTH)
    return (
        float(points[high[0] - 1]) if high[0] > 0 else left,
        float(points[high[-1] + 1]) if high[-1] + 1 < len(points) else right,
    )


def _integrand(line: Line, u: Array, log_density: Array) -> Array:
    """Return the logarithm of the density in u, or of its product with the observable where that is larger."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(log_density + np.log1p(np.abs(line.values(u))))


def _end(line: Line, u: float, potential: float, highest: float, sign: float) -> float:
    """Return where, on from u to one side, the integrand has fallen by e^-60 below its highest."""
    step, power = _STEP, float("nan")
    while abs(u) < _FARTHEST:
        panels = Panels.between(u, u + sign * step, 16)
        with np.errstate(over="ignore", invalid="ignore"):
            slopes = line.slope(panels.points)
            integrand = _integrand(
                line, panels.points, line.log_share(panels.points) - potential - panels.running(slopes)
            )
            change = panels.integral(slopes)
        if not np.all(np.isfinite(integrand)):
            break
        if not _resolved(line, u, u + sign * step, change):
            step /= 2
            continue
        deep = np.flatnonzero(integrand.ravel() < np.maximum.accumulate(np.append(highest, integrand))[1:] - _DEPTH)
        if len(deep):
            return float(panels.points.ravel()[deep[0]])
        highest, potential = max(highest, float(integrand.max())), potential + change
        power = float((integrand[-1, -1] - integrand[0, 0]) / abs(panels.points[-1, -1] - panels.points[0, 0]))
        u, step = u + sign * step, min(1.3 * step, 4.0)
    raise ValueError(_complaint(line, sign, power))


def _resolved(line: Line, start: float, end: float, change: float) -> bool:
    """Return whether twice the panels give the same potential difference; raise ValueError where none would."""
    panels = Panels.between(start, end, 32)
    with np.errstate(over="ignore", invalid="ignore"):
        finer = panels.integral(line.slope(panels.points))
    settled = not abs(finer - change) > max(0.1, 1e-3 * abs(change))
    if not settled and abs(end - start) < _FINEST * _STEP:
        where = float(line.place(np.array(start)))
        raise ValueError(f"the landscape varies too fast at x = {where:.6g}, where the density has not fallen by e^-60 "
                         "yet; give interval=, two reflecting walls")  # fmt: skip
    return settled


def _complaint(line: Line, sign: float, power: float) -> str:
    side = "right" if sign > 0 else "left"
    what = "the density" if line.observable is None else "the density times the observable"
    how = f"goes as |x|^{power - 1:.4g}" if power < 1 else "does not fall"
    return (
        f"{what} {how} on the {side}: it has no finite integral, or falls too slowly to be integrated; "
        "give interval=, two reflecting walls"
    )
