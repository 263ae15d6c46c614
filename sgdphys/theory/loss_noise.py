"""Noise proportional to the loss: a stationary density that is a power of the loss, and escape by a power law."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.special
import xarray as xr

from sgdphys import schema
from sgdphys.checks import finite_number, number_array
from sgdphys.theory.power_laws import plain_stiffness

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sgdphys.sgd import SGD

__all__ = ["mori_density", "mori_escape_rate"]


def mori_density(at: ArrayLike, curvature: float, minimum_loss: float, sgd: SGD) -> xr.DataArray:
    r"""Return the stationary density on a parabola where the gradient covariance is 2 h f(x) in every direction.

    Wherever the covariance of the per-sample gradients is :math:`2 h f(x)\, 1`, as for least squares near a minimum
    whose curvatures all are h, the stationary density of SGD's stochastic differential equation is a power of the loss,

    .. math:: p \propto f(x)^{-\varphi}, \qquad \varphi = 1 + \frac{B}{\mathrm{lr}\, h},

    whatever the shape of f. On :math:`f = L_* + h |x|^2 / 2` it is Student's density, with :math:`2 \varphi - n`
    degrees of freedom in n coordinates: there is none from :math:`n_c = 2 \varphi` coordinates on.

    Parameters
    ----------
    at
        Points, (x,) on a line or (point, coordinate), in x from the minimum.
    curvature
        h, in loss/x^2.
    minimum_loss
        L* of the minimum, in loss.
    sgd
        Learning rate and batch size; no momentum and no weight decay, sampling with replacement.

    Returns
    -------
    xr.DataArray
        ``density`` (x) or (point), in 1/x^dim; the attribute ``loss_exponent`` is the power.

    Raises
    ------
    ValueError
        A number is not positive, the points are not finite, the settings have more than learning rate and batch size,
        or there are too many coordinates for a stationary state.

    References
    ----------
    Mori, Ziyin, Liu, Ueda 2022 (arXiv 2105.09557).
    """
    power = _power(curvature, sgd)
    h, loss = float(curvature), finite_number("minimum_loss", minimum_loss, sign="positive")
    points = number_array("at", at)
    on_line = points.ndim <= 1
    points = points.reshape(-1, 1) if on_line else points
    if points.ndim != 2 or not points.size or not np.all(np.isfinite(points)):
        raise ValueError(f"at must be finite points, (x,) or (point, coordinate), got shape {np.shape(at)}")
    n = points.shape[1]
    _refuse_dimension(n, power)
    log_norm = (
        n / 2 * np.log(2 * np.pi * loss / h) + scipy.special.gammaln(power - n / 2) - scipy.special.gammaln(power)
    )
    with np.errstate(over="ignore"):  # where the density underflows anyway
        squares = np.sum(points**2, axis=1)
    values = np.exp(-power * np.log1p(h * squares / (2 * loss)) - log_norm)
    attributes = {**schema.describe("density"), "loss_exponent": power}
    if on_line:
        return xr.DataArray(values, {"x": points[:, 0]}, ("x",), "density", attributes)
    return xr.DataArray(values, dims=(schema.POINT,), name="density", attrs=attributes)


def mori_escape_rate(
    curvature: float, saddle_curvatures: ArrayLike, *, minimum_loss: float, saddle_loss: float, sgd: SGD
) -> xr.Dataset:
    r"""Return the rate of escape over a saddle where the gradient covariance is 2 h f(x) in n noisy directions.

    .. math:: k = \frac{|\lambda_s|}{2\pi} \sqrt{\frac{h^n}{|\det H_s|}}
        \left( \frac{L_s}{L_*} \right)^{-\left( \frac{B}{\mathrm{lr}\, h} + 1 - \frac n2 \right)},

    a power of the ratio of the losses at saddle and minimum, where noise of constant strength would give an exponential
    of their difference. It holds in the limit of a rare escape, B/(lr h) large; on a line it is :func:`kramers_rate`
    with this noise, read as Ito. More noisy directions make escape faster, and from
    :math:`n_c = 2 (B / (\mathrm{lr}\, h) + 1)` on the minimum holds nothing at all.

    Parameters
    ----------
    curvature
        h of the minimum in all n noisy directions, in loss/x^2.
    saddle_curvatures
        Eigenvalues of the Hessian at the saddle in these directions, (n,), one of them negative; one number on a line.
    minimum_loss, saddle_loss
        L* and L_s, in loss; both positive, L_s the larger one.
    sgd
        Learning rate and batch size; no momentum and no weight decay, sampling with replacement.

    Returns
    -------
    xr.Dataset
        ``escape_rate`` per time, in loss/x^2; ``barrier_exponent`` B/(lr h) + 1 - n/2; ``critical_dimension`` n_c.

    Raises
    ------
    ValueError
        A loss or the curvature is not positive, the saddle is not above the minimum or has not one falling direction,
        the settings have more than learning rate and batch size, or n is not below n_c.

    References
    ----------
    Mori, Ziyin, Liu, Ueda 2022 (arXiv 2105.09557).
    """
    power = _power(curvature, sgd)
    low = finite_number("minimum_loss", minimum_loss, sign="positive")
    high = finite_number("saddle_loss", saddle_loss, sign="positive")
    if high <= low:
        raise ValueError(f"saddle_loss must be above minimum_loss, got {high:g} and {low:g}")
    values = np.sort(np.atleast_1d(number_array("saddle_curvatures", saddle_curvatures)))
    if values.ndim != 1 or not np.all(np.isfinite(values)) or not (values[0] < 0 and np.all(values[1:] > 0)):
        raise ValueError(f"saddle_curvatures must be finite with one falling direction, got {values.tolist()!s:.60}")
    n = len(values)
    _refuse_dimension(n, power)
    exponent = power - n / 2
    logs = (n * np.log(curvature) - np.sum(np.log(np.abs(values)))) / 2 - exponent * np.log(high / low)
    numbers = {
        "escape_rate": abs(float(values[0])) / (2 * np.pi) * float(np.exp(logs)),
        "barrier_exponent": exponent,
        "critical_dimension": 2 * power,
    }
    return xr.Dataset({name: ((), number, schema.describe(name)) for name, number in numbers.items()})


def _power(curvature: float, sgd: SGD) -> float:
    stiffness = plain_stiffness(curvature, sgd)
    return 1 + sgd.batch_size / stiffness


def _refuse_dimension(n: int, power: float) -> None:
    if n >= 2 * power:
        raise ValueError(
            f"{n} noisy directions have no stationary state: the power {power:.6g} of the loss allows fewer than "
            f"n_c = {2 * power:.6g}; use a smaller lr or a larger batch"
        )
