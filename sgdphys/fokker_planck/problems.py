"""What a grid solves: landscape, noise, temperature and cells, checked together, at any time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.fokker_planck.assembly import assemble
from sgdphys.fokker_planck.cell_checks import check_cells
from sgdphys.fokker_planck.density_datasets import axis_names
from sgdphys.fokker_planck.equations import Equation
from sgdphys.fokker_planck.kinks import kinks_between
from sgdphys.fokker_planck.underdamped import Underdamped, assemble_underdamped
from sgdphys.noises.base import READINGS
from sgdphys.noises.gradient_covariance import GradientCovariance
from sgdphys.schedules import SGDSchedule, as_schedule

if TYPE_CHECKING:
    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.protocols import Array, Landscape, Noise
    from sgdphys.schedules.conversion import CheckedSchedule
    from sgdphys.sgd import SGD

    Temperature = float | Any

__all__ = ["Problem", "settle"]

_ROUNDING = 1e-12  # relative: a time that passes the end of a schedule by rounding alone lies at the end


@dataclass(frozen=True)
class Problem:
    """A landscape, a noise and a temperature on a grid; any of the first and the last may change in time.

    Parameters
    ----------
    landscape, noise
        As given, the noise bound to the landscape; None means D = 1.
    temperature
        T as a schedule of time; None with ``sgd``.
    sgd
        Settings of SGD, or a schedule of them; None with ``temperature``.
    grid
        The cells.
    motion
        Friction, where positions have velocities; ``landscape`` is then that of the positions.
    """

    landscape: Landscape
    noise: Noise | None
    temperature: CheckedSchedule | None
    sgd: SGD | SGDSchedule | None
    grid: Grid
    motion: Underdamped | None = None

    @property
    def changes(self) -> bool:
        """Whether the operator changes in time other than at :meth:`breaks`."""
        varies = self.temperature is not None and self.temperature.constant is None
        return varies or hasattr(self.landscape, "protocol")

    def breaks(self) -> Array:
        """Return the times between which the settings of SGD are constant, the end of a schedule included."""
        if not isinstance(self.sgd, SGDSchedule):
            return np.empty(0)
        return self.sgd.times(np.cumsum([steps for _, steps in self.sgd.stages]))

    def kinks(self, begin: float, end: float) -> Array:
        """Return all times strictly between two others at which something jumps or bends, rising."""
        breaks = self.breaks()
        schedules = (self.temperature, getattr(self.landscape, "protocol", None))
        found = [kinks_between(schedule, begin, end) for schedule in schedules if schedule is not None]
        return np.unique(np.concatenate([breaks[(breaks > begin) & (breaks < end)], *found]))

    def equation(self, time: float = 0.0) -> Equation:
        """Return the equation at a time."""
        landscape: Any = self.landscape
        if hasattr(landscape, "protocol"):
            landscape = landscape.at(time)
        temperature, mobility, decay = self._pace(time)
        reading = READINGS[getattr(self.noise, "interpretation", "ito")]
        return Equation(landscape, self.noise, temperature, mobility, decay, reading)

    def operator(self, time: float = 0.0) -> Operator:
        """Return the operator on the grid at a time."""
        equation, names = self.equation(time), axis_names(self.motion or self.landscape, self.grid)
        if self.motion is not None:
            return assemble_underdamped(self.grid, self.motion, equation, names)
        return assemble(self.grid, equation, names)

    def check_end(self, time: float) -> None:
        """Raise ValueError where a schedule of SGD ends before a time."""
        ends = self.breaks()
        if ends.size and time > ends[-1] * (1 + _ROUNDING):
            raise ValueError(f"the schedule of sgd ends at time {ends[-1]:.6g}, got {time:.6g}")

    def _pace(self, time: float) -> tuple[float, float, float]:
        if self.temperature is not None:
            return _positive(float(self.temperature(np.array([time]))[0]), time), 1.0, 0.0
        sgd = self.settings(time)
        return _positive(sgd.effective_temperature, time), sgd.effective_lr / sgd.lr, sgd.weight_decay

    def settings(self, time: float) -> SGD:
        """Return the settings of SGD at a time."""
        if not isinstance(self.sgd, SGDSchedule):
            assert self.sgd is not None
            return self.sgd
        self.check_end(time)
        ends = self.breaks()
        return self.sgd.stages[min(int(np.searchsorted(ends, time, side="right")), len(ends) - 1)][0]


def settle(landscape: Landscape, noise: Noise | None, temperature: Temperature | None, sgd: Any, grid: Grid) -> Problem:
    """Check what is given against each other and the cells, at time 0.

    Parameters
    ----------
    landscape, noise, temperature, sgd, grid
        As in :func:`sgdphys.fokker_planck.discretise`.

    Returns
    -------
    Problem
        What may be assembled.

    Raises
    ------
    ValueError
        As there.
    """
    _check_kinds(landscape, noise, grid)
    if not 1 <= landscape.dim == grid.dim:
        raise ValueError(f"the grid has {grid.dim} axes, the landscape {landscape.dim} coordinates; they must agree")
    if (temperature is None) == (sgd is None):
        raise ValueError("give exactly one of temperature= and sgd=")
    if sgd is not None and not hasattr(sgd, "weight_decay") and not isinstance(sgd, SGDSchedule):
        raise ValueError(f"sgd must be SGD or SGDSchedule, got {type(sgd).__name__}")
    if isinstance(landscape, Underdamped):
        return _settle_underdamped(landscape, noise, temperature, sgd, grid)
    if sgd is not None and noise is None:
        noise = _gradient_covariance(landscape)
    bound = noise.bound(landscape) if noise is not None and hasattr(noise, "bound") else noise
    problem = Problem(landscape, bound, _schedule(temperature), sgd, grid)
    _check_decay(problem)
    check_cells(problem.equation(), grid, grid.dim)
    return problem


def _settle_underdamped(
    motion: Underdamped, noise: Noise | None, temperature: Temperature, sgd: Any, grid: Grid
) -> Problem:
    if sgd is not None:
        raise ValueError("Underdamped needs temperature=, got sgd=; its velocity is dx/dt, not that of heavy-ball SGD")
    problem = Problem(motion.landscape, noise, _schedule(temperature), None, grid, motion)
    equation = problem.equation()
    constant = equation.constant_diffusion
    if equation.circulates or constant is None or not np.array_equal(constant, constant[0, 0] * np.eye(len(constant))):
        raise ValueError("Underdamped needs a landscape without circulation and a constant noise D = c 1: Isotropic(c)")
    if any(side == "absorbing" for sides in grid.sides[grid.dim // 2 :] for side in sides):
        raise ValueError("walls of velocities may not absorb: leave them far")
    check_cells(equation, grid, grid.dim // 2)
    return problem


def _check_kinds(landscape: Any, noise: Any, grid: Any) -> None:
    if not (hasattr(landscape, "dim") and hasattr(landscape, "potential")):
        raise ValueError(f"a landscape has dim and potential(x), got {landscape!r:.60}")
    if not all(hasattr(grid, name) for name in ("axes", "sides", "points")):
        raise ValueError(f"grid must be a Grid, such as Grid([(-3, 3, 400)]), got {grid!r:.60}")
    if noise is not None and (isinstance(noise, type) or not hasattr(noise, "diffusion")):
        raise ValueError(f"noise must have diffusion(x), such as noises.Isotropic(1.0), or be None, got {noise!r:.60}")
    if not getattr(noise, "gaussian", True):
        raise ValueError(f"{noise!r:.60} is not Gaussian: its density obeys no Fokker-Planck equation, use simulate")


def _schedule(temperature: Temperature | None) -> CheckedSchedule | None:
    if temperature is None:
        return None
    if not callable(temperature):
        _positive(temperature, 0.0)
    return as_schedule("temperature", temperature)


def _positive(temperature: float, time: float) -> float:
    no_number = isinstance(temperature, (str, bytes, complex)) or not hasattr(temperature, "__float__")
    if no_number or not (np.ndim(temperature) == 0 and np.isfinite(temperature) and temperature > 0):
        when = f" at time {time:.6g}" if time else ""
        raise ValueError(
            f"temperature must be positive and finite on a grid, got {temperature!s:.60}{when}; use simulate without "
            "noise"
        )
    return float(temperature)


def _gradient_covariance(landscape: Landscape) -> Noise:
    if not hasattr(landscape, "gradient_covariance"):
        raise ValueError("sgd= needs the gradient covariance: give a noise, or temperature= for D = 1")
    noise: Any = GradientCovariance()
    return noise  # type: ignore[no-any-return]


def _check_decay(problem: Problem) -> None:
    decays = problem.sgd is not None and problem.settings(0.0).weight_decay
    if decays and getattr(problem.landscape, "origin", None) is not None:
        raise ValueError("a network's twin holds the weight decay already: give an SGD with weight_decay=0")
