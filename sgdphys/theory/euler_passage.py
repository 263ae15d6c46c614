"""First passages of an Euler chain, which looks at the target once a step only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.checks import finite_number
from sgdphys.theory.passage_quadrature import LineProcess, Panels, end_of_density, line_process

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.protocols import Landscape, Noise
    from sgdphys.theory.passage_quadrature import Interpretation

    Array = NDArray[np.float64]

__all__ = ["euler_first_passage_time"]

_PANEL = 3.0  # width of a panel of 12 nodes in the smallest step of the noise
_MOST_NODES = 6000
_DIFFERENCE = 1e-5  # of the distance to the target, for the derivative of D


def euler_first_passage_time(
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    temperature: float,
    dt: float,
    start: float,
    target: float,
    interpretation: Interpretation | None = None,
) -> xr.DataArray:
    r"""Return the mean time after which an Euler chain on a line is first found beyond a target.

    With the chain's transition density p from x, Gaussian about x - (f' - (1 - kappa) T D') dt with variance 2 T D dt,

    .. math:: \tau(x) = dt + \int_{y < b} p(y|x)\, \tau(y)\, dy,

    solved by Gauss points to about 1e-5, better where D and the slope are smooth. kappa = 1 (Ito), 1/2 (Stratonovich),
    0 (Haenggi-Klimontovich). This is what particles without a correction for excursions within a step show; it tends to
    :func:`mean_first_passage_time` like sqrt(dt) where the target lies on a slope or a barrier.

    Parameters
    ----------
    landscape, noise, temperature, start, target, interpretation
        As in :func:`mean_first_passage_time`; the landscape rises beyond the start.
    dt
        Time step, in x^2/loss.

    Returns
    -------
    xr.DataArray
        The time, a mean number of steps times dt, in x^2/loss; the attribute ``standard_error`` is 0.

    Raises
    ------
    ValueError
        What :func:`mean_first_passage_time` refuses, start and target agree, or dt is too small for 6000 points.

    References
    ----------
    Broadie, Glasserman, Kou 1997 (Math. Finance 7, 325), for the shift of a barrier seen once a step.
    """
    T = finite_number("temperature", temperature, sign="positive")
    step = finite_number("dt", dt, sign="positive")
    first, last = finite_number("start", start), finite_number("target", target)
    if first == last:
        raise ValueError("start and target must differ")
    process = line_process(landscape, noise, T, interpretation)
    panels = _panels(process, end_of_density(process, first, last), last, step)
    y, weights = panels.points.ravel(), np.abs(panels.weights().ravel())
    difference = _DIFFERENCE * abs(last - first)
    K = _transition(process, y, y, step, difference) * weights
    times = np.linalg.solve(np.eye(len(y)) - K, np.full(len(y), step))
    here = _transition(process, np.array([first]), y, step, difference)[0]
    value = step + float(here @ (weights * times))
    attributes = {**schema.describe("mean_first_passage_time"), "standard_error": 0.0}
    return xr.DataArray(value, name="mean_first_passage_time", attrs=attributes)


def _panels(process: LineProcess, far: float, target: float, dt: float) -> Panels:
    sample = process.diffusion(np.linspace(far, target, 1000))
    smallest = np.sqrt(2 * process.temperature * sample.min() * dt)
    count = int(np.ceil(abs(target - far) / (_PANEL * smallest)))
    panels = Panels.between(far, target, max(count, 1))
    if panels.points.size > _MOST_NODES:
        raise ValueError(
            f"dt={dt:g} needs {panels.points.size} points, at most {_MOST_NODES} are solved; use a larger dt, or "
            "mean_first_passage_time for its limit"
        )
    return panels


def _transition(process: LineProcess, x: Array, y: Array, dt: float, difference: float) -> Array:
    """Return the density of coming from x to y in a step, (x, y)."""
    D = process.diffusion(x)
    slope = (process.diffusion(x + difference) - process.diffusion(x - difference)) / (2 * difference)
    T = process.temperature
    drift = T * D * process.reduced_slope(x) - (1 - process.share) * T * slope
    variance = (2 * T * D * dt)[:, None]
    away = y[None, :] - (x - drift * dt)[:, None]
    return np.asarray(np.exp(-(away**2) / (2 * variance)) / np.sqrt(2 * np.pi * variance))
