"""The stationary density on a line, and averages over it, by quadrature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.checks import finite_number, number_array
from sgdphys.sgd import require_sgd
from sgdphys.theory.passage_quadrature import line_process
from sgdphys.theory.stationary_panels import Line, settled_measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from sgdphys.protocols import Landscape, Noise
    from sgdphys.sgd import SGD
    from sgdphys.theory.passage_quadrature import Interpretation

    Array = NDArray[np.float64]

__all__ = ["stationary_average", "stationary_density"]

_FARTHEST = 1e100  # where the quadrature ends


def stationary_density(
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    at: ArrayLike,
    temperature: float | None = None,
    sgd: SGD | None = None,
    interpretation: Interpretation | None = None,
    interval: tuple[float, float] | None = None,
) -> xr.DataArray:
    r"""Return the stationary density of a landscape and a noise on a line, by quadrature.

    .. math:: p(x) = \frac{1}{Z\, D(x)^{\kappa}} \exp\left( - \int^x \frac{f'}{T D} \right),

    with :math:`\kappa` = 1 (Ito), 1/2 (Stratonovich) or 0 (Haenggi-Klimontovich). It is normalised over the real line,
    tails that fall as a power included, or between two reflecting walls. The integrals are refined until Z no longer
    changes by 1e-10 (1e-6 at worst). Beyond the points ``at`` and the landscape's known minima the line ends where the
    density has fallen by e^-60; a well farther out, behind such a barrier, is not found.

    Parameters
    ----------
    landscape
        A landscape of one coordinate; only its ``gradient`` is read, and its ``minima`` if it has them.
    noise
        An object with ``diffusion``; None for D = 1.
    at
        Points (x,), in x.
    temperature
        T, in x^2/loss.
    sgd
        Settings of SGD instead, for their ``effective_temperature``: the stationary state of the overdamped equation.
    interpretation
        How the noise is read; None for the noise's own, which is Ito if it does not say.
    interval
        Two reflecting walls, in x; None for the whole line.

    Returns
    -------
    xr.DataArray
        ``density`` at the points, in 1/x; 0 outside the walls and where the line ends. The attribute
        ``temperature`` is T.

    Raises
    ------
    ValueError
        The landscape has more coordinates, circulates or changes in time, the diffusion is not positive, the
        temperature is missing, not positive or given twice, a point is too far, or the density cannot be normalised.

    References
    ----------
    Gardiner, Handbook of Stochastic Methods (section 5.2.2).
    """
    points = np.atleast_1d(number_array("at", at))
    if points.ndim != 1 or not np.all(np.abs(points) < _FARTHEST):
        raise ValueError(f"at must be finite points in one dimension, none as far as {_FARTHEST:g}")
    place = _place(landscape, noise, temperature, sgd, interpretation, interval, points)
    attributes = {**schema.describe("density"), "temperature": place.temperature}
    name = getattr(landscape, "coordinate_names", ("x",))[0]
    return xr.DataArray(settled_measure(place.line).density(points), {name: points}, (name,), "density", attributes)


def stationary_average(
    observable: Callable[[Array], ArrayLike],
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    temperature: float | None = None,
    sgd: SGD | None = None,
    interpretation: Interpretation | None = None,
    interval: tuple[float, float] | None = None,
) -> xr.DataArray:
    r"""Return the mean of a function of the position over the density of :func:`stationary_density`.

    Parameters
    ----------
    observable
        Takes points (point,) in x and returns as many numbers, such as ``lambda x: x**2``.
    landscape, noise, temperature, sgd, interpretation, interval
        As in :func:`stationary_density`.

    Returns
    -------
    xr.DataArray
        The mean, zero-dimensional; the attribute ``standard_error`` is 0, for nothing was sampled.

    Raises
    ------
    ValueError
        What :func:`stationary_density` refuses, or the mean is infinite.
    """
    if not callable(observable):
        raise ValueError(f"observable must be a function of points (point,), got {observable!r:.60}")
    place = _place(landscape, noise, temperature, sgd, interpretation, interval, np.empty(0), observable)
    attributes = {**schema.describe("stationary_average"), "standard_error": 0.0}
    return xr.DataArray(settled_measure(place.line).average(), name="stationary_average", attrs=attributes)


@dataclass(frozen=True)
class _Place:
    line: Line
    temperature: float


def _place(
    landscape: Landscape,
    noise: Noise | None,
    temperature: float | None,
    sgd: SGD | None,
    interpretation: Interpretation | None,
    interval: tuple[float, float] | None,
    points: Array,
    observable: Callable[[Array], ArrayLike] | None = None,
) -> _Place:
    T = _temperature(temperature, sgd)
    if hasattr(landscape, "circulation"):
        raise ValueError("the landscape has a circulating part, this quadrature knows a gradient only; "
                         "use fokker_planck")  # fmt: skip
    process = line_process(landscape, noise, T, interpretation)
    if interval is not None:
        if (
            getattr(interval, "ndim", 1) != 1
            or not isinstance(interval, (tuple, list, np.ndarray))
            or len(interval) != 2
        ):
            raise ValueError(f"interval must be two walls in rising order, got {interval!r:.60}")
        low, high = (finite_number("interval", wall) for wall in interval)
        if low >= high:
            raise ValueError(f"interval must be two walls in rising order, got {low:g}, {high:g}")
        return _Place(Line(process, (low, high), None, observable), T)
    known = np.concatenate([np.asarray(getattr(landscape, "minima", np.empty((0, 1)))).ravel(), points])
    centre = (known.min() + known.max()) / 2 if len(known) else 0.0
    reach = max(1.0, np.ptp(known) / 2) if len(known) else 1.0
    return _Place(Line(process, (centre - reach, centre + reach), centre, observable), T)


def _temperature(temperature: float | None, sgd: SGD | None) -> float:
    if (temperature is None) == (sgd is None):
        raise ValueError("give exactly one of temperature= and sgd=")
    if sgd is not None:
        require_sgd(sgd)
        return finite_number("the effective temperature", sgd.effective_temperature, sign="positive")
    return finite_number("temperature", temperature, sign="positive")
