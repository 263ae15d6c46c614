"""The density of a cloud over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgdphys.fokker_planck.density_datasets import axis_names, configuration_text, density_dataset
from sgdphys.fokker_planck.discretisation import discretise
from sgdphys.fokker_planck.initial_densities import initial_density, starting_time
from sgdphys.fokker_planck.time_steps import Stepper

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.fokker_planck.initial_densities import Start
    from sgdphys.protocols import Array, Landscape, Noise
    from sgdphys.sgd import SGD

__all__ = ["evolve"]


def evolve(
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    temperature: float | None = None,
    sgd: SGD | None = None,
    grid: Grid,
    start: Start,
    times: ArrayLike,
    tolerance: float = 1e-6,
) -> xr.Dataset:
    r"""Solve the Fokker-Planck equation on a grid: the density of a cloud over time.

    The equation is :math:`\partial_t p = \nabla\cdot(p \nabla f + T\, \nabla\cdot(D p))`. Finite volumes with
    exponential fitting, second order in the cell width; implicit time steps of fifth order whose length follows their
    estimated error. Walls reflect. Probability is kept to rounding, the density is never negative, and the Gibbs state
    of an isotropic D stays where it is. The scheme diffuses 1 + delta^2/12 times as fast where the potential changes by
    delta T D from one cell to the next; keep delta below 1 where the probability is.

    Parameters
    ----------
    landscape
        Anything with ``dim`` and ``potential(x)``, in loss.
    noise
        Noise with a constant diagonal D, in loss^2/x^2; None means D = 1, with ``temperature=`` only.
    temperature
        T, in x^2/loss. Exactly one of ``temperature`` and ``sgd`` is given.
    sgd
        Settings of stochastic gradient descent: T is their effective temperature, weight decay joins the potential, and
        momentum makes everything 1/(1 - momentum) times as fast.
    grid
        The cells.
    start
        At time 0: a point (scalar or (coordinate,)), a density on the grid, or a callable of points (cell, coordinate)
        that gives a density up to a factor. A density Dataset is continued from its last frame and time.
    times
        Increasing times of the frames, in x^2/loss, not before the start.
    tolerance
        Largest estimated error of one time step, in total variation. The true one is usually a hundredth of it.

    Returns
    -------
    xr.Dataset
        ``density(time, x, ...)``, ``mass(time)``, ``boundary_mass(time)`` in the cells at the walls (large: widen the
        grid) and ``time_error(time)``, the sum of the estimated errors; the exact evolution never enlarges one.

    Raises
    ------
    ValueError
        A setting breaks its rule; see :func:`sgdphys.fokker_planck.discretise` and the parameters above.
    """
    operator = discretise(landscape, noise, temperature=temperature, sgd=sgd, grid=grid)
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance must lie between 0 and 1, got {tolerance}")
    names = axis_names(landscape, grid)
    density = initial_density(start, grid, names)
    instants = _checked_times(times, starting_time(start))
    frames, errors = _march(Stepper(operator, tolerance), density, instants, starting_time(start))
    configuration = configuration_text("evolve", landscape, noise, temperature, sgd, grid, tolerance=tolerance)
    return density_dataset(grid, names, instants.tolist(), frames, configuration, time_error=errors)


def _march(stepper: Stepper, density: Array, times: Array, now: float) -> tuple[Array, Array]:
    frames, errors, total, dt = [], [], 0.0, stepper.first_step(density)
    for time in times:
        if time > now:
            density, error, dt = stepper.advance(density, float(time - now), dt)
            total, now = total + error, time
        frames.append(density)
        errors.append(total)
    return np.array(frames), np.array(errors)


def _checked_times(times: ArrayLike, start: float) -> Array:
    instants = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if instants.ndim != 1 or instants.size == 0 or not np.all(np.isfinite(instants)):
        raise ValueError(f"times must be a list of finite numbers, got {times!r}")
    if instants[0] < start or np.any(np.diff(instants) <= 0):
        raise ValueError(f"times must increase and not begin before the start at {start}, got {instants.tolist()}")
    return instants
