"""Rotation in a parabola: the simplest stationary state with a current, solved in all its moments."""

from __future__ import annotations

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.checks import finite_number

__all__ = ["current_generating_function", "rotating_current"]


def rotating_current(decay: float, rotation: float, temperature: float, *, dt: float | None = None) -> xr.Dataset:
    r"""Return mean and variance of the current of a rotating Ornstein-Uhlenbeck process in the plane.

    The process is :math:`dx = (-a x + b x_\perp) dt + \sqrt{2T}\, dW` with :math:`x_\perp = (-x_2, x_1)` and D = 1.
    Its current :math:`K = \int x_1 \circ dx_2 - x_2 \circ dx_1`, twice the area swept out, grows in the stationary
    state at the mean rate 2 T b/a and with a variance of 4 T^2 (1 + b^2/a^2)/a per time. Entropy is produced at the
    rate 2 b^2/a, independent of T, and the thermodynamic uncertainty ratio, variance times entropy over twice the
    square of the mean, is 1 + b^2/a^2, never below 1.

    Parameters
    ----------
    decay
        a, positive, in loss/x^2.
    rotation
        b, in loss/x^2; counterclockwise where positive.
    temperature
        T, in x^2/loss.
    dt
        None for the process; a time step in x^2/loss for the exact moments of its Euler chain with midpoint products,
        :math:`K = \sum_k x_{1,k} x_{2,k+1} - x_{2,k} x_{1,k+1}`.

    Returns
    -------
    xr.Dataset
        ``current_rate`` and ``current_variance_rate``, both per time; ``coordinate_variance`` of each coordinate;
        ``entropy_production_rate`` of the process and ``uncertainty_ratio`` formed with it (NaN without rotation).

    Raises
    ------
    ValueError
        A number is not finite or not positive, or the Euler chain does not settle.

    References
    ----------
    Barato, Seifert 2015 (Phys. Rev. Lett. 114, 158101), for the uncertainty ratio.
    """
    a, b, T = _checked(decay, rotation, temperature)
    if dt is None:
        mean, variance, spread = 2 * T * b / a, 4 * T**2 * (1 + b**2 / a**2) / a, T / a
    else:
        mean, variance, spread = _of_euler_chain(a, b, T, finite_number("dt", dt, sign="positive"))
    entropy = 2 * b**2 / a
    numbers = {
        "current_rate": mean,
        "current_variance_rate": variance,
        "coordinate_variance": spread,
        "entropy_production_rate": entropy,
        "uncertainty_ratio": variance * entropy / (2 * mean**2) if b else np.nan,
    }
    return xr.Dataset({name: ((), number, schema.describe(name)) for name, number in numbers.items()})


def current_generating_function(k: float, decay: float, rotation: float, temperature: float) -> xr.DataArray:
    r"""Return the scaled cumulant generating function of the current of :func:`rotating_current`.

    .. math:: \lim_{t\to\infty} \frac1t \ln \langle e^{k K} \rangle = a - \sqrt{a^2 - 4 T^2 k^2 - 4 T b k},

    symmetric under :math:`k \to -b/T - k`, which is the fluctuation theorem.

    Parameters
    ----------
    k
        Conjugate of the current, in 1/x^2.
    decay, rotation, temperature
        a, b and T.

    Returns
    -------
    xr.DataArray
        The function, zero-dimensional, per time; the attribute ``standard_error`` is 0.

    Raises
    ------
    ValueError
        A number is not finite or not positive, or k lies where the mean of e^(kK) is infinite.
    """
    a, b, T = _checked(decay, rotation, temperature)
    tilt = finite_number("k", k)
    inside = a**2 - 4 * T**2 * tilt**2 - 4 * T * b * tilt
    if inside < 0:
        edges = [(-b + sign * np.hypot(a, b)) / (2 * T) for sign in (-1, 1)]
        raise ValueError(f"k must lie between {edges[0]:.6g} and {edges[1]:.6g}, got {tilt:g}")
    attributes = {**schema.describe("current_generating_function"), "standard_error": 0.0}
    return xr.DataArray(a - np.sqrt(inside), name="current_generating_function", attrs=attributes)


def _checked(decay: float, rotation: float, temperature: float) -> tuple[float, float, float]:
    return (
        finite_number("decay", decay, sign="positive"),
        finite_number("rotation", rotation),
        finite_number("temperature", temperature, sign="positive"),
    )


def _of_euler_chain(a: float, b: float, T: float, dt: float) -> tuple[float, float, float]:
    # z -> l z + noise of variance s per coordinate, l = 1 - a dt + i b dt. The tilted step has the eigenfunction
    # exp(-q |z|^2), whence ln <e^(kK)> per step = -ln [(1 + |l|^2 + sqrt(R^2 - 4 u Im l - u^2)) / 2], u = 2 s k,
    # R = 1 - |l|^2; its first two derivatives at k = 0 are mean and variance.
    turn, noise = b * dt, 2 * T * dt
    R = (2 * a - (a**2 + b**2) * dt) * dt
    if R <= 0:
        raise ValueError(f"dt={dt:g} must be below 2 a / (a^2 + b^2) = {2 * a / (a**2 + b**2):.6g}")
    mean = 2 * noise * turn / R
    variance = 4 * noise**2 * (1 / (2 * R) + 2 * turn**2 / R**3 + turn**2 / R**2)
    return mean / dt, variance / dt, noise / R
