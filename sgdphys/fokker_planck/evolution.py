"""The density of a cloud over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.checks import finite_number, number_array
from sgdphys.fokker_planck.density_datasets import (
    axis_names,
    configuration_text,
    density_dataset,
    warn_of_cut_off,
    warn_of_negative,
)
from sgdphys.fokker_planck.initial_densities import initial_state, starting_time
from sgdphys.fokker_planck.marches import carrier
from sgdphys.fokker_planck.problems import settle
from sgdphys.fokker_planck.units import with_units_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr
    from numpy.typing import ArrayLike

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.fokker_planck.initial_densities import Start
    from sgdphys.fokker_planck.marches import Carry, TimeMethod
    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.fokker_planck.problems import Problem
    from sgdphys.protocols import Array, Landscape, Noise
    from sgdphys.schedules import SGDSchedule
    from sgdphys.sgd import SGD

__all__ = ["evolve"]


def evolve(
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    temperature: Any = None,
    sgd: SGD | SGDSchedule | None = None,
    grid: Grid,
    start: Start,
    times: ArrayLike,
    tolerance: float = 1e-6,
    method: TimeMethod = "adaptive",
    dt: float | None = None,
    currents: bool = False,
) -> xr.Dataset:
    r"""Solve the Fokker-Planck equation on a grid: the density of a cloud over time.

    The equation is :math:`\partial_t p = \nabla\cdot[p (\nabla f - c + (1 - r) T\, \nabla\cdot D) + T D \nabla p]`, see
    :func:`sgdphys.fokker_planck.discretise`. Finite volumes with exponential fitting, second order in the cell width.
    Probability is kept to rounding, the density is never negative (but for :class:`~sgdphys.fokker_planck.Underdamped`
    with central streaming), and a state without current stays where it is. The scheme diffuses 1 + delta^2/12 times as
    fast where Phi/T changes by delta from one cell to the next; keep delta below 1 where the probability is.

    Parameters
    ----------
    landscape
        Anything with ``dim`` and ``potential(x)``, in loss; a ``landscapes.Field`` circulates, a ``landscapes.Driven``
        changes in time.
    noise
        Gaussian noise of any positive D(x), in loss^2/x^2; None means D = 1 with ``temperature=``, C(x) of a finite sum
        with ``sgd=``.
    temperature
        T, in x^2/loss; a number, a schedule or a function of time. Exactly one of ``temperature`` and ``sgd`` is given.
        Time steps end at the jumps of a schedule, such as ``schedules.Steps``; jumps of a function are not known.
    sgd
        Settings of stochastic gradient descent: T is their effective temperature, weight decay joins the potential, and
        momentum makes everything 1/(1 - momentum) times as fast; or a schedule of such settings.
    grid
        The cells, and what happens at their walls.
    start
        At time 0: a point (scalar or (coordinate,)), a density on the grid, or a callable of points (cell, coordinate)
        that gives a density up to a factor. A density Dataset is continued from its last frame and time, with what
        walls absorbed.
    times
        Increasing times of the frames, in x^2/loss, not before the start.
    tolerance
        Largest estimated error of one time step, in total variation. The true one is usually a hundredth of it.
    method
        ``"adaptive"``: the exponential by Chebyshev polynomials, where there is detailed balance and few products do;
        else implicit steps of fifth order with flux limiting, their length by the error; of second order (exponential
        midpoint) where the equation changes in time; always positive. ``"implicit-euler"``: steps
        ``dt``, first order, always positive. ``"crank-nicolson"``: steps ``dt``, second order, positive up to 2 over
        the fastest rate out of a cell, and refused beyond. ``"exponential"``: exact in time and always positive, for
        equations constant in time and small grids or short times.
    dt
        Longest step of the two fixed methods.
    currents
        Whether to keep the probability current of every frame.

    Returns
    -------
    xr.Dataset
        ``density(time, x, ...)``, ``mass(time)``, ``boundary_mass(time)`` in the cells at the walls (large: widen the
        grid), ``time_error(time)``, the sum of the estimated errors (NaN for fixed steps), and
        ``entropy_production_rate(time)``, infinite where cells are empty; ``absorbed(time)`` with absorbing walls,
        ``current(time, x, ..., coordinate)`` where wanted.

    Raises
    ------
    ValueError
        A setting breaks its rule; see :func:`sgdphys.fokker_planck.discretise` and the parameters above.

    Warns
    -----
    UserWarning
        More than a thousandth of the probability seems to lie beyond far walls, or the density of positions and
        velocities falls below zero.
    """
    problem = settle(landscape, noise, temperature, sgd, grid)
    if not 0 < finite_number("tolerance", tolerance) < 1:
        raise ValueError(f"tolerance must lie between 0 and 1, got {tolerance}")
    names = axis_names(landscape, grid)
    begin = starting_time(start)
    instants = _checked_times(times, begin)
    problem.check_end(float(instants[-1]))
    first = problem.operator(begin)
    step = None if dt is None else finite_number("dt", dt, sign="positive")
    carry = carrier(problem, method, tolerance, step, first)
    state = initial_state(start, grid, names, len(first.exits))
    states, errors = _march(carry, state, instants, begin)
    more: dict[str, Any] = {"tolerance": tolerance, "method": method} | ({} if dt is None else {"dt": dt})
    configuration = configuration_text("evolve", landscape, noise, temperature, sgd, grid, **more)
    frames = states[:, : grid.size]
    warn_of_cut_off(frames, grid)
    warn_of_negative(frames)
    series = {"time_error": errors} | _series(problem, states, instants, first)
    current = _currents(problem, states, instants, first) if currents else None
    density = density_dataset(grid, names, instants.tolist(), frames, configuration, current=current, **series)
    return with_units_of(landscape, density)


def _march(carry: Carry, state: Array, times: Array, now: float) -> tuple[Array, Array]:
    states, errors, total = [], [], 0.0
    for time in times:
        if time > now:
            state, error = carry(state, float(now), float(time))
            total, now = total + error, time
        states.append(state)
        errors.append(total)
    return np.array(states), np.array(errors)


def _operators(problem: Problem, times: Array, first: Operator) -> Iterator[Operator]:
    """Yield the operator at each time; the first one again where nothing changes."""
    changing = problem.changes or len(problem.breaks()) > 1
    return (problem.operator(float(time)) if changing else first for time in times)


def _series(problem: Problem, states: Array, times: Array, first: Operator) -> dict[str, Array]:
    pairs = zip(_operators(problem, times, first), states, strict=True)
    series = {"entropy_production_rate": np.array([operator.entropy_production(state) for operator, state in pairs])}
    if first.exits:
        series["absorbed"] = states[:, problem.grid.size :].sum(axis=1) * problem.grid.cell_volume
    return series


def _currents(problem: Problem, states: Array, times: Array, first: Operator) -> Array:
    pairs = zip(_operators(problem, times, first), states, strict=True)
    return np.array([operator.current(state) for operator, state in pairs])


def _checked_times(times: ArrayLike, start: float) -> Array:
    instants = np.atleast_1d(number_array("times", times))
    if instants.ndim != 1 or instants.size == 0 or not np.all(np.isfinite(instants)):
        raise ValueError(f"times must be a list of finite numbers, got {times!r}")
    if instants[0] < start or np.any(np.diff(instants) <= 0):
        raise ValueError(f"times must increase and not begin before the start at {start}, got {instants.tolist()}")
    return instants
